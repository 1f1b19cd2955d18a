"""What people, schedules and commands may ask of runs: start, approve, discard, undo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.errors import ConfigurationError, RunOpen, RunRefused
from integrations.inbound.plan_hash import plan_hash as hash_of
from integrations.inbound.rules import build_rules
from integrations.inbound.verify import count
from integrations.models import (
    Change,
    ExternalIdentity,
    Integration,
    KeepEnrolled,
    MatchDecision,
    RunPage,
    SourceRecord,
    SyncRun,
)
from integrations.models.run import APPLIED, OPEN, Status
from integrations.tasks import carry_run
from mapping.models import DataEntityMappingValue
from students.models import School, Student, StudentMerge
from students.signals import student_edited

REMOVALS = (Change.Kind.DROP, Change.Kind.LEFT, Change.Kind.ENDED)
PLAN_LIFE = dt.timedelta(days=7)
CHUNK = 500
User = AbstractBaseUser | None


def start_import(
    *,
    integration: Integration,
    user: Any = None,
    trigger: str = SyncRun.Trigger.PERSON,
    dry_run: bool = False,
    ask_first: bool = False,
    schools: Collection[str] = (),
    students: Collection[str] = (),
    wake: bool = True,
) -> SyncRun:
    """A queued import; a worker is woken once it is committed, unless the caller carries it itself.

    schools: our or the system's school codes to limit it to; students: external ids. ask_first: its plan waits for
    the person who asks for it, however small it is. Raises RunOpen when an import of the integration is open,
    RunRefused when it may not run.
    """
    if not integration.active:
        raise RunRefused(f"{integration.name} is inactive. Tick Active first.")
    if not integration.import_enabled:
        raise RunRefused(f"Importing is switched off for {integration.name}. Tick Import enabled first.")
    if integration.pictures_only and (dry_run or students):
        raise RunRefused(f"{integration.name} brings pictures only. They are read all at once: press the refresh icon.")
    if trigger == SyncRun.Trigger.SCHEDULE and integration.schedule_paused:
        raise RunRefused(integration.schedule_paused)
    if trigger == SyncRun.Trigger.SCHEDULE and integration.resting:
        until = timezone.localtime(integration.resting_until)
        raise RunRefused(
            f"{integration.name} did not answer {integration.failures_in_row} times in a row. "
            f"Scheduled imports try again after {until:%d %b %H:%M}; run one by hand to try now."
        )
    return _open_run(
        wake=wake,
        integration=integration,
        kind=SyncRun.Kind.PICTURES if integration.pictures_only else SyncRun.Kind.IMPORT,
        trigger=trigger,
        requested_by=user,
        dry_run=dry_run,
        ask_first=ask_first,
        scope_schools=sorted(schools),
        scope_students=sorted(students),
    )


def school_codes(integration: Integration) -> set[str]:
    """Every code, ours or the system's, by which an import of the integration can be limited to a school."""
    rows = DataEntityMappingValue.objects.filter(mapping=integration.building_id)
    return {code.strip() for pair in rows.values_list("external_value", "value") for code in pair}


def approve_run(
    *, run: SyncRun, plan_hash: str, user: Any = None, adds_and_updates_only: bool = False, wake: bool = True
) -> None:
    """Let a held run apply exactly the plan with this hash, or only its adds and updates.

    Raises RunRefused when the run is not held or its plan is no longer the one that was looked at.
    """
    with transaction.atomic():
        held = _held(run)
        _refuse_outdated(held, plan_hash)
        if adds_and_updates_only:
            _leave_out_drops(held)
        try:
            with transaction.atomic():
                SyncRun.objects.filter(pk=held.pk).update(
                    status=Status.APPLYING,
                    approved_by=user,
                    lease_expires=None,
                    lease_owner="",
                    counts=count(held),
                    plan_hash=hash_of(held.pk),
                )
        except IntegrityError:
            raise _open_error(held.integration) from None
        if wake:
            transaction.on_commit(lambda: carry_run.delay(held.pk))
    run.refresh_from_db()


def discard_run(*, run: SyncRun, user: Any = None) -> None:
    """End a held run without writing anything. Raises RunRefused when it is not held."""
    with transaction.atomic():
        held = _held(run)
        held.changes.filter(status=Change.Status.PLANNED).update(status=Change.Status.DISCARDED)
        RunPage.objects.filter(run=held).update(block=None)
        SyncRun.objects.filter(pk=held.pk).update(status=Status.DISCARDED, approved_by=user, finished=timezone.now())
    run.refresh_from_db()


def keep_enrolled(*, change: Change, reason: str, user: Any = None, until: dt.date | None = None) -> str:
    """Take one drop out of a held plan, now and in later runs; returns the plan's new hash.

    Raises RunRefused without a reason, or when the run is not held.
    """
    return decide_drops(run=change.run, keep={change: (reason, until)}, user=user)


