"""What an undo would do to each student, told before anything is done."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from django.db.models import QuerySet
from django.utils import timezone

from integrations.admin.words import Line, lines_of, names_for
from integrations.inbound import undo
from integrations.inbound.plan_page import PlannedChange
from integrations.models import Change, SyncRun

DELETED, ENDED, BACK, ONLY_CONTACTS, STAYS, GONE = "deleted", "ended", "back", "contacts", "stays", "gone"
IN_ALL = (
    (DELETED, "will be deleted: added by this run, and nothing refers to any of them since"),
    (ENDED, "will stay, without a current enrollment: added by this run, but something refers to each of them since"),
    (BACK, "will get back what was there before this run"),
    (ONLY_CONTACTS, "will stay as is: only contacts are taken back"),
    (STAYS, "will stay as is: all that this run wrote was changed later"),
    (GONE, "no longer in our records: there is nothing to take back"),
)
EACH = {
    DELETED: "Deleted: nothing refers to the student since",
    ENDED: "Kept, because something later refers to the student",
    ONLY_CONTACTS: "Only the contacts are taken back",
    STAYS: "Left as it is: everything was changed later",
    GONE: "No longer in our records",
}
BY_KIND = {
    Change.Kind.DROP: "Enrolled again",
    Change.Kind.LEFT: "Enrolled again",
    Change.Kind.ENDED: "Enrolled again",
    Change.Kind.REOPEN: "Not enrolled any more, as before this run",
}
CHUNK = 500


class Effect(msgspec.Struct, frozen=True):
    """What the undo does to one student. lines: each field before → after, and what keeps its later value."""

    change: Change
    what: str
    lines: list[Line]


class Tally(msgspec.Struct, frozen=True):
    """What an undo does in all. later: students of whom something changed later is kept."""

    students: int
    deleted: int
    later: int
    told: list[str]


def tally(run: SyncRun, changes: QuerySet[Change]) -> Tally:
    """How many students of the run's changes would be deleted, given back and so on."""
    counts: Counter[str] = Counter()
    later, last = 0, 0
    today = timezone.localdate()
    while chunk := list(changes.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        last = chunk[-1].pk
        planned = undo.preview(run, chunk, today=today)
        counts.update(_outcome(planned.get(change.external_id)) for change in chunk)
        later += sum(bool(one.withheld.keys() - {"student"}) for one in planned.values())
    told = [
        f"{number:,} student{'' if number == 1 else 's'} {text}" for what, text in IN_ALL if (number := counts[what])
    ]
    return Tally(sum(counts.values()), counts[DELETED], later, told)


def effects(run: SyncRun, changes: list[Change], user: Any) -> list[Effect]:
    """What the undo would do to the student of each change."""
    planned = undo.preview(run, changes, today=timezone.localdate())
    inverse = {external_id: _as_change(run, one) for external_id, one in planned.items()}
    names = names_for(inverse.values(), user)
    told = []
    for change in changes:
        outcome = _outcome(planned.get(change.external_id))
        what = EACH.get(outcome) or BY_KIND.get(Change.Kind(change.kind), "Given back what was there before")
        one = inverse.get(change.external_id)
        if outcome == ENDED and one and one.fields:
            what = f"{what}; the enrollment ends"
        told.append(Effect(change, what, lines_of(one, names) if one else []))
    return told


def _outcome(planned: PlannedChange | None) -> str:
    if planned is None:
        return GONE
    if planned.kind == Change.Kind.DELETE:
        return DELETED
    if "student" in planned.withheld:
        return ENDED
    if planned.fields:
        return BACK
    return STAYS if planned.withheld else ONLY_CONTACTS


def _as_change(run: SyncRun, planned: PlannedChange) -> Change:
    withheld = {path: why for path, why in planned.withheld.items() if path != "student"}
    return Change(
        run=run, entity="student", kind=planned.kind, fields=planned.fields, withheld=withheld,
        external_id=planned.external_id,
    )  # fmt: skip
