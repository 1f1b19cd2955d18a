"""What a record said of a child, kept with an issue for the person who has to say whose record it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from integrations.models import Change

from .block import Entry, unpack

TOLD = (
    "first_name", "middle_name", "last_name", "suffix", "birth_date", "gender", "state_id", "local_id",
    "home_phone", "residence_line1", "residence_city",
)  # fmt: skip
"""The fields two children are told apart by."""


def facts_of(*entries: Entry, others: list[str] | None = None) -> dict[str, Any]:
    """``{"records": [...], "others": [...]}``: what each entry says, and the ids of records it looks like."""
    return {"records": [_record(entry) for entry in entries], "others": others or []}


def earlier_entries(run_id: int, external_ids: list[str]) -> dict[str, Entry]:
    """External id → the entry of a page the run has stored before, for students who are planned as new."""
    rows = Change.objects.filter(run=run_id, entity="student", external_id__in=external_ids).exclude(page=None)
    found: dict[str, Entry] = {}
    for change in rows.select_related("page"):
        if change.page is not None:
            entries = unpack(change.page.block)
            found.update((e.external_id, e) for e in entries if e.external_id == change.external_id)
    return found


def _record(entry: Entry) -> dict[str, Any]:
    """The stated fields by name, dates in ISO form; ``school``: our code; ``grade_level``: ours."""
    told: dict[str, Any] = {"school": entry.ours, "grade_level": entry.record.enrollment.grade_level}
    for name in TOLD:
        value = getattr(entry.record, name)
        if isinstance(value, dt.date):
            told[name] = value.isoformat()
        elif isinstance(value, str) and value:
            told[name] = value
    return told
