"""Where a child goes to school: moves, second schools, leaving, returning, years, drops."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.models import SourceRecord
from integrations.sandbox.district import Child
from integrations.sandbox.district import Enrollment as SourceRow
from integrations.services import keep_enrolled
from students.models import Enrollment, Student
from tests.world import World, a_world

from .test_pull import adds_up

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["aeries", "powerschool"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Forty children at three schools, loaded."""
    with a_world(request.param, students=40, schools=3, options={"page_size": 10}) as made:
        assert made.sync().status == "complete"
        yield made


@pytest.fixture
def aeries() -> Iterator[World]:
    """The same behind Aeries, where a child may have rows in several schools."""
    with a_world("aeries", students=40, schools=3, options={"page_size": 10}) as made:
        assert made.sync().status == "complete"
        yield made


def stays(world: World, child: Child) -> list[tuple[str, str, bool, str, dt.date | None]]:
    """(school, year, primary, exit reason, left) of every enrollment, the earliest first."""
    rows = Enrollment.objects.filter(student=world.student(child)).order_by("pk")
    return [(s.school.code, s.academic_year.name, s.primary, s.exit_reason, s.left) for s in rows]


def current(world: World, child: Child) -> dict[str, bool]:
    """School → whether primary, of the current enrollments."""
    return {school: primary for school, _, primary, _, left in stays(world, child) if left is None}


def other(world: World, child: Child) -> int:
    """A school the child has no row in."""
    taken = {row.school for row in child.enrollments}
    return next(s.number for s in world.district.real_schools if s.number not in taken)


def without_trace(world: World, child: Child, to: int, **row: Any) -> None:
    """Move the child so that its old school has no row of it any more. row: fields of its row."""
    world.district.remove(child.id)
    child.enrollments[0].school, child.enrollments[0].student_number = to, 900
    for name, value in row.items():
        setattr(child.enrollments[0], name, value)
    world.district.restore_child(child)


def without_row(world: World, child: Child, row: SourceRow) -> None:
    """Take one of the child's rows out of the district."""
    world.district.remove(child.id)
    child.enrollments.remove(row)
    world.district.restore_child(child)


def settled(world: World) -> None:
    """A further pull finds nothing to change."""
    run = world.sync()
    assert run.changes.count() == 0, [(c.kind, c.fields) for c in run.changes.all()]
    assert run.counts["unchanged"] + run.counts["inactive"] == run.counts["received"]


def test_a_child_who_moves_ends_at_one_school_and_begins_at_the_other(world: World) -> None:
    child = world.settled()[0]
    here, there = child.enrollments[0].school, other(world, child)
    world.district.move(child.id, there)
    run = world.sync()
    assert run.status == "complete"
    assert (run.counts["updated"], run.counts["left"], run.counts["dropped"]) == (1, 0, 0)
    assert adds_up(run)
    assert current(world, child) == {str(there): True}
    assert [school for school, *_ in stays(world, child)] == [str(here), str(there)]
    assert world.student(child).status == Student.Status.CURRENT
    settled(world)


def test_a_child_who_moves_without_a_trace_at_the_old_school_is_no_drop(aeries: World) -> None:
    child = aeries.settled()[0]
    there = other(aeries, child)
    without_trace(aeries, child, there)
    run = aeries.sync()
    assert (run.counts["updated"], run.counts["dropped"]) == (1, 0)
    assert current(aeries, child) == {str(there): True}
    assert stays(aeries, child)[0][3] == "moved"
    settled(aeries)


def test_a_second_school_that_is_alternate_never_becomes_primary(aeries: World) -> None:
    aeries.set(primary_enrollment_codes=",N", alternate_enrollment_codes="S,T")
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    aeries.district.enroll(child.id, there, program="S")
    run = aeries.sync()
    assert run.status == "complete", [i.message for i in aeries.issues(run)]
    assert current(aeries, child) == {str(here): True, str(there): False}
    settled(aeries)


