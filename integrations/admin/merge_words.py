"""What a merge does, in a registrar's words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from integrations.models import Integration
from students.labels import NOTHING, WHOLE_LISTS, field_label, value_label
from students.merging import Conflict
from students.models import AcademicYear, Contact, Family, School, Student, StudentMerge
from students.models.students import family_title
from students.scope import visible_students

COUNTED = {
    "students.FieldLock": ("field lock", "field locks"),
    "students.StudentAllergy": ("allergy", "allergies"),
    "students.StudentPhoto": ("photo", "photos"),
    "integrations.KeepEnrolled": ("kept enrollment", "kept enrollments"),
    "integrations.MatchDecision": ("decided match", "decided matches"),
    "students.StudentMerge": ("earlier merge", "earlier merges"),
}
"""Model → one of it, many of it: what is told by number."""


class Side(msgspec.Struct, frozen=True):
    """One differing field as the page shows it: both values in words, and whose is chosen."""

    field: str
    label: str
    survivor: str
    duplicate: str
    chosen: str


def sides_of(differing: list[Conflict], user: Any) -> list[Side]:
    """The differing fields in words."""
    return [
        Side(
            one.field, field_label("student", one.field), _value(one.field, one.survivor, user),
            _value(one.field, one.duplicate, user), one.chosen,
        )
        for one in differing
    ]  # fmt: skip


def told(merge: StudentMerge) -> list[str]:
    """What moves, what is there on both, and what is locked; one sentence each."""
    rows = merge.snapshot["rows"]
    counts = Counter((row["model"], row["moved"] is not None) for row in rows)
    sentences = [*_ids(rows), *_enrollments(rows), *_contacts(rows)]
    for model, words in COUNTED.items():
        if number := counts[model, True]:
            sentences.append(f"{number} {words[number != 1]} {'moves' if number == 1 else 'move'}.")
        if number := counts[model, False]:
            verb = "is" if number == 1 else "are"
            sentences.append(f"{number} {words[number != 1]} {verb} not needed: {_has(model)}.")
    if fields := merge.snapshot.get("locked", []):
        named = ", ".join(_label(name) for name in fields)
        sentences.append(f"Locked, so that no import writes the other value back: {named}.")
    return sentences


def _has(model: str) -> str:
    return "the student who stays has one" if model == "students.StudentPhoto" else "the student who stays has the same"


def _label(name: str) -> str:
    return field_label("student", name) if name not in ("allergies", *WHOLE_LISTS) else name.capitalize()


def _value(field: str, value: Any, user: Any) -> str:
    if field != "family":
        return value_label("student", field, value)
    if value is None:
        return NOTHING
    members = list(visible_students(Student.objects.filter(family=value), user))
    return family_title(members) or str(Family(pk=value))


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    names = dict(Integration.objects.values_list("pk", "name"))
    sentences = []
    for row in rows:
        values, moved = row["values"], row["moved"]
        if row["model"] == "integrations.ExternalIdentity" and values["entity"] == "student":
            name = names[values["integration_id"]]
            silent = " It does not speak any more: its record is seen and not written." if moved["silent"] else ""
            sentences.append(f"SIS ID {values['external_id']} of {name} moves.{silent}")
    return sentences


def _enrollments(rows: list[dict[str, Any]]) -> list[str]:
    schools = dict(School.objects.values_list("pk", "name"))
    years = dict(AcademicYear.objects.values_list("pk", "name"))
    sentences = []
    for row in rows:
        if row["model"] != "students.Enrollment":
            continue
        values, moved = row["values"], row["moved"]
        name = f"{schools[values['school_id']]}, {years[values['academic_year_id']]}"
        if moved is None:
            sentences.append(f"The enrollment at {name} is there on both: that of the student who stays is kept.")
        else:
            alternate = " as an alternate one" if values["primary"] and not moved["primary"] else ""
            sentences.append(f"The enrollment at {name} moves{alternate}.")
    return sentences


def _contacts(rows: list[dict[str, Any]]) -> list[str]:
    links = [row for row in rows if row["model"] == "students.StudentContact"]
    gone = {row["values"]["id"]: Contact(**row["values"]) for row in rows if row["model"] == "students.Contact"}
    found = Contact.objects.in_bulk([row["values"]["contact_id"] for row in links])
    people = {**found, **gone}
    sentences = []
    for moved, what in ((True, "moves"), (False, "is there on both: as the student who stays has it")):
        for row in links:
            if (row["moved"] is not None) == moved:
                sentences.append(f"Contact {people[row['values']['contact_id']]} {what}.")
    return sentences
