"""Children leave, come back, move and change."""

from __future__ import annotations

import datetime as dt

import pytest

from integrations.models import SourceRecord
from students.models import Enrollment, Student
from tests.stories.days import enrolled, quiet_sync
from tests.world import World, a_world

TODAY = dt.date(2026, 11, 16)


def stays(world: World, child: object) -> list[tuple[int, dt.date | None, dt.date | None]]:
    """Stint, entered and left of a child's enrollments."""
    rows = Enrollment.objects.filter(student=world.student(child))  # type: ignore[arg-type]
    return list(rows.order_by("stint").values_list("stint", "entered", "left"))


@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
def test_child_is_reopened_when_it_comes_back_with_the_same_bytes(db: None, vendor: str) -> None:
    with a_world(vendor, students=40) as world:
        world.sync()
        child = world.settled()[0]
        before = stays(world, child)
        world.district.remove(child.id)
        gone = world.sync()
        assert (gone.status, gone.counts["dropped"], gone.counts["left"]) == ("complete", 1, 0)
        assert not enrolled(world, child)
        assert stays(world, child)[0][2] == TODAY
        quiet_sync(world)
        world.district.restore_child(child)
        back = world.sync()
        assert (back.status, back.counts["reopened"], back.counts["created"]) == ("complete", 1, 0)
        assert stays(world, child) == before
        assert Student.objects.count() == 40
        quiet_sync(world)


def test_second_stay_begins_when_the_child_comes_back_with_a_new_enter_date(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.leave(child.id, on=dt.date(2026, 10, 1))
    gone = loaded.sync()
    assert (gone.counts["left"], gone.counts["dropped"]) == (1, 1)
    ((_, entered, left),) = stays(loaded, child)
    assert left == dt.date(2026, 10, 1)
    loaded.district.change_enrollment(
        child.id, status="active", left=None, inactive_code="", exit_code="", entered=dt.date(2026, 11, 2)
    )
    back = loaded.sync()
    assert (back.counts["reopened"], back.counts["created"]) == (1, 0)
    assert stays(loaded, child) == [(1, entered, left), (2, dt.date(2026, 11, 2), None)]
    assert loaded.student(child).status == "current"
    quiet_sync(loaded)


def test_leaving_counts_once_when_the_record_stays_in_the_file(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.leave(child.id, on=dt.date(2026, 10, 1))
    assert loaded.sync().counts["left"] == 1
    again = quiet_sync(loaded)
    assert (again.counts["left"], again.counts["inactive"]) == (0, 1)
    # When the record itself vanishes, there is nothing left to end.
    loaded.district.remove(child.id)
    assert quiet_sync(loaded).counts["dropped"] == 0


def test_left_is_the_day_of_the_run_when_the_systems_day_is_still_to_come(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.leave(child.id, on=dt.date(2026, 12, 18))
    assert loaded.sync().counts["left"] == 1
    assert stays(loaded, child)[0][2] == TODAY


def test_old_record_of_a_former_school_does_not_date_the_drop(loaded: World) -> None:
    child = loaded.settled()[0]
    other = next(s.number for s in loaded.district.real_schools if s.number != child.enrollments[0].school)
    loaded.district.move(child.id, other, on=dt.date(2026, 9, 1))
    assert loaded.sync().counts["updated"] == 1
    child.enrollments = [row for row in child.enrollments if row.status == "left"]
    loaded.district.touch(child)
    # Only the row of the former school is left: the child is gone from the new one, since today.
    for members in loaded.district._members.values():
        members.pop(child.id, None)
    loaded.district.touch(child)
    for school in loaded.district.real_schools:
        loaded.district._school_versions[school.number] = loaded.district.school_version(school.number) + 1
    run = loaded.sync()
    assert run.counts["dropped"] == 1
    current = Enrollment.objects.get(student=loaded.student(child), school__code=str(other))
    assert current.left == TODAY


def test_moved_child_is_neither_dropped_nor_doubled(loaded: World) -> None:
    child = loaded.settled()[0]
    old = child.enrollments[0].school
    new = next(s.number for s in loaded.district.real_schools if s.number != old)
    loaded.district.move(child.id, new)
    run = loaded.sync()
    assert (run.counts["updated"], run.counts["dropped"], run.counts["created"]) == (1, 0, 0)
    current = Enrollment.objects.filter(student=loaded.student(child), left=None)
    assert [(stay.school.code, stay.primary) for stay in current] == [(str(new), True)]
    quiet_sync(loaded)


def test_moved_child_is_neither_dropped_nor_doubled_when_the_old_record_vanished(loaded: World) -> None:
    child = loaded.settled()[0]
    old = child.enrollments[0].school
    new = next(s.number for s in loaded.district.real_schools if s.number != old)
    taken = loaded.district.remove(child.id)
    loaded.district.restore_child(taken)
    loaded.district.move(child.id, new)
    child.enrollments = [row for row in child.enrollments if row.school == new]
    loaded.district._members[old].pop(child.id)
    loaded.district._school_versions[old] += 1
    loaded.district.touch(child)
    run = loaded.sync()
    assert (run.status, run.counts["updated"], run.counts["dropped"]) == ("complete", 1, 0)
    current = Enrollment.objects.filter(student=loaded.student(child), left=None)
    assert [stay.school.code for stay in current] == [str(new)]
    quiet_sync(loaded)


def test_nobody_is_dropped_when_the_flag_is_off_but_who_left_is_ended(loaded: World) -> None:
    loaded.set(drop_students_not_in_file=False)
    gone, left = loaded.settled()[:2]
    loaded.district.remove(gone.id)
    loaded.district.leave(left.id)
    run = loaded.sync()
    assert (run.counts["left"], run.counts["dropped"]) == (1, 1)
    assert enrolled(loaded, gone)
    assert not enrolled(loaded, left)


def test_nobody_is_dropped_when_the_run_covers_one_school_only(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.remove(child.id)
    run = loaded.sync(schools=[str(child.enrollments[0].school)])
    assert (run.status, run.counts["dropped"]) == ("complete", 0)
    assert enrolled(loaded, child)
    assert loaded.sync().counts["dropped"] == 1


def test_student_present_but_invalid_is_seen_and_keeps_the_enrollment(loaded: World) -> None:
    child = loaded.settled()[0]
    grade = child.enrollments[0].grade
    loaded.district.change(child.id, home_phone="5305550199")
    loaded.district.change_enrollment(child.id, grade=77)
    run = loaded.sync()
    assert (run.counts["rejected"], run.counts["dropped"]) == (1, 0)
    assert enrolled(loaded, child)
    assert [issue.code for issue in loaded.issues(run)] == ["unmapped_code"]
    # Nothing was kept of it, so that it is taken as soon as it is right.
    assert loaded.sync().counts["rejected"] == 1
    loaded.district.change_enrollment(child.id, grade=grade)
    assert loaded.sync().counts["updated"] == 1
    assert loaded.student(child).home_phone == "5305550199"


def test_edit_of_a_person_is_compared_again_although_the_source_sent_the_same(loaded: World) -> None:
    from students.signals import student_edited

    child = loaded.settled()[0]
    student = loaded.student(child)
    theirs = student.home_phone
    student.home_phone = "5305550177"
    student.save()
    student_edited.send(sender=Student, student_ids=[student.pk], user=None)
    assert SourceRecord.objects.get(external_id=str(child.id)).fingerprint is None
    run = loaded.sync()
    assert run.counts["updated"] == 1
    assert loaded.student(child).home_phone == theirs
