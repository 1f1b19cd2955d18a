"""The difference between what we hold and what a source says, through ownership and locks.

Pure: values in, ``{path: [before, after]}`` out. ``apply_fields`` is the inverse view used to check the
law apply(diff(a, b), a) = b.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from .records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_PATHS, ContactRecord, StudentRecord
from .state_ids import bare_state_id

Fields = dict[str, list[Any]]
Withheld = dict[str, list[Any]]
"""``{path: [ours, theirs, why]}`` with why ``owned`` or ``locked``."""

NEVER_BLANK = frozenset({"first_name", "last_name", "local_id"})
LINK_DEFAULTS: dict[str, Any] = {
    "relationship": "", "order": 1, "lives_with": False, "emergency": False, "receives_mail": False,
    "restricted": False,
}  # fmt: skip


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What one integration may write.

    foreign: ``entity.field`` of fields another system owns. clearing: ``entity.field`` of fields that a
    blank of the source clears; any other keeps our value.
    """

    foreign: frozenset[str] = frozenset()
    clearing: frozenset[str] = frozenset()


def diff_student(
    ours: Mapping[str, Any], record: StudentRecord, *, policy: Policy, locked: frozenset[str] = frozenset()
) -> tuple[Fields, Withheld]:
    """What the record changes in the student's own fields and allergies, and what it may not.

    A state ID that only lacks leading zeros of ours is none. ours: field → value as the model holds it, allergies as
    pairs, {} for a new student. locked: names of locked fields.
    """
    return _diff(ours, record, STUDENT_PATHS, entity="student", policy=policy, locked=locked)


def diff_contact(ours: Mapping[str, Any], record: ContactRecord, *, policy: Policy) -> tuple[Fields, Withheld]:
    """What the record changes in the contact's own fields, and what it may not."""
    return _diff(ours, record, CONTACT_FIELDS, entity="contact", policy=policy, locked=frozenset())


def diff_links(
    ours: Mapping[str, Mapping[str, Any]], records: Sequence[ContactRecord], *, policy: Policy
) -> tuple[Fields, Withheld]:
    """What the student's complete list of contacts changes in the links.

    ours: external id of the contact → link fields, of this integration's contacts only. A link that the
    source no longer lists is removed.
    """
    fields: Fields = {}
    withheld: Withheld = {}
    seen: set[str] = set()
    for record in records:
        seen.add(record.external_id)
        theirs = {name: _link_value(name, getattr(record, name)) for name in LINK_FIELDS}
        link = ours.get(record.external_id)
        if link is None:
            fields[f"contacts.{record.external_id}"] = [None, {**LINK_DEFAULTS, **_sent(theirs)}]
            continue
        for name, value in theirs.items():
            if value is UNSET or value == link[name]:
                continue
            if value == "" and f"contact.{name}" not in policy.clearing:
                continue
            path = f"contacts.{record.external_id}.{name}"
            if f"contact.{name}" in policy.foreign:
                withheld[path] = [link[name], value, "owned"]
            else:
                fields[path] = [link[name], value]
    for external_id, link in ours.items():
        if external_id not in seen:
            fields[f"contacts.{external_id}"] = [dict(link), None]
    return fields, withheld


def apply_fields(values: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """The values after the changes of top-level paths; blanks as ""."""
    return {**values, **{path: after for path, (_, after) in fields.items()}}


def _diff(
    ours: Mapping[str, Any],
    record: Any,
    names: Sequence[str],
    *,
    entity: str,
    policy: Policy,
    locked: frozenset[str],
) -> tuple[Fields, Withheld]:
    fields: Fields = {}
    withheld: Withheld = {}
    for name in names:
        sent = getattr(record, name)
        if sent is UNSET:
            continue
        held = ours.get(name)
        if sent == held or (not sent and not held):
            continue
        theirs = plain(sent, name)
        before = plain(held, name)
        if theirs == before:
            continue
        if name == "state_id" and _only_lost_zeros(before, theirs):
            continue
        if _blank(theirs) and (name in NEVER_BLANK or f"{entity}.{name}" not in policy.clearing):
            continue
        if name in locked:
            withheld[name] = [before, theirs, "locked"]
        elif f"{entity}.{name}" in policy.foreign:
            withheld[name] = [before, theirs, "owned"]
        else:
            fields[name] = [before, theirs]
    return fields, withheld


def plain(value: Any, name: str) -> Any:
    """A field's value as JSON holds it: dates as ISO text, races a list, allergies sorted pairs, a blank text ""."""
    if name == "allergies":
        return sorted(list(pair) for pair in value or ())
    if value is None:
        return None if name == "birth_date" else [] if name == "races" else ""
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return value


def _only_lost_zeros(before: str, theirs: str) -> bool:
    """Whether their state ID is ours without some of its leading zeros."""
    return len(theirs) < len(before) and bare_state_id(theirs) == bare_state_id(before)


def _blank(value: Any) -> bool:
    return value is None or value == "" or value == []


def _link_value(name: str, value: Any) -> Any:
    return "" if value is None and name == "relationship" else value


def _sent(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not UNSET}
