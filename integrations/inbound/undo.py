"""Take a run back, field by field; what was edited or synced later is kept and listed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.models import Change, Integration, SyncRun
from integrations.models.run import Status
from integrations.runs import lease
from students.differ import plain
from students.models import Contact, Student, StudentContact
from students.records import CONTACT_FIELDS, STUDENT_FIELDS
from students.student_plan import end_stays

from . import hub, store
from .plan_page import PlannedChange

CHUNK = 500
UNDONE_REASON = "import undone"


def plan_undo(run: SyncRun, *, fence: int, today: dt.date) -> None:
    """Plan the inverse of the run that ``run`` undoes, anew if it was planned in part before."""
    original = run.undoes
    assert original is not None
    wanted = _wanted(original, run.scope_students)
    with transaction.atomic():
        run.changes.all().delete()
        for entity in ("contact", "student"):
            rows = wanted.filter(entity=entity).order_by("pk")
            last = 0
            while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
                last = chunk[-1].pk
                planned = _invert(original, chunk, entity=entity, scope=run.scope_students, today=today)
                store.insert_changes(run.pk, planned, page_id=None)
        lease.checked(run.pk, fence)


def finish_undo(run: SyncRun, *, fence: int) -> None:
    """Mark what was taken back, pause the schedule, and end the undo."""
    original = run.undoes
    assert original is not None
    applied = run.changes.filter(status=Change.Status.APPLIED)
    with transaction.atomic():
        for entity in ("student", "contact"):
            done = applied.filter(entity=entity).values("external_id")
            original.changes.filter(entity=entity, external_id__in=done).update(status=Change.Status.UNDONE)
        left = original.changes.filter(entity="student", status=Change.Status.APPLIED).exists()
        if not left:
            SyncRun.objects.filter(pk=original.pk).update(status=Status.UNDONE)
        kept = run.changes.exclude(withheld={}).exists()
        students = applied.filter(entity="student").count()
        Integration.objects.filter(pk=run.integration_id).update(
            schedule_paused=f"Run {original.pk} was undone by run {run.pk}. Scheduled imports wait until a person "
            "resumes them."
        )
        run.counts = {"received": students, "updated": students}
        lease.checked(
            run.pk,
            fence,
            status=Status.COMPLETE_WITH_ISSUES if kept else Status.COMPLETE,
            counts=run.counts,
            finished=timezone.now(),
        )


def _wanted(original: SyncRun, scope: Collection[str]) -> Any:
    rows = original.changes.filter(status=Change.Status.APPLIED)
    if not scope:
        return rows
    students = rows.filter(entity="student", external_id__in=list(scope))
    links = StudentContact.objects.filter(student__in=students.values("target"))
    return students | rows.filter(entity="contact", target__in=links.values("contact"))


def _invert(
    original: SyncRun, changes: list[Change], *, entity: str, scope: Collection[str], today: dt.date
) -> list[PlannedChange]:
    targets = [change.target for change in changes if change.target]
    later = _later_paths(changes, entity)
    edits = _later_edits(changes, entity)
    held = hub.load(original.integration_id, targets) if entity == "student" else {}
    contacts = hub.lock_contacts(targets) if entity == "contact" else {}
    shared = _shared_contacts(original, targets, scope) if entity == "contact" else set()
    planned = []
    for change in changes:
        target = change.target or 0
        if target not in (held if entity == "student" else contacts) or target in shared:
            continue
        touched = later.get(target, set()) | edits.get(target, set())
        if change.kind == Change.Kind.CREATE:
            planned.append(_uncreate(change, held.get(target), bool(touched), today))
            continue
        fields: dict[str, list[Any]] = {}
        kept: dict[str, list[Any]] = {}
        for path, (before, after) in change.fields.items():
            if path in change.withheld:
                continue
            if _overlaps(path, touched):
                kept[path] = [None, before, "later"]
            else:
                fields[path] = [after, before]
        planned.append(
            PlannedChange(
                entity=entity, external_id=change.external_id, kind="update", fields=fields, withheld=kept,
                target=target, schools=change.schools,
            )
        )  # fmt: skip
    return [change for change in planned if change is not None]


def _uncreate(change: Change, held: hub.Held | None, touched: bool, today: dt.date) -> PlannedChange | None:
    """Delete what the run created, or, when something later refers to it, only end the enrollments."""
    if not touched:
        return PlannedChange(
            entity=change.entity, external_id=change.external_id, kind="delete", fields={}, target=change.target,
            schools=change.schools,
        )  # fmt: skip
    if held is None:
        return None
    endings = {stay.school: (today, UNDONE_REASON) for stay in held.stays if stay.left is None}
    fields, _ = end_stays(held.stays, endings)
    return PlannedChange(
        entity="student", external_id=change.external_id, kind="update", fields=fields,
        withheld={"student": [None, None, "later"]}, target=change.target, schools=change.schools,
    )  # fmt: skip


def _later_paths(changes: Iterable[Change], entity: str) -> dict[int, set[str]]:
    """Target → the paths that later applied changes wrote."""
    first = {change.target: change.pk for change in changes}
    found: dict[int, set[str]] = defaultdict(set)
    rows = Change.objects.filter(
        entity=entity, target__in=list(first), pk__gt=min(first.values()), status=Change.Status.APPLIED
    ).exclude(run__kind=SyncRun.Kind.UNDO)
    for pk, target, fields, withheld in rows.values_list("pk", "target", "fields", "withheld"):
        if pk > first[target]:
            found[target] |= {path for path in fields if path not in withheld} or {""}
    return found


def _later_edits(changes: Iterable[Change], entity: str) -> dict[int, set[str]]:
    """Target → the fields that a person changed after the run had written them."""
    by_target = {change.target: change for change in changes}
    model, names = (Student, STUDENT_FIELDS) if entity == "student" else (Contact, CONTACT_FIELDS)
    applied = [change.applied_at for change in by_target.values() if change.applied_at]
    found: dict[int, set[str]] = defaultdict(set)
    if not applied:
        return found
    rows = model.history.filter(id__in=list(by_target), history_date__gt=min(applied))
    for row in rows:
        change = by_target[row.id]
        if change.applied_at is None or row.history_date <= change.applied_at:
            continue
        if change.kind == Change.Kind.CREATE:
            found[row.id].add("")
        for name in names:
            pair = change.fields.get(name)
            if pair is not None and plain(getattr(row, name), name) != pair[1]:
                found[row.id].add(name)
    return found


def _shared_contacts(original: SyncRun, targets: list[int], scope: Collection[str]) -> set[int]:
    """Contacts that also serve students who are not to be undone."""
    if not scope:
        return set()
    mine = original.changes.filter(entity="student", external_id__in=list(scope)).values("target")
    links = StudentContact.objects.filter(contact__in=targets).exclude(student__in=mine)
    return set(links.values_list("contact_id", flat=True))


def _overlaps(path: str, touched: set[str]) -> bool:
    return any(
        path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")
        for other in touched
        if other
    )
