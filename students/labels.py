"""Fields and their values as a registrar reads them, never as they are stored."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.db import models
from django.utils.formats import date_format
from django.utils.text import capfirst

from students.codes import ALLERGIES, RACES
from students.models import Contact, Enrollment, Student, StudentContact
from students.records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_PATHS

NOTHING = "(blank)"
ENROLLMENT_FIELDS = ("grade_level", "entered", "left", "exit_reason", "primary")
WHOLE_LISTS = {"contacts": "Contacts, all of them", "enrollments": "Enrollments, all of them"}


def field_label(entity: str, name: str) -> str:
    """The label of a field. entity: student, contact (the person or the link) or enrollment."""
    if entity == "student" and name in WHOLE_LISTS:
        return WHOLE_LISTS[name]
    if name == "allergies":
        return "Allergies"
    return str(capfirst(_field(entity, name).verbose_name))


def value_label(entity: str, name: str, value: Any) -> str:
    """A stored value, as JSON or Python holds it, in words; "(blank)" for none."""
    if value is None or value == "" or value == []:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "races":
        return ", ".join(RACES.get(code, code) for code in value)
    if name == "allergies":
        return ", ".join(allergy_label(*pair) for pair in value)
    if name == "exit_reason":
        return exit_label(value)
    if name.endswith("_phone"):
        return phone_label(value)
    field = _field(entity, name)
    if isinstance(field, models.DateField):
        day = value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
        return date_format(day, "M j, Y")
    return str(dict(field.flatchoices).get(value, value))


def phone_label(stored: str) -> str:
    """A phone number as people write it, (559) 555-0142; one that is not North American as it is stored."""
    found = re.fullmatch(r"\s*(?:\+?1[\s.-]?)?\(?(\d{3})\)?[\s.-]?(\d{3})[\s.-]?(\d{4})\s*", stored)
    return f"({found[1]}) {found[2]}-{found[3]}" if found else stored


def allergy_label(allergy: str, note: str) -> str:
    """One allergy in our word and the source's; the source's alone where it stands for none of ours."""
    ours = ALLERGIES.get(allergy, allergy)
    if not ours or not note or note.casefold() == ours.casefold():
        return ours or f"“{note}”"
    return f"{ours} (“{note}”)"


def exit_label(stored: str) -> str:
    """Why a stay ended: a text as it is, a code of the SIS called what it is."""
    code = re.fullmatch(r"[A-Z0-9*#._-]{1,8}", stored)
    return f"exit code {stored} of the SIS" if code else stored


def lockable_fields() -> list[tuple[str, str]]:
    """(name, label) of everything of one student that can be locked."""
    names = [*STUDENT_PATHS, "family", *WHOLE_LISTS]
    return [(name, field_label("student", name)) for name in names]


def ownable_fields() -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (``entity.field``, label) of everything a system can own."""
    groups = (
        ("student", "Student", (*STUDENT_PATHS, "family")),
        ("contact", "Contact", (*CONTACT_FIELDS, *LINK_FIELDS)),
        ("enrollment", "Enrollment", ENROLLMENT_FIELDS),
    )
    return [
        (title, [(f"{entity}.{name}", field_label(entity, name)) for name in names]) for entity, title, names in groups
    ]


def _field(entity: str, name: str) -> models.Field[Any, Any]:
    model: type[models.Model] = {"student": Student, "contact": Contact, "enrollment": Enrollment}[entity]
    if entity == "contact" and name in LINK_FIELDS:
        model = StudentContact
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field
