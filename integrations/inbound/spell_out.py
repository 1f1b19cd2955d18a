"""The values of planned new students and contacts, which stand in the pages until they are applied."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from integrations.models import Change, SyncRun
from students.differ import Policy, diff_contact

from .block import Entry
from .plan_page import one_student
from .rules import build_rules
from .settle import entries_of
from .told import earlier_entries


def spell_out(run: SyncRun, changes: Sequence[Change]) -> None:
    """Give the planned creates among a run's changes their fields, to be shown; nothing is stored.

    Raises ConfigurationError when the integration's settings no longer hold what the run needs.
    """
    new = [c for c in changes if c.kind == Change.Kind.CREATE and not c.fields and c.status == Change.Status.PLANNED]
    if not new:
        return
    entries = _entries(run, changes)
    rules = build_rules(run.integration, today=timezone.localdate(run.started))
    contacts = {c.external_id: c for entry in entries.values() for c in entry.record.contacts or ()}
    for change in new:
        if change.entity == "contact" and change.external_id in contacts:
            change.fields = diff_contact({}, contacts[change.external_id], policy=Policy())[0]
        elif change.entity == "student" and change.external_id in entries:
            plan = one_student(None, [entries[change.external_id]], rules=rules)
            change.fields = plan.fields if plan else {}


def _entries(run: SyncRun, changes: Sequence[Change]) -> dict[str, Entry]:
    """External id of a student → one entry of the pages that speak of the student."""
    ids = [c.external_id for c in changes if c.entity == "student"]
    several = entries_of([c for c in changes if c.page_ids])
    return earlier_entries(run.pk, ids) | {e: spoken[0] for e, spoken in several.items() if spoken}