def let_drop(*, change: Change, user: Any = None) -> str:
    """Put a drop back into a held plan; returns the plan's new hash. Raises RunRefused."""
    return decide_drops(run=change.run, drop=[change], user=user)


def decide_drops(
    *,
    run: SyncRun,
    keep: Mapping[Change, tuple[str, dt.date | None]] | None = None,
    drop: Collection[Change] = (),
    user: Any = None,
) -> str:
    """Take drops out of a held plan, now and in later runs, or put them back; returns the plan's new hash.

    keep: change → why, and until when (None: until somebody lifts it). Raises RunRefused, with nothing decided,
    without a reason, for what is no drop, and when the run is not held.
    """
    keep = keep or {}
    if not all(reason.strip() for reason, _ in keep.values()):
        raise RunRefused("Say why the student stays enrolled.")
    with transaction.atomic():
        held = _held(run)
        if any(c.kind not in REMOVALS or c.target is None for c in keep):
            raise RunRefused("Only a drop can be kept enrolled.")
        if any(c.status != Change.Status.WITHHELD or not c.keep_reason for c in drop):
            raise RunRefused("Only a student who was kept enrolled can be dropped after all.")
        _remember_kept(held.integration, keep, user)
        _forget_kept(held.integration, drop)
        for change, (reason, _until) in keep.items():
            change.status, change.keep_reason = Change.Status.WITHHELD, reason.strip()
        for change in drop:
            change.status, change.keep_reason = Change.Status.PLANNED, ""
        Change.objects.bulk_update([*keep, *drop], ["status", "keep_reason"], batch_size=500)
        return _rehash(held)


def undo_run(*, run: SyncRun, user: Any = None, students: Collection[int] | None = None, wake: bool = True) -> SyncRun:
    """A queued run that takes back what a run wrote: all of it, or for some students (primary keys).

    Raises RunRefused when the run wrote nothing that can be taken back, RunOpen when another run is open.
    """
    if run.status not in (*APPLIED, Status.FAILED) or run.kind != SyncRun.Kind.IMPORT:
        raise RunRefused("Only an import that was applied, and not undone yet, can be undone.")
    changes = run.changes.filter(entity="student", status=Change.Status.APPLIED)
    scope: list[str] = []
    if students is not None:
        scope = list(changes.filter(target__in=list(students)).values_list("external_id", flat=True))
        if not scope:
            raise RunRefused("This run changed none of these students.")
    elif not changes.exists():
        raise RunRefused("This run changed nothing, so there is nothing to undo.")
    return _open_run(
        wake=wake,
        integration=run.integration,
        kind=SyncRun.Kind.UNDO,
        trigger=SyncRun.Trigger.PERSON,
        requested_by=user,
        undoes=run,
        scope_students=sorted(scope),
    )


def resume_schedule(*, integration: Integration, user: Any = None) -> None:
    """Let scheduled imports run again after an undo paused them."""
    Integration.objects.filter(pk=integration.pk).update(schedule_paused="")
    integration.refresh_from_db()


def cancel_run(*, run: SyncRun, user: Any = None) -> None:
    """End a run that has not begun to apply; nothing is written. Raises RunRefused otherwise."""
    ended = SyncRun.objects.filter(pk=run.pk, status__in=[Status.QUEUED, Status.FETCHING]).update(
        status=Status.CANCELLED, finished=timezone.now()
    )
    if not ended:
        raise RunRefused("Only a run that has not begun to apply can be cancelled. Undo it when it has ended.")
    run.changes.filter(status=Change.Status.PLANNED).update(status=Change.Status.DISCARDED)
    RunPage.objects.filter(run=run).update(block=None)
    run.refresh_from_db()


def forget_fingerprints(*, student: Student | int) -> None:
    """Make the next import of every integration compare this student again, whatever the source sent."""
    pk = student if isinstance(student, int) else student.pk
    for identity in ExternalIdentity.objects.filter(entity="student", student=pk):
        SourceRecord.objects.filter(integration=identity.integration_id, external_id=identity.external_id).update(
            fingerprint=None
        )


def look_again(*, integration: Integration, external_ids: Collection[str]) -> None:
    """Make the next import of the integration compare these students, whatever the system sends."""
    wanted = sorted(external_ids)
    for start in range(0, len(wanted), CHUNK):
        rows = SourceRecord.objects.filter(integration=integration, external_id__in=wanted[start : start + CHUNK])
        rows.update(fingerprint=None)


def listen_for_edits() -> None:
    """Make every import look again at students whom a person has edited."""
    student_edited.connect(_forget_edited, dispatch_uid="forget_fingerprints_of_edited_students")


