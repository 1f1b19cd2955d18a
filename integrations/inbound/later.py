"""What happened to rows after a run had written them: later runs, a person's edits, what refers to them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from integrations.models import Change, ExternalIdentity, KeepEnrolled, SyncRun
from students.differ import plain
from students.models import Contact, Enrollment, FieldLock, Student, StudentContact
from students.records import CONTACT_FIELDS, STUDENT_FIELDS

WHOLE = ""
"""The path that stands for the whole row."""


class _Write(msgspec.Struct, frozen=True):
    """One change that was applied later. counts: whether it still stands."""

    at: dt.datetime
    values: dict[str, Any]
    counts: bool


def later_paths(changes: Sequence[Change], *, entity: str, integration_id: int) -> dict[int, set[str]]:
    """Target → the paths written after the change of that target was applied, by a run or a person.

    By the ledger and the history, not by value. WHOLE stands for what cannot be told field by field: a later
    change without fields, or anything at all that later refers to a student the change created.
    """
    by_target = {change.target: change for change in changes if change.target and change.applied_at}
    if not by_target:
        return {}
    writes = _later_writes(by_target, entity)
    found: dict[int, set[str]] = defaultdict(set)
    for target, ones in writes.items():
        for one in ones:
            if one.counts:
                found[target] |= one.values.keys() or {WHOLE}
    _add_edits(found, by_target, writes, entity)
    created = {t for t, change in by_target.items() if change.kind == Change.Kind.CREATE}
    if entity == "student" and created:
        for student in _referred(created, by_target, integration_id):
            found[student].add(WHOLE)
    return found


def _later_writes(by_target: dict[int, Change], entity: str) -> dict[int, list[_Write]]:
    since = min(change.applied_at for change in by_target.values() if change.applied_at)
    rows = Change.objects.filter(
        entity=entity,
        target__in=list(by_target),
        applied_at__gt=since,
        status__in=[Change.Status.APPLIED, Change.Status.UNDONE],
    )
    found: dict[int, list[_Write]] = defaultdict(list)
    columns = ("target", "applied_at", "fields", "withheld", "status", "run__kind")
    for target, at, fields, withheld, status, kind in rows.order_by("applied_at").values_list(*columns):
        if at > by_target[target].applied_at:
            values = {path: after for path, (_, after) in fields.items() if path not in withheld}
            counts = status == Change.Status.APPLIED and kind != SyncRun.Kind.UNDO
            found[target].append(_Write(at, values, counts))
    return found


def _add_edits(
    found: dict[int, set[str]], by_target: dict[int, Change], writes: dict[int, list[_Write]], entity: str
) -> None:
    """Add the fields whose value in a later history row no run explains: only people leave history."""
    model, names = (Student, STUDENT_FIELDS) if entity == "student" else (Contact, CONTACT_FIELDS)
    since = min(change.applied_at for change in by_target.values() if change.applied_at)
    for row in model.history.filter(id__in=list(by_target), history_date__gt=since):
        change = by_target[row.id]
        if change.applied_at is None or row.history_date <= change.applied_at:
            continue
        if change.kind == Change.Kind.CREATE:
            found[row.id].add(WHOLE)
        expected = {path: after for path, (_, after) in change.fields.items()}
        for one in writes.get(row.id, ()):
            if one.at <= row.history_date:
                expected |= one.values
        found[row.id] |= {
            name for name in names if name in expected and plain(getattr(row, name), name) != expected[name]
        }


def _referred(created: Collection[int], by_target: dict[int, Change], integration_id: int) -> set[int]:
    """Those of the created students to whom a person or another integration has since added something."""
    dated: list[tuple[int, dt.datetime]] = []
    for model in (FieldLock, KeepEnrolled):
        dated += model.objects.filter(student__in=created).values_list("student_id", "created")
    dated += Enrollment.history.filter(student__in=created).values_list("student_id", "history_date")
    found = {student for student, at in dated if (since := by_target[student].applied_at) is not None and at > since}
    others = ExternalIdentity.objects.filter(student__in=created).exclude(integration=integration_id)
    found.update(pk for pk in others.values_list("student_id", flat=True) if pk)
    mine = ExternalIdentity.objects.filter(integration=integration_id, entity="contact").values("contact")
    links = StudentContact.objects.filter(student__in=created).exclude(contact__in=mine)
    return found | set(links.values_list("student_id", flat=True))
