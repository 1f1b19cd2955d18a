"""The district goes into its next school year: everybody changes grade, the oldest leave, the youngest come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from django.contrib.auth import get_user_model

from integrations.admin.held_rollover import rollover_told
from integrations.checking import check_integration
from integrations.errors import RunRefused
from integrations.models import SyncRun
from integrations.services import approve_run, discard_run
from students.models import AcademicYear, Enrollment, Student
from tests.stories.days import enrolled, quiet_sync, remove
from tests.world import World, a_world

AUGUST = dt.datetime(2027, 8, 20, 18, tzinfo=dt.UTC)
LATE = dt.datetime(2027, 9, 20, 18, tzinfo=dt.UTC)
LAST_DAY = dt.date(2027, 6, 30)
NEW = "2027-2028"


@pytest.fixture(params=["aeries", "powerschool"])
def last_year(request: pytest.FixtureRequest, db: None) -> Iterator[World]:
    """A district read in 2026-2027, which has gone into 2027-2028 since; now it is August."""
    with a_world(request.param) as world:
        assert world.sync().status == "complete"
        world.district.roll_over()
        with time_machine.travel(AUGUST, tick=True):
            yield world


@pytest.fixture
def aeries(db: None) -> Iterator[World]:
    """The same behind Aeries, still in November of the old year and not gone anywhere."""
    with a_world("aeries") as world:
        assert world.sync().status == "complete"
        yield world


def codes(run: SyncRun) -> list[str]:
    """The codes of the reasons why a run is held."""
    return [reason["code"] for reason in run.guard["reasons"]]


def current() -> set[tuple[str, str]]:
    """(student's local ID, academic year) of every current enrollment."""
    return set(Enrollment.objects.filter(left=None).values_list("student__local_id", "academic_year__name"))


def test_rollover_waits_for_a_person_and_ends_last_year_without_a_drop(last_year: World) -> None:
    before = dict(Enrollment.objects.filter(left=None).values_list("student_id", "grade_level"))
    run = last_year.sync()
    assert (run.status, run.year and run.year.name) == ("held", NEW)
    assert codes(run) == ["rollover"]
    assert "rollover from 2026-2027 to 2027-2028" in run.guard["reasons"][0]["message"]
    assert {year for _, year in current()} == {"2026-2027"}, "nothing is written before somebody approves"
    assert run.counts["dropped"] == run.counts["left"] == 0
    told = run.guard["rollover"]
    assert (told["from"], told["to"]) == ("2026-2027", NEW)
    kinds = ("up", "new", "ended", "stayed")
    sums = {what: sum(one.get(what, 0) for one in told["schools"].values()) for what in kinds}
    graduates = sum(grade == "12" for grade in before.values())
    assert sums == {"up": 60 - graduates, "new": graduates, "ended": graduates, "stayed": 0}

    done = last_year.approve(run)
    assert (done.status, done.counts["dropped"], done.counts["created"]) == ("complete", 0, graduates)
    assert {year for _, year in current()} == {NEW}
    assert len(current()) == 60 == Student.objects.filter(status="current").count()
    ended = Enrollment.objects.filter(academic_year__name="2026-2027")
    assert set(ended.values_list("left", "exit_reason")) == {(LAST_DAY, "year ended")}
    assert not Enrollment.objects.filter(left__isnull=False).exclude(academic_year__name="2026-2027").exists()
    after = dict(Enrollment.objects.filter(left=None, student__in=before).values_list("student_id", "grade_level"))
    rise = {"TK": "K", "K": "1", **{str(n): str(n + 1) for n in range(1, 12)}}
    assert after == {student: rise[grade] for student, grade in before.items() if grade != "12"}
    assert quiet_sync(last_year).status == "complete"


def test_rollover_is_taken_back_when_it_is_undone(last_year: World) -> None:
    before = current()
    run = last_year.sync()
    last_year.undo(last_year.approve(run))
    assert current() == before
    again = last_year.sync()
    assert codes(again) == ["rollover"], "an undone rollover is still to come"


def test_next_rollover_waits_again_when_the_first_was_discarded(last_year: World) -> None:
    discard_run(run=last_year.sync())
    again = last_year.sync()
    assert codes(again) == ["rollover"]
    last_year.approve(again)
    assert quiet_sync(last_year).status == "complete"


def test_rollover_holds_for_more_reasons_when_it_is_over_its_own_limits(aeries: World) -> None:
    aeries.set(rollover_percent=10, rollover_count=5)
    aeries.district.roll_over(newcomers=12)
    with time_machine.travel(AUGUST, tick=True):
        assert codes(aeries.sync()) == ["rollover", "new_students", "new_students"]


def test_rollover_limits_snap_back_when_their_last_day_is_over(aeries: World) -> None:
    aeries.district.roll_over(newcomers=12)
    with time_machine.travel(LATE, tick=True):
        assert set(codes(aeries.sync())) == {"rollover", "new_students"}, "the ordinary limits hold by themselves"
        aeries.set(rollover_until=dt.date(2027, 9, 30))
        assert codes(aeries.sync()) == ["rollover"]


def test_ordinary_limits_hold_again_when_the_rollover_was_applied(aeries: World) -> None:
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        aeries.approve(aeries.sync())
        gone = remove(aeries, 15)
        run = aeries.sync()
        assert (run.status, run.counts["dropped"]) == ("held", 15)
        assert set(codes(run)) == {"drops"}
        assert all(enrolled(aeries, child) for child in gone)


def test_last_years_enrollments_end_although_nobody_may_be_dropped(aeries: World) -> None:
    aeries.set(drop_students_not_in_file=False)
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        run = aeries.approve(aeries.sync())
        assert run.counts["dropped"] == 0
        assert {year for _, year in current()} == {NEW}


def test_rollover_ends_nobody_when_a_school_could_not_be_read(aeries: World) -> None:
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        aeries.sis.faults.add("F45", school=aeries.district.real_schools[0].number)
        run = aeries.sync()
        assert not run.certificate["complete"]
        assert not run.changes.filter(kind="ended").exists()


@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
def test_system_that_is_still_in_the_old_year_shows_on_the_held_page(db: None, vendor: str) -> None:
    with a_world(vendor) as world:
        world.sync()
        with time_machine.travel(AUGUST, tick=True):
            run = world.sync()
            if vendor == "aeries":
                assert (run.status, run.error_code) == ("failed", "tenant_changed")
                assert "It has: 2026-2027" in run.error_message
                return
            told = rollover_told(run, get_user_model().objects.create_user("anna"))
            assert run.status == "held"
            assert told is not None
            assert "the system may still be in 2026-2027" in told.unusual[0]


def test_integration_left_on_a_chosen_year_says_so_when_the_next_has_begun(aeries: World) -> None:
    aeries.set(year=AcademicYear.objects.get(name="2026-2027"))
    with time_machine.travel(AUGUST, tick=True):
        AcademicYear.objects.create(name=NEW, starts=dt.date(2027, 7, 1), ends=dt.date(2028, 6, 30))
        run = aeries.sync()
        assert (run.status, run.year and run.year.name) == ("complete_with_issues", "2026-2027")
        assert [issue.code for issue in aeries.issues(run)] == ["year_over"]
        assert "2027-2028 began on 1 July 2027" in aeries.issues(run)[0].message
        line = check_integration(aeries.integration)[0]
        assert (line.name, line.ok) == ("Academic year imported", False)
        assert {year for _, year in current()} == {"2026-2027"}


def test_year_chosen_is_the_year_asked_for_and_written(aeries: World) -> None:
    aeries.district.roll_over()
    aeries.set(year=AcademicYear.objects.create(name=NEW, starts=dt.date(2027, 7, 1), ends=dt.date(2028, 6, 30)))
    run = aeries.sync()
    assert codes(run)[0] == "rollover"
    asked = {entry["query"].get("DatabaseYear") for entry in aeries.sis.truth if entry["at"] >= run.started.isoformat()}
    assert asked == {"2027"}
    assert aeries.approve(run).status == "complete"
    assert {year for _, year in current()} == {NEW}


def test_earlier_year_is_refused_when_a_later_one_was_imported(aeries: World) -> None:
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        aeries.approve(aeries.sync())
        before = current()
        aeries.set(year=AcademicYear.objects.get(name="2026-2027"))
        run = aeries.sync()
        assert run.status == "failed"
        assert "has already imported 2027-2028, so 2026-2027 cannot be imported any more" in run.error_message
        assert current() == before


@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
def test_record_dated_outside_the_year_is_held_back_and_listed(db: None, vendor: str) -> None:
    with a_world(vendor) as world:
        world.sync()
        early, late = world.settled()[:2]
        world.district.leave(early.id, on=dt.date(2026, 5, 1))
        world.district.change_enrollment(late.id, entered=dt.date(2027, 8, 12))
        for _ in range(2):
            run = world.sync()
            counts = run.counts
            assert (counts["rejected"], counts["left"], counts["dropped"], counts["updated"]) == (2, 0, 0, 0)
            assert (counts["inactive"], counts["unchanged"]) == (0, 58)
            issues = {issue.external_id: issue for issue in world.issues(run)}
            assert {issue.code for issue in issues.values()} == {"outside_school_year"}
            assert "left on 2026-05-01, before 2026-2027 begins" in issues[world.external_id(early)].message
            assert "entered on 2027-08-12, after 2026-2027 ends" in issues[world.external_id(late)].message
            assert enrolled(world, early)
            assert enrolled(world, late)


def test_who_never_came_is_ended_although_the_year_had_not_begun(aeries: World) -> None:
    AcademicYear.objects.update(starts=dt.date(2026, 8, 13))
    AcademicYear.objects.create(name="2025-2026", starts=dt.date(2025, 8, 13), ends=dt.date(2026, 6, 4))
    child, former = aeries.settled()[:2]
    aeries.district.leave(child.id, on=dt.date(2026, 8, 1))
    aeries.district.leave(former.id, on=dt.date(2026, 6, 3))
    run = aeries.sync()
    assert (run.counts["left"], run.counts["rejected"]) == (1, 1)
    assert (enrolled(aeries, child), enrolled(aeries, former)) == (False, True)


def test_who_left_during_last_year_ends_on_that_day_and_is_no_drop(aeries: World) -> None:
    child = aeries.settled()[0]
    aeries.district.leave(child.id, on=dt.date(2027, 3, 5))
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        run = aeries.approve(aeries.sync())
        assert (run.counts["left"], run.counts["dropped"]) == (0, 0)
        stay = Enrollment.objects.get(student=aeries.student(child))
        assert (stay.left, stay.exit_reason) == (dt.date(2027, 3, 5), "year ended")
        quiet_sync(aeries)


def test_run_limited_to_a_student_waits_too_before_the_rollover(aeries: World) -> None:
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        child = next(one for one in aeries.settled() if one.enrollments[0].grade > 1)
        run = aeries.sync(students=[str(child.id)])
        assert codes(run) == ["rollover"]
        aeries.approve(run)
        assert codes(aeries.sync()) == ["rollover"], "the rollover of everybody else is still to come"


def test_adds_alone_are_no_way_out_of_a_rollover(aeries: World) -> None:
    aeries.district.roll_over()
    with time_machine.travel(AUGUST, tick=True):
        run = aeries.sync()
        with pytest.raises(RunRefused, match="more than drops"):
            approve_run(run=run, plan_hash=run.plan_hash, adds_and_updates_only=True)
