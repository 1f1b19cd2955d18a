"""A held run waits for a person, who approves exactly what was looked at, or discards it."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from integrations.errors import RunRefused
from integrations.models import SourceRecord, SyncRun
from integrations.services import approve_run, discard_run
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, FieldOwnership
from tests.stories.days import enrolled, held, quiet_sync, restore
from tests.world import NOVEMBER, World, roster


def test_approve_applies_exactly_the_plan_when_the_hash_is_the_one_looked_at(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    run, gone = held(loaded)
    looked_at, counts = run.plan_hash, run.counts
    planned = set(loaded.changes(run))
    done = loaded.approve(run)
    assert (done.status, done.plan_hash) == ("complete", looked_at)
    assert planned == {str(c.id) for c in [*gone, child, newcomer]}
    assert {c.status for c in done.changes.all()} == {"applied"}
    assert not any(enrolled(loaded, one) for one in gone)
    assert loaded.student(child).home_phone == "5305550199"
    assert enrolled(loaded, newcomer)
    assert done.counts == counts
    today = dt.date(2026, 11, 16)
    assert set(Enrollment.objects.exclude(left=None).values_list("left", "exit_reason")) == {(today, "not in file")}
    quiet_sync(loaded)


def test_approval_is_refused_when_the_hash_is_another(loaded: World) -> None:
    run, gone = held(loaded)
    with pytest.raises(RunRefused, match="plan has changed"):
        approve_run(run=run, plan_hash="0" * 64)
    run.refresh_from_db()
    assert run.status == "held"
    assert all(enrolled(loaded, one) for one in gone)


def test_approval_is_refused_when_the_run_is_not_held(loaded: World) -> None:
    run = SyncRun.objects.get()
    with pytest.raises(RunRefused, match="not waiting for approval"):
        approve_run(run=run, plan_hash=run.plan_hash)


def test_approval_is_refused_when_a_newer_run_has_applied(loaded: World) -> None:
    run, _ = held(loaded)
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    newer = loaded.sync(students=[str(child.id)])
    assert newer.status == "complete"
    run.refresh_from_db()
    assert run.status == "held", "a run limited to one student supersedes nothing"
    with pytest.raises(RunRefused, match="newer run"):
        approve_run(run=run, plan_hash=run.plan_hash)


def test_approval_is_refused_when_a_mapping_was_edited_meanwhile(loaded: World) -> None:
    run, _ = held(loaded)
    DataEntityMappingValue.objects.filter(mapping__entity="gender", external_value="M").update(value="X")
    with pytest.raises(RunRefused, match="mappings or field ownership have changed"):
        approve_run(run=run, plan_hash=run.plan_hash)


def test_approval_is_refused_when_a_field_got_another_owner_meanwhile(loaded: World) -> None:
    run, _ = held(loaded)
    FieldOwnership.objects.create(field="gender", owner="console")
    with pytest.raises(RunRefused, match="mappings or field ownership have changed"):
        approve_run(run=run, plan_hash=run.plan_hash)


@pytest.mark.parametrize(("hours", "refused"), [(7 * 24 - 1, False), (7 * 24 + 1, True)])
def test_approval_is_refused_when_the_plan_is_over_seven_days_old(loaded: World, hours: int, refused: bool) -> None:
    run, gone = held(loaded)
    with time_machine.travel(NOVEMBER + dt.timedelta(hours=hours), tick=True):
        if refused:
            with pytest.raises(RunRefused, match="over 7 days old"):
                approve_run(run=run, plan_hash=run.plan_hash)
        else:
            assert loaded.approve(run).status == "complete"
    assert all(enrolled(loaded, one) is refused for one in gone)


def test_held_run_is_superseded_when_a_newer_one_finishes_its_plan(loaded: World) -> None:
    run, gone = held(loaded)
    restore(loaded, gone)
    newer = loaded.sync()
    assert newer.status == "complete"
    run.refresh_from_db()
    assert run.status == "superseded"
    assert set(run.changes.values_list("status", flat=True)) == {"discarded"}
    assert not run.pages.exclude(block=None).exists()
    with pytest.raises(RunRefused, match="superseded"):
        approve_run(run=run, plan_hash=run.plan_hash)
    assert all(enrolled(loaded, one) for one in gone)


def test_newer_held_run_holds_the_same_plan_when_nothing_changed(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    run, _ = held(loaded)
    newer = loaded.sync()
    assert (newer.status, newer.plan_hash) == ("held", run.plan_hash)
    run.refresh_from_db()
    assert run.status == "superseded"


def test_dry_run_supersedes_nothing_when_it_has_planned(loaded: World) -> None:
    run, _ = held(loaded)
    dry = loaded.sync(dry_run=True)
    run.refresh_from_db()
    assert (dry.status, run.status) == ("planned", "held")
    assert {reason["code"] for reason in dry.guard["reasons"]} == {"drops"}


def test_failed_run_supersedes_nothing_when_the_system_is_down(loaded: World) -> None:
    run, _ = held(loaded)
    loaded.sis.faults.add("F18")
    assert loaded.sync().status == "failed"
    loaded.sis.faults.clear()
    run.refresh_from_db()
    assert run.status == "held"
    assert loaded.approve(run).status == "complete"


def test_discard_writes_nothing_and_the_next_run_finds_the_same_again(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    run, _ = held(loaded)
    before, prints = roster(), set(SourceRecord.objects.values_list("external_id", "fingerprint"))
    discard_run(run=run)
    assert run.status == "discarded"
    assert roster() == before
    assert set(SourceRecord.objects.values_list("external_id", "fingerprint")) == prints
    again = loaded.sync()
    assert (again.status, again.plan_hash) == ("held", run.plan_hash)
    assert str(newcomer.id) in loaded.changes(again)
    with pytest.raises(RunRefused):
        discard_run(run=run)


def test_adds_and_updates_only_leaves_every_drop_out(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    left = loaded.settled()[-2]
    loaded.district.leave(left.id)
    run, gone = held(loaded)
    whole = run.plan_hash
    done = loaded.approve(run, adds_and_updates_only=True)
    assert done.status == "complete"
    assert all(enrolled(loaded, one) for one in [*gone, left])
    assert loaded.student(child).home_phone == "5305550199"
    assert done.counts["dropped"] == 0
    assert done.counts["updated"] == 1
    assert done.plan_hash != whole
    # What was left out is found again, the child whom the system itself calls left included.
    again = loaded.sync()
    assert again.status == "held"
    assert again.counts["dropped"] == len(gone) + 1


def test_adds_and_updates_only_is_refused_when_drops_are_not_the_sole_reason(loaded: World) -> None:
    for number in range(11):
        loaded.district.add(first_name=f"Kim{number}", last_name="Neu")
    run, _ = held(loaded)
    assert {reason["code"] for reason in run.guard["reasons"]} == {"drops", "new_students"}
    with pytest.raises(RunRefused, match="more than drops"):
        approve_run(run=run, plan_hash=run.plan_hash, adds_and_updates_only=True)
    run.refresh_from_db()
    assert run.status == "held"
    assert set(run.changes.values_list("status", flat=True)) == {"planned"}


def test_nobody_is_dropped_when_the_system_asked_on_approval_finds_one_active(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    run, gone = held(loaded)
    restore(loaded, gone[:1])
    done = loaded.approve(run)
    assert done.status == "partial"
    assert all(enrolled(loaded, one) for one in gone)
    assert loaded.student(child).home_phone == "5305550199"
    issue = loaded.issues(done, severity="run")[0]
    assert (issue.code, issue.external_id) == ("found_active", str(gone[0].id))
    assert "nobody was dropped" in issue.message
    assert done.counts["dropped"] == 0
    restore(loaded, gone[1:])
    loaded.sync()
    assert all(enrolled(loaded, one) for one in gone)


def test_nobody_is_dropped_when_the_system_cannot_be_asked_on_approval(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    run, gone = held(loaded)
    loaded.sis.faults.add("F18")
    done = loaded.approve(run)
    assert done.status == "partial"
    assert all(enrolled(loaded, one) for one in gone)
    assert loaded.student(child).home_phone == "5305550199"
    assert [issue.code for issue in loaded.issues(done, severity="run")] == ["could_not_ask"]