def test_an_alternate_school_that_was_left_leaves_the_primary_one_alone(aeries: World) -> None:
    aeries.set(primary_enrollment_codes=",N", alternate_enrollment_codes="S,T")
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    second = aeries.district.enroll(child.id, there, program="S")
    aeries.sync()
    without_row(aeries, child, second)
    run = aeries.sync()
    assert (run.counts["dropped"], run.counts["left"]) == (0, 0)
    assert current(aeries, child) == {str(here): True}
    settled(aeries)


@pytest.mark.parametrize("trace", ["a row that says so", "no row any more"])
def test_of_two_primary_schools_the_other_is_primary_again_once_one_is_left(aeries: World, trace: str) -> None:
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    second = aeries.district.enroll(child.id, there, program="")
    run = aeries.sync()
    assert current(aeries, child) == {str(here): False, str(there): True}
    assert [issue.code for issue in aeries.issues(run)] == ["two_primary_enrollments"]
    settled(aeries)
    if trace == "no row any more":
        without_row(aeries, child, second)
    else:
        second.status, second.inactive_code, second.left = "left", "N", dt.date(2026, 11, 2)
        aeries.district.touch(child)
    run = aeries.sync()
    assert run.counts["updated"] == 1
    assert current(aeries, child) == {str(here): True}
    settled(aeries)


def test_a_code_in_neither_list_is_refused_and_drops_nobody(aeries: World) -> None:
    child = aeries.settled()[0]
    aeries.set(primary_enrollment_codes="(blank)", alternate_enrollment_codes="S")
    aeries.district.change_enrollment(child.id, program="Q")
    run = aeries.sync()
    assert run.counts["rejected"] == 1
    assert adds_up(run)
    (issue,) = aeries.issues(run, severity="error")
    assert (issue.code, issue.raw_code, issue.external_id) == ("unlisted_enrollment_code", "Q", str(child.id))
    assert len(current(aeries, child)) == 1


def test_a_child_who_moves_to_where_its_record_is_refused_is_not_dropped(aeries: World) -> None:
    """Present but invalid is seen, never missing: the old enrollment stays until the record can be taken."""
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    without_trace(aeries, child, there, grade=17)
    run = aeries.sync()
    assert run.counts["rejected"] == 1
    assert adds_up(run)
    assert current(aeries, child) == {str(here): True}
    assert aeries.student(child).status == Student.Status.CURRENT
    aeries.district.change_enrollment(child.id, grade=5)
    aeries.sync()
    assert current(aeries, child) == {str(there): True}
    settled(aeries)


def test_who_leaves_says_the_record_ends_on_the_systems_day(aeries: World) -> None:
    child = aeries.settled()[0]
    aeries.set(drop_students_not_in_file=False)
    aeries.sync()
    aeries.district.leave(child.id, on=dt.date(2026, 10, 9), code="T")
    run = aeries.sync()
    assert (run.counts["left"], run.counts["dropped"]) == (1, 1)
    assert adds_up(run)
    assert stays(aeries, child)[0][3:] == ("T", dt.date(2026, 10, 9))
    assert aeries.student(child).status == Student.Status.FORMER
    settled(aeries)


def test_a_leave_date_that_has_not_come_is_today(aeries: World) -> None:
    child = aeries.settled()[0]
    aeries.district.leave(child.id, on=dt.date(2027, 3, 1))
    aeries.sync()
    assert stays(aeries, child)[0][4] == dt.date(2026, 11, 16)
    settled(aeries)


def test_who_is_not_in_the_file_and_left_by_id_ends_on_the_systems_day(world: World) -> None:
    child = world.settled()[0]
    if world.vendor == "aeries":
        pytest.skip("Aeries shows who left in its pages")
    world.district.leave(child.id, on=dt.date(2026, 10, 9))
    run = world.sync()
    assert (run.counts["left"], run.counts["dropped"]) == (1, 1)
    assert adds_up(run)
    assert stays(world, child)[0][4] == dt.date(2026, 10, 9)
    settled(world)


