"""Keep texts that do not fit our fields out of a record, saying which."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import models
from msgspec import UNSET

from mapping.translate import full_name
from students.models import Contact, Student
from students.records import CONTACT_FIELDS, STUDENT_FIELDS, StudentRecord

from . import issues


def _limits(model: type[models.Model], names: tuple[str, ...]) -> dict[str, int]:
    found = {name: model._meta.get_field(name).max_length for name in names}  # type: ignore[union-attr]
    return {name: limit for name, limit in found.items() if limit}


_STUDENT = _limits(Student, STUDENT_FIELDS)
_CONTACT = _limits(Contact, CONTACT_FIELDS)


def check_text(record: StudentRecord, *, school: str) -> tuple[StudentRecord, list[issues.Found]]:
    """The record with every text that is too long or no text left out, and an issue for each."""
    bad = _bad(record, _STUDENT)
    found = [_issue(record.external_id, school, name, limit) for name, limit in bad.items()]
    changes: dict[str, Any] = dict.fromkeys(bad, UNSET)
    if record.contacts is not UNSET:
        contacts = list(record.contacts)
        for i, contact in enumerate(contacts):
            wrong = _bad(contact, _CONTACT)
            if wrong:
                contacts[i] = msgspec.structs.replace(contact, **dict.fromkeys(wrong, UNSET))
                whom = full_name(contact)
                found += [_issue(record.external_id, school, name, limit, whom) for name, limit in wrong.items()]
                changes["contacts"] = tuple(contacts)
    return (msgspec.structs.replace(record, **changes) if changes else record), found


def _bad(record: Any, limits: dict[str, int]) -> dict[str, int | None]:
    bad: dict[str, int | None] = {}
    for name, limit in limits.items():
        value = getattr(record, name)
        if isinstance(value, str):
            if len(value) > limit:
                bad[name] = limit
            elif "\x00" in value:
                bad[name] = None
    return bad


def _issue(external_id: str, school: str, field: str, limit: int | None, whom: str | None = None) -> issues.Found:
    return issues.unusable_text(external_id, school, field=field, limit=limit, whom=whom)
