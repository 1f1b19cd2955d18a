"""The roster: every student with enrollments, family, contacts and allergies, as plain values.

The same data give the same rows in the same order on every database: no primary keys, no times of
writing, texts compared character by character.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

from django.db import connection
from django.db.models import F, Prefetch
from django.db.models.functions import Collate

from students.models import Enrollment, Student, StudentAllergy, StudentContact

CHUNK = 500
TEXTS = (
    "local_id", "state_id", "first_name", "middle_name", "last_name", "birth_date", "gender", "ethnicity",
)  # fmt: skip
MORE_TEXTS = (
    "grade_level", "home_language", "home_phone", "residence_line1", "residence_line2", "residence_city",
    "residence_state", "residence_postal_code", "pin",
)  # fmt: skip
CONTACT = ("home_phone", "mobile_phone", "work_phone", "email")
ORDER = ("local_id", "state_id", "birth_date", "last_name", "first_name")
COLUMNS = (*TEXTS, "races", *MORE_TEXTS, "family", "status", "enrollments", "contacts", "allergies")
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, Any]


def roster(*, former: bool = False) -> Iterator[Row]:
    """The students as dicts, ordered by local id, state id, birth date, last name, first name.

    Current students; with former also those who left. What is missing or blank is None; dates are ISO
    texts; races keep the family's order; enrollments (ended ones too, told by ``left``), contacts and allergies
    are ordered by their own values from the first on; family is the lowest local id, compared as text, among
    the family's current members. Statements grow with chunks of students, memory does not grow.
    """
    for _, same in groupby(_in_order(former=former), key=lambda row: [row[key] for key in ORDER]):
        alike = list(same)
        yield from sorted(alike, key=json.dumps) if len(alike) > 1 else alike


def as_cells(row: Row) -> dict[str, str]:
    """A row for a table: one text a column, None as "", safe to open in a spreadsheet.

    Races are joined by ``;``. Enrollments, contacts and allergies are ``key=value`` pairs joined by ``;``, items joined
    by `` | ``, missing values left out, true and false as yes and no. A text that a spreadsheet would take
    for a formula gets an apostrophe before it.
    """
    return {key: _harmless(_cell(value)) for key, value in row.items()}


def _in_order(*, former: bool) -> Iterator[Row]:
    students = Student.objects.all() if former else Student.objects.filter(status=Student.Status.CURRENT)
    order = [_by_birth_date() if key == "birth_date" else _character_by_character(key) for key in ORDER]
    keys = students.order_by(*order, "pk").values_list("pk", flat=True).iterator(chunk_size=10 * CHUNK)
    while chunk := list(islice(keys, CHUNK)):
        yield from _rows(chunk)


def _by_birth_date() -> Any:
    return F("birth_date").asc(nulls_first=True)


def _character_by_character(field: str) -> Any:
    """The order of characters, whatever the language of the database."""
    return Collate(field, "C" if connection.vendor == "postgresql" else "BINARY")


def _rows(keys: Sequence[int]) -> Iterator[Row]:
    found = Student.objects.prefetch_related(
        Prefetch("enrollments", Enrollment.objects.select_related("school", "academic_year").order_by()),
        Prefetch("contact_links", StudentContact.objects.select_related("contact").order_by()),
        Prefetch("allergies", StudentAllergy.objects.order_by()),
    ).in_bulk(keys)
    students = [found[key] for key in keys if key in found]
    families = _families({student.family_id for student in students if student.family_id is not None})
    for student in students:
        yield _row(student, families.get(student.family_id or 0))


def _families(keys: set[int]) -> dict[int, str]:
    """Family → the lowest local id among its current members."""
    members = Student.objects.filter(family__in=keys, status=Student.Status.CURRENT).exclude(local_id="")
    lowest: dict[int, str] = {}
    for family, local_id in members.order_by().values_list("family_id", "local_id"):
        assert family is not None
        lowest[family] = min(local_id, lowest.get(family, local_id))
    return lowest


def _row(student: Student, family: str | None) -> Row:
    return {
        **{key: _value(getattr(student, key)) for key in TEXTS},
        "races": list(student.races),
        **{key: _value(getattr(student, key)) for key in MORE_TEXTS},
        "family": family,
        "status": student.status,
        "enrollments": _sorted(_enrollment(one) for one in student.enrollments.all()),
        "contacts": _sorted(_contact(one) for one in student.contact_links.all()),
        "allergies": _sorted(_allergy(one) for one in student.allergies.all()),
    }


def _enrollment(one: Enrollment) -> Row:
    return {
        "school": one.school.code,
        "academic_year": one.academic_year.name,
        "grade_level": _value(one.grade_level),
        "entered": _value(one.entered),
        "left": _value(one.left),
        "primary": one.primary,
    }


def _allergy(one: StudentAllergy) -> Row:
    return {"allergy": _value(one.allergy), "note": _value(one.note)}


def _contact(link: StudentContact) -> Row:
    return {
        "first_name": _value(link.contact.first_name),
        "last_name": _value(link.contact.last_name),
        "relationship": _value(link.relationship),
        "order": link.order,
        **{key: _value(getattr(link.contact, key)) for key in CONTACT},
    }


def _sorted(rows: Iterator[Row]) -> list[Row]:
    """Ordered by their values from the first key on, missing ones first."""
    return sorted(rows, key=lambda row: [(value is not None, value or 0) for value in row.values()])


def _value(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if value != "" else None


def _cell(value: Any) -> str:
    if isinstance(value, list):
        items = [one if isinstance(one, str) else _pairs(one) for one in value]
        return (" | " if any(isinstance(one, dict) for one in value) else ";").join(items)
    return "" if value is None else str(value)


def _pairs(row: Row) -> str:
    told = {key: {True: "yes", False: "no"}[one] if isinstance(one, bool) else one for key, one in row.items()}
    return ";".join(f"{key}={one}" for key, one in told.items() if one is not None)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
