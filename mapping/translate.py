"""Replace a system's codes by our values, one record at a time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from students.codes import NOT_STATED
from students.records import Allergy, ContactRecord, StudentRecord

STUDENT_CODES = (
    ("gender", "gender"),
    ("ethnicity", "ethnicity"),
    ("home_language", "language"),
    ("correspondence_language", "language"),
    ("residence_state", "state"),
    ("mailing_state", "state"),
)
"""Field of a student → the entity whose mapping translates it."""


LONGEST_NOTE = 2500
"""Bytes of one note of an allergy that an index of the database can hold for certain."""


class Unmapped(msgspec.Struct, frozen=True):
    """A code without a mapping. fatal: the student cannot be imported without it. whom: the contact's name."""

    entity: str
    code: str
    field: str
    fatal: bool = False
    whom: str = ""


class Table:
    """The codes of one data entity mapping, looked up as the system sends them.

    A code matches exactly after its outer blanks are cut; failing that, without regard to case, when only
    one code of the table does.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._exact = {key.strip(): value for key, value in values.items()}
        folded: dict[str, set[str]] = {}
        for key, value in self._exact.items():
            folded.setdefault(key.casefold(), set()).add(value)
        self._folded = {key: next(iter(found)) for key, found in folded.items() if len(found) == 1}

    def get(self, code: str) -> str | None:
        """Our value for a code, None when the table does not know it."""
        found = self._exact.get(code)
        if found is not None:
            return found
        text = code.strip()
        found = self._exact.get(text)
        return self._folded.get(text.casefold()) if found is None else found


def translate(
    record: StudentRecord, tables: Mapping[str, Table], *, school: str
) -> tuple[StudentRecord, list[Unmapped]]:
    """The record in our values, with the codes no mapping knows.

    tables: entity → Table; a field whose entity has no table is left out. A field with an unknown code
    becomes UNSET; an unknown allergy stays in the source's words beside those that are known. school: our code of
    the record's school. An unknown grade of a current enrollment is fatal.
    """
    unmapped: list[Unmapped] = []
    changes: dict[str, Any] = {}
    for field, entity in STUDENT_CODES:
        changes[field] = _one(getattr(record, field), entity, field, tables, unmapped)
    if record.races is not UNSET:
        changes["races"] = _many(record.races, "race", "races", tables, unmapped)
    if record.allergies is not UNSET:
        changes["allergies"] = _allergies(record.allergies, tables.get("allergy"), unmapped)
    if record.contacts is not UNSET:
        changes["contacts"] = tuple(_contact(c, tables, unmapped) for c in record.contacts)
    stay = record.enrollment
    grade = _one(stay.grade_level, "grade_level", "grade_level", tables, [])
    if not isinstance(grade, str):
        grade = ""
        if stay.status == "current":
            unmapped.append(Unmapped("grade_level", stay.grade_level, "grade_level", fatal=True))
    changes["enrollment"] = msgspec.structs.replace(stay, school=school, grade_level=grade)
    return msgspec.structs.replace(record, **changes), unmapped


def _one(value: Any, entity: str, field: str, tables: Mapping[str, Table], unmapped: list[Unmapped]) -> Any:
    if value is UNSET:
        return UNSET
    table = tables.get(entity)
    if table is None:
        return UNSET
    found = table.get(value or "")
    if found is not None:
        return None if found == NOT_STATED else found
    if not (value or "").strip():
        return None
    unmapped.append(Unmapped(entity, value, field))
    return UNSET


def _many(
    values: tuple[str, ...], entity: str, field: str, tables: Mapping[str, Table], unmapped: list[Unmapped]
) -> Any:
    if entity not in tables:
        return UNSET
    found: list[str] = []
    complete = True
    for value in values:
        ours = _one(value, entity, field, tables, unmapped)
        if ours is UNSET:
            complete = False
        elif ours and ours not in found:
            found.append(ours)
    return tuple(found) if complete else UNSET


def _allergies(values: Sequence[str | Allergy], table: Table | None, unmapped: list[Unmapped]) -> tuple[Allergy, ...]:
    """Every allergy with the source's words in full, sorted; left out is only what a person mapped to nothing."""
    found: set[Allergy] = set()
    for value in values:
        words = (value if isinstance(value, str) else value[1]).replace("\x00", " ").strip()
        ours = table.get(words) if table is not None else None
        if not words or ours == NOT_STATED:
            continue
        if ours is None and table is not None:
            unmapped.append(Unmapped("allergy", words, "allergies"))
        found |= {(ours or "", note) for note in _notes(words)}
    return tuple(sorted(found))


def _notes(words: str) -> list[str]:
    """The words as one note, or as several where one would be too long; no word is lost."""
    if len(words.encode()) <= LONGEST_NOTE:
        return [words]
    return textwrap.wrap(words, LONGEST_NOTE // 4, break_on_hyphens=False)


def full_name(contact: ContactRecord) -> str:
    """First and last name, as far as the system sent them."""
    return " ".join(part for part in (contact.first_name, contact.last_name) if isinstance(part, str))


def _contact(contact: ContactRecord, tables: Mapping[str, Table], unmapped: list[Unmapped]) -> ContactRecord:
    found: list[Unmapped] = []
    translated = msgspec.structs.replace(
        contact,
        relationship=_one(contact.relationship, "relationship", "contacts.relationship", tables, found),
        state=_one(contact.state, "state", "contacts.state", tables, found),
    )
    unmapped += [msgspec.structs.replace(one, whom=full_name(contact)) for one in found]
    return translated
