"""New students of a plan whom somebody else has added since the plan was made."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from integrations.models import SyncRun
from integrations.models.run import OPEN

from . import hub
from .block import Entry
from .planned import Planned
from .resolve import resolve


def may_have_appeared(run: SyncRun) -> bool:
    """Whether the plan waited for a person, or another integration imported while it was made."""
    if run.kind != SyncRun.Kind.IMPORT:
        return False
    if run.guard.get("reasons"):
        return True
    meanwhile = Q(status__in=OPEN) | Q(finished__gte=run.started)
    others = SyncRun.objects.filter(meanwhile, kind=SyncRun.Kind.IMPORT, dry_run=False)
    return others.exclude(integration=run.integration_id).exists()


def already_here(integration_id: int, changes: Sequence[Planned], entries: Sequence[Entry]) -> dict[str, int]:
    """External id → the student we hold by now, for planned creates of students."""
    wanted = {c.external_id for c in changes if c.entity == "student" and c.creates}
    records = {entry.external_id: entry.record for entry in entries if entry.external_id in wanted}
    known = hub.student_ids(integration_id, records)
    matches = resolve(integration_id, list(records.values()), known=known)
    found = {external_id: match.student or match.other for external_id, match in matches.items()}
    return {external_id: student for external_id, student in found.items() if student}


def contacts_of(external_ids: set[str], entries: Sequence[Entry]) -> set[str]:
    """External ids of the contacts that only these students speak of."""
    theirs: set[str] = set()
    others: set[str] = set()
    for entry in entries:
        if isinstance(entry.record.contacts, tuple):
            spoken = {contact.external_id for contact in entry.record.contacts}
            (theirs if entry.external_id in external_ids else others).update(spoken)
    return theirs - others
