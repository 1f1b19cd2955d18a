"""Take a run back, field by field; what was edited or synced later is kept and listed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.models import Change, ExternalIdentity, Integration, SyncRun
from integrations.models.run import Status
from integrations.runs import lease
from students.models import StudentContact
from students.student_plan import end_stays

from . import hub, store
from .later import later_paths
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
        for entity, invert in (("student", _invert_students), ("contact", _invert_contacts)):
            rows = wanted.filter(entity=entity).order_by("pk")
            last = 0
            while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
                last = chunk[-1].pk
                store.insert_changes(run.pk, invert(run, chunk, today), page_id=None)
        lease.checked(run.pk, fence)


def preview(run: SyncRun, changes: list[Change], *, today: dt.date) -> dict[str, PlannedChange]:
    """External id → what undoing these student changes of an applied run would do; nothing for who is gone."""
    return {planned.external_id: planned for planned in _invert_students(run, changes, today)}


def finish_undo(run: SyncRun, *, fence: int) -> None:
    """Mark what was taken back, pause the schedule, and end the undo.

    The run that was undone is undone once all of it was asked for, or nothing of it is left. An integration
    that knows nobody any more starts as on its first day.
    """
    original = run.undoes
    assert original is not None
    applied = run.changes.filter(status=Change.Status.APPLIED)
    with transaction.atomic():
        for entity in ("student", "contact"):
            done = applied.filter(entity=entity).values("external_id")
            original.changes.filter(entity=entity, external_id__in=done).update(status=Change.Status.UNDONE)
        left = original.changes.filter(entity="student", status=Change.Status.APPLIED).exists()
        if not left or not run.scope_students:
            SyncRun.objects.filter(pk=original.pk).update(status=Status.UNDONE)
        kept = run.changes.exclude(withheld={}).exists()
        students = applied.filter(entity="student").count()
        part = f" for {students} student{'' if students == 1 else 's'}" if run.scope_students else ""
        if not ExternalIdentity.objects.filter(integration=run.integration_id, entity="student").exists():
            Integration.objects.filter(pk=run.integration_id).update(completed_schools=[])
        Integration.objects.filter(pk=run.integration_id).update(
            schedule_paused=f"Run {original.pk} was undone{part} by run {run.pk}. "
            "No import starts by itself until a person resumes it; the refresh icon still works."
        )
        run.counts = {"received": students, "updated": students}
        lease.checked(
            run.pk,
            fence,
            status=Status.COMPLETE_WITH_ISSUES if kept else Status.COMPLETE,
            counts=run.counts,
            finished=timezone.now(),
        )


def _wanted(original: SyncRun, scope: Collection[str]) -> QuerySet[Change]:
    rows = original.changes.filter(status=Change.Status.APPLIED)
    if not scope:
        return rows
    students = rows.filter(entity="student", external_id__in=list(scope))
    links = StudentContact.objects.filter(student__in=students.values("target"))
    return students | rows.filter(entity="contact", target__in=links.values("contact"))


def _invert_students(run: SyncRun, changes: list[Change], today: dt.date) -> list[PlannedChange]:
    held = hub.load(run.integration_id, [change.target for change in changes if change.target])
    later = later_paths(changes, entity="student", integration_id=run.integration_id)
    planned = []
    for change in changes:
        target = change.target or 0
        if target not in held:
            continue
        touched = later.get(target, set())
        if change.kind != Change.Kind.CREATE:
            planned.append(_inverse(change, touched))
        elif not touched:
            planned.append(_planned(change, kind="delete"))
        else:
            endings = {stay.school: (today, UNDONE_REASON) for stay in held[target].stays if stay.left is None}
            fields, _ = end_stays(held[target].stays, endings)
            planned.append(_planned(change, fields=fields, withheld={"student": [None, None, "later"]}))
    return planned


def _invert_contacts(run: SyncRun, changes: list[Change], today: dt.date) -> list[PlannedChange]:
    targets = [change.target for change in changes if change.target]
    here = hub.lock_contacts(targets)
    later = later_paths(changes, entity="contact", integration_id=run.integration_id)
    shared = _shared(run, targets)
    needed = _still_linked(run, changes)
    planned = []
    for change in changes:
        target = change.target or 0
        if target not in here:
            continue
        touched = later.get(target, set())
        if change.kind == Change.Kind.CREATE:
            if touched or target in needed:
                why = "later" if touched else "shared"
                planned.append(_planned(change, withheld={"contact": [None, None, why]}))
            else:
                planned.append(_planned(change, kind="delete"))
        elif target in shared:
            planned.append(_inverse(change, {*change.fields}, why="shared"))
        else:
            planned.append(_inverse(change, touched))
    return planned


def _inverse(change: Change, touched: set[str], *, why: str = "later") -> PlannedChange:
    """The change the other way round; what was touched since is listed and kept."""
    fields: dict[str, list[Any]] = {}
    kept: dict[str, list[Any]] = {}
    for path, (before, after) in change.fields.items():
        if path in change.withheld:
            continue
        if _overlaps(path, touched):
            kept[path] = [None, before, why]
        else:
            fields[path] = [after, before]
    return _planned(change, fields=fields, withheld=kept)


def _planned(
    change: Change,
    *,
    kind: str = "update",
    fields: dict[str, list[Any]] | None = None,
    withheld: dict[str, list[Any]] | None = None,
) -> PlannedChange:
    return PlannedChange(
        entity=change.entity, external_id=change.external_id, kind=kind, fields=fields or {},
        withheld=withheld or {}, target=change.target, schools=change.schools,
    )  # fmt: skip


def _shared(run: SyncRun, targets: list[int]) -> set[int]:
    """Contacts that also serve students who are not to be undone and have not been."""
    if not run.scope_students:
        return set()
    assert run.undoes is not None
    going = Q(external_id__in=run.scope_students) | Q(status=Change.Status.UNDONE)
    mine = run.undoes.changes.filter(going, entity="student").values("target")
    links = StudentContact.objects.filter(contact__in=targets).exclude(student__in=mine)
    return set(links.values_list("contact_id", flat=True))


def _still_linked(run: SyncRun, changes: list[Change]) -> set[int]:
    """Created contacts that serve a student even after this undo, which has planned its students already."""
    created = {c.target: c.external_id for c in changes if c.kind == Change.Kind.CREATE and c.target}
    links = list(StudentContact.objects.filter(contact__in=list(created)).values_list("contact_id", "student_id"))
    rows = run.changes.filter(entity="student", target__in={student for _, student in links})
    plans = {target: (kind, fields) for target, kind, fields in rows.values_list("target", "kind", "fields")}
    needed = set()
    for contact, student in links:
        kind, fields = plans.get(student, ("", {}))
        unlinked = fields.get(f"contacts.{created[contact]}", [None, True])[1] is None
        if kind != Change.Kind.DELETE and not unlinked:
            needed.add(contact)
    return needed


def _overlaps(path: str, touched: set[str]) -> bool:
    return any(
        path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in touched if other
    )