def _forget_edited(*, student_ids: Collection[int], **_: Any) -> None:
    for student in student_ids:
        forget_fingerprints(student=student)


def _open_run(*, wake: bool, **values: Any) -> SyncRun:
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = SyncRun.objects.create(**values)
        except IntegrityError:
            raise _open_error(values["integration"]) from None
        if wake:
            transaction.on_commit(lambda: carry_run.delay(run.pk))
    return run


def _open_error(integration: Integration) -> RunOpen:
    run = SyncRun.objects.filter(integration=integration, status__in=OPEN).order_by("-pk").first()
    number = run.pk if run else 0
    return RunOpen(f"Run {number} of {integration.name} is open (run_open). Wait for it to end.", run=number)


def _held(run: SyncRun) -> SyncRun:
    locked = SyncRun.objects.select_for_update().select_related("integration").get(pk=run.pk)
    if locked.status != Status.HELD:
        raise RunRefused(f"Run {run.pk} is not waiting for approval: it is {locked.get_status_display().lower()}.")
    return locked


def _refuse_outdated(run: SyncRun, plan_hash: str) -> None:
    if plan_hash != run.plan_hash:
        raise RunRefused("The plan has changed since you looked at it. Look at it again, then approve.")
    if run.planned_at is None or timezone.now() - run.planned_at > PLAN_LIFE:
        raise RunRefused("The plan is over 7 days old. Discard it and run the import again.")
    newer = SyncRun.objects.filter(
        integration=run.integration, pk__gt=run.pk, status__in=[*APPLIED, Status.UNDONE, Status.APPLYING]
    )
    if newer.exists():
        raise RunRefused("A newer run of this integration has been applied. Run the import again.")
    if who := _decided_since(run, run.planned_at):
        raise RunRefused(f"A decision on {who} was made since the plan. Run the import again.")
    try:
        rules = build_rules(run.integration, today=timezone.localdate(run.started))
    except ConfigurationError as error:
        raise RunRefused(error.message) from None
    if rules.hash != run.rules_hash:
        raise RunRefused(
            "The settings, mappings or field ownership have changed since the plan was made. Run the import again."
        )


def _decided_since(run: SyncRun, planned_at: dt.datetime) -> str:
    """Somebody of the plan whom a person has linked, kept apart, merged or unmerged since; "" when nobody."""
    planned = run.changes.filter(entity="student", status=Change.Status.PLANNED)
    targets = planned.exclude(target=None).values("target")
    decided = MatchDecision.objects.filter(integration=run.integration, created__gt=planned_at)
    decided = decided.filter(Q(student__in=targets) | Q(external_id__in=planned.values("external_id")))
    if (decision := decided.select_related("student").first()) is not None:
        return str(decision.student or f"SIS ID {decision.external_id}")
    merged = StudentMerge.objects.filter(Q(created__gt=planned_at) | Q(undone__gt=planned_at))
    merged = merged.filter(Q(survivor__in=targets) | Q(duplicate__in=targets))
    merge = merged.select_related("survivor").first()
    return str(merge.survivor) if merge is not None else ""


def _leave_out_drops(run: SyncRun) -> None:
    if any(reason["code"] != "drops" for reason in run.guard.get("reasons", [])):
        raise RunRefused("The run is held for more than drops; approve or discard all of it.")
    removals = run.changes.filter(kind__in=REMOVALS, status=Change.Status.PLANNED)
    removals.update(status=Change.Status.DISCARDED)


def _remember_kept(integration: Integration, keep: Mapping[Change, tuple[str, dt.date | None]], user: Any) -> None:
    schools = {school.code: school for school in School.objects.all()}
    KeepEnrolled.objects.bulk_create(
        [
            KeepEnrolled(
                integration=integration,
                student_id=change.target or 0,
                school=schools[code],
                reason=reason.strip(),
                until=until,
                user=user,
            )
            for change, (reason, until) in keep.items()
            for code in change.schools
            if code in schools
        ],
        batch_size=500,
        update_conflicts=True,
        unique_fields=["integration", "student", "school"],
        update_fields=["reason", "until", "user"],
    )


def _forget_kept(integration: Integration, drop: Collection[Change]) -> None:
    pairs = {(change.target, code) for change in drop for code in change.schools}
    rows = KeepEnrolled.objects.filter(integration=integration, student__in={student for student, _ in pairs})
    lifted = [pk for pk, *pair in rows.values_list("pk", "student", "school__code") if tuple(pair) in pairs]
    KeepEnrolled.objects.filter(pk__in=lifted).delete()


def _rehash(run: SyncRun) -> str:
    run.plan_hash = hash_of(run.pk)
    run.counts = count(run)
    run.save(update_fields=["plan_hash", "counts"])
    return run.plan_hash