def test_who_left_is_counted_once_when_an_old_row_elsewhere_is_still_told(aeries: World) -> None:
    child = aeries.settled()[0]
    old = aeries.district.enroll(child.id, other(aeries, child))
    old.status, old.inactive_code, old.left = "left", "N", dt.date(2026, 9, 1)
    aeries.district.touch(child)
    aeries.sync()
    without_row(aeries, child, child.enrollments[0])
    run = aeries.sync()
    assert (run.counts["received"], run.counts["left"], run.counts["inactive"]) == (40, 1, 0)
    assert adds_up(run)
    assert current(aeries, child) == {}
    settled(aeries)


def test_who_vanished_is_asked_for_by_id_and_dropped(world: World) -> None:
    child = world.settled()[0]
    world.district.remove(child.id)
    run = world.sync()
    assert run.status == "complete"
    assert (run.counts["dropped"], run.counts["left"]) == (1, 0)
    assert adds_up(run)
    assert stays(world, child)[0][3:] == ("not in file", dt.date(2026, 11, 16))
    assert run.certificate["asked"] == 1
    settled(world)


def test_who_vanished_stays_enrolled_without_drop_students_not_in_file(world: World) -> None:
    world.set(drop_students_not_in_file=False)
    world.sync()
    child = world.settled()[0]
    world.district.remove(child.id)
    run = world.sync()
    assert run.counts["dropped"] == 0
    assert len(current(world, child)) == 1
    world.set(drop_students_not_in_file=True)
    assert world.sync().counts["dropped"] == 1


def test_who_comes_back_is_reopened_and_never_doubled(world: World) -> None:
    child = world.settled()[0]
    world.district.remove(child.id)
    world.sync()
    world.district.restore_child(child)
    run = world.sync()
    assert (run.counts["reopened"], run.counts["created"]) == (1, 0)
    assert adds_up(run)
    assert len(stays(world, child)) == 1
    assert len(current(world, child)) == 1
    assert Student.objects.count() == 40
    settled(world)


def test_who_is_kept_enrolled_is_not_dropped_by_later_runs(world: World) -> None:
    world.set(guard_count=0, guard_percent=1)
    child = world.settled()[0]
    world.district.remove(child.id)
    run = world.sync()
    assert run.status == "held"
    plan_hash = keep_enrolled(change=run.changes.get(), reason="The family called", until=dt.date(2026, 11, 20))
    run = world.approve(run, plan_hash=plan_hash)
    assert len(current(world, child)) == 1
    again = world.sync()
    assert (again.counts["dropped"], len(current(world, child))) == (0, 1)


@pytest.mark.parametrize("status", ["future"])
def test_a_future_record_is_neither_enrolled_nor_dropped(world: World, status: str) -> None:
    child = world.district.add(school=110, grade=2, status=status)
    run = world.sync()
    assert run.counts["created"] == 0
    assert run.counts["inactive"] == 1
    assert adds_up(run)
    assert not Student.objects.filter(local_id=str(child.id)).exists()
    world.district.change_enrollment(child.id, status="active", inactive_code="", entered=dt.date(2026, 11, 2))
    assert world.sync().counts["created"] == 1


def test_a_new_school_year_ends_the_old_stays_and_begins_new_ones() -> None:
    with a_world("aeries", students=40, now=dt.datetime(2026, 5, 4, 18, tzinfo=dt.UTC)) as world:
        world.sync()
        child = world.settled()[0]
        assert stays(world, child) == [(str(child.enrollments[0].school), "2025-2026", True, "", None)]
    with a_world("aeries", district=world.district) as world:
        for one in world.district.active_children():
            world.district.change_enrollment(one.id, grade=one.enrollments[0].grade)
        held = world.sync()
        assert [reason["code"] for reason in held.guard["reasons"]] == ["rollover"]
        run = world.approve(held)
        assert run.status == "complete", (run.guard, run.error_message)
        assert (run.counts["updated"], run.counts["dropped"]) == (40, 0)
        before, after = stays(world, child)
        assert before[3:] == ("year ended", dt.date(2026, 6, 30))
        assert after == (before[0], "2026-2027", True, "", None)
        settled(world)


