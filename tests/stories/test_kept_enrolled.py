"""A registrar keeps a child enrolled who is not in the file, and later runs respect it."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from integrations.errors import RunRefused
from integrations.models import Change, KeepEnrolled, SyncRun
from integrations.sandbox.district import Child
from integrations.services import approve_run, keep_enrolled, let_drop
from students.models import Enrollment, School
from tests.stories.days import enrolled, held
from tests.world import NOVEMBER, World


def change_of(run: SyncRun, child: Child) -> Change:
    return run.changes.get(entity="student", external_id=str(child.id))


def test_kept_child_stays_when_the_rest_is_approved(loaded: World) -> None:
    run, gone = held(loaded)
    looked_at = run.plan_hash
    new = keep_enrolled(change=change_of(run, gone[0]), reason=" Is in hospital ")
    run.refresh_from_db()
    assert run.plan_hash == new != looked_at
    assert run.counts["dropped"] == len(gone) - 1
    with pytest.raises(RunRefused, match="plan has changed"):
        approve_run(run=run, plan_hash=looked_at)
    done = loaded.approve(run)
    assert done.status == "complete"
    assert [enrolled(loaded, one) for one in gone] == [True] + [False] * (len(gone) - 1)
    kept = change_of(done, gone[0])
    assert (kept.status, kept.keep_reason) == ("withheld", "Is in hospital")
    for _ in range(2):
        later = loaded.sync()
        assert (later.status, later.counts["dropped"]) == ("complete", 0)
        assert enrolled(loaded, gone[0])


def test_keeping_is_refused_when_no_reason_is_given(loaded: World) -> None:
    run, gone = held(loaded)
    with pytest.raises(RunRefused, match="why"):
        keep_enrolled(change=change_of(run, gone[0]), reason="  ")


def test_keeping_is_refused_when_the_change_is_no_drop(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    run, _ = held(loaded)
    with pytest.raises(RunRefused, match="Only a drop"):
        keep_enrolled(change=change_of(run, child), reason="x")
    with pytest.raises(RunRefused, match="Only a student who was kept"):
        let_drop(change=change_of(run, child))
    run.refresh_from_db()
    assert change_of(run, child).status == "planned"


def test_kept_child_is_dropped_when_the_date_has_passed(loaded: World) -> None:
    run, gone = held(loaded)
    until = dt.date(2026, 11, 20)
    keep_enrolled(change=change_of(run, gone[0]), reason="Back on Friday", until=until)
    run.refresh_from_db()
    loaded.approve(run)
    with time_machine.travel(dt.datetime(2026, 11, 20, 20, tzinfo=dt.UTC), tick=True):
        assert loaded.sync().counts["dropped"] == 0
        assert enrolled(loaded, gone[0])
    with time_machine.travel(dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC), tick=True):
        assert loaded.sync().counts["dropped"] == 1
        assert not enrolled(loaded, gone[0])


def test_drop_comes_back_when_the_person_decides_otherwise(loaded: World) -> None:
    run, gone = held(loaded)
    first = run.plan_hash
    keep_enrolled(change=change_of(run, gone[0]), reason="Is in hospital")
    assert let_drop(change=change_of(run, gone[0])) == first
    assert not KeepEnrolled.objects.exists()
    run.refresh_from_db()
    loaded.approve(run)
    assert not enrolled(loaded, gone[0])


def test_child_whom_the_system_calls_left_stays_when_kept(loaded: World) -> None:
    left = loaded.settled()[-1]
    loaded.district.leave(left.id)
    run, _ = held(loaded)
    keep_enrolled(change=change_of(run, left), reason="Appeal", until=dt.date(2026, 11, 20))
    run.refresh_from_db()
    done = loaded.approve(run)
    assert done.counts["left"] == 0
    assert enrolled(loaded, left)
    for _ in range(2):
        later = loaded.sync()
        assert (later.status, later.counts["dropped"]) == ("complete", 0)
        assert change_of(later, left).keep_reason == "Appeal"
        assert enrolled(loaded, left)
        counts = later.counts
        told = ("created", "updated", "unchanged", "reopened", "rejected", "inactive", "left")
        assert counts["received"] == sum(counts[name] for name in told)
    with time_machine.travel(NOVEMBER + dt.timedelta(days=6), tick=True):
        assert loaded.sync().counts["left"] == 1
        assert not enrolled(loaded, left)


def test_keep_ends_with_the_return_when_the_child_is_in_the_file_again(loaded: World) -> None:
    run, gone = held(loaded)
    keep_enrolled(change=change_of(run, gone[0]), reason="Is in hospital")
    run.refresh_from_db()
    loaded.approve(run)
    loaded.district.restore_child(gone[0])
    back = loaded.sync()
    assert (back.status, back.counts["dropped"], back.counts["reopened"]) == ("complete", 0, 0)
    assert enrolled(loaded, gone[0])


@pytest.mark.parametrize("ending", ["left", "drop"])
def test_kept_school_stays_when_another_school_of_the_child_ends_in_the_same_run(loaded: World, ending: str) -> None:
    child = loaded.settled()[0]
    here = child.enrollments[0].school
    there = next(s.number for s in loaded.district.real_schools if s.number != here)
    loaded.district.enroll(child.id, there)
    loaded.sync()
    _keep(loaded, child, here)
    if ending == "left":
        for row in child.enrollments:
            row.status, row.inactive_code, row.left = "left", "N", dt.date(2026, 11, 2)
        loaded.district.touch(child)
    else:
        loaded.district.remove(child.id)
    for _ in range(2):
        loaded.sync()
        assert _current(loaded, child) == {str(here)}
    KeepEnrolled.objects.all().delete()
    loaded.sync()
    assert _current(loaded, child) == set()


def test_kept_school_stays_when_the_child_moves_to_another(loaded: World) -> None:
    child = loaded.settled()[0]
    here = child.enrollments[0].school
    there = next(s.number for s in loaded.district.real_schools if s.number != here)
    _keep(loaded, child, here)
    loaded.district.move(child.id, there)
    for _ in range(2):
        run = loaded.sync()
        assert _current(loaded, child) == {str(here), str(there)}, change_of(run, child).withheld
    main = Enrollment.objects.get(student=loaded.student(child), left=None, primary=True)
    assert main.school.code == str(there)
    KeepEnrolled.objects.all().delete()
    loaded.sync()
    assert _current(loaded, child) == {str(there)}


def _keep(world: World, child: Child, school: int) -> None:
    KeepEnrolled.objects.create(
        integration=world.integration,
        student=world.student(child),
        school=School.objects.get(code=str(school)),
        reason="Appeal",
    )


def _current(world: World, child: Child) -> set[str]:
    stays = Enrollment.objects.filter(student=world.student(child), left=None)
    return set(stays.values_list("school__code", flat=True))