def test_a_scoped_run_never_drops(world: World) -> None:
    child = world.settled()[0]
    school = child.enrollments[0].school
    stranger = next(one for one in world.settled() if one.enrollments[0].school != school)
    world.district.remove(child.id)
    world.district.change(stranger.id, home_phone="5305550100")
    run = world.sync(schools=[str(school)])
    assert run.status == "complete"
    assert run.counts["dropped"] == 0
    assert len(current(world, child)) == 1
    assert world.student(stranger).home_phone != "5305550100"
    assert world.sync().counts["dropped"] == 1
    assert world.student(stranger).home_phone == "5305550100"


def test_a_run_for_some_students_reads_only_them(world: World) -> None:
    one, two = world.settled()[:2]
    for child in (one, two):
        world.district.change(child.id, home_phone="5305550100")
    gone = world.district.remove(world.settled()[5].id)
    run = world.sync(students=[world.external_id(one)])
    assert (run.counts["updated"], run.counts["dropped"]) == (1, 0)
    assert len(current(world, gone)) == 1
    assert world.student(two).home_phone != "5305550100"
    run = world.sync()
    assert (run.counts["updated"], run.counts["dropped"]) == (1, 1)
    assert world.student(two).home_phone == "5305550100"


def test_an_old_school_that_was_not_read_takes_no_primary_enrollment_away(aeries: World) -> None:
    """What a school said before the child moved is no claim once the enrollment there has ended."""
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    without_trace(aeries, child, there)
    aeries.sync()
    assert current(aeries, child) == {str(there): True}
    assert SourceRecord.objects.filter(external_id=str(child.id)).count() == 2
    aeries.district.change(child.id, home_phone="5305550100")
    aeries.sis.faults.add("F45", path=r"/students$", school=here)
    assert aeries.sync().status == "partial"
    assert current(aeries, child) == {str(there): True}
    assert aeries.student(child).home_phone == "5305550100"


def test_a_second_row_elsewhere_that_says_left_ends_nothing_while_a_school_is_unread(aeries: World) -> None:
    """The child may be at the very school that could not be read."""
    child = aeries.settled()[0]
    here, there = child.enrollments[0].school, other(aeries, child)
    third = next(s.number for s in aeries.district.real_schools if s.number not in (here, there))
    without_trace(aeries, child, third)
    old = aeries.district.enroll(child.id, there)
    old.status, old.inactive_code, old.left = "left", "N", dt.date(2026, 9, 1)
    aeries.district.touch(child)
    aeries.sis.faults.add("F19", path=r"/students$", school=third)
    run = aeries.sync()
    assert run.status == "partial"
    assert current(aeries, child) == {str(here): True}
    aeries.sis.faults.clear()
    aeries.sync()
    assert current(aeries, child) == {str(third): True}
    settled(aeries)


@pytest.mark.parametrize("trace", ["a row that says left", "no row any more", "both rows at first"])
def test_a_child_who_changes_between_two_codes_of_one_school_stays_enrolled(trace: str) -> None:
    with a_world("aeries", students=20, schools=2) as world:
        world.set(guard_count=100)
        mapping = world.integration.building
        assert mapping is not None
        a, b = (school.number for school in world.district.real_schools)
        mapping.values.filter(external_value=str(b)).update(value=str(a))
        world.sync()
        for child in [one for one in world.settled() if one.enrollments[0].school == a]:
            if trace == "a row that says left":
                world.district.move(child.id, b)
            elif trace == "no row any more":
                without_trace(world, child, b)
            else:
                first = child.enrollments[0]
                world.district.enroll(child.id, b)
                world.sync()
                first.status, first.inactive_code, first.left = "left", "N", dt.date(2026, 11, 2)
                world.district.touch(child)
        for _ in range(2):
            run = world.sync()
            assert (run.counts["left"], run.counts["dropped"], run.counts["created"]) == (0, 0, 0)
        assert Enrollment.objects.filter(left=None, school__code=str(a)).count() == Enrollment.objects.count() == 20
        settled(world)
