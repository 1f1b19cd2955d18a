"""The cards of the review queue: what the record said beside what we hold, difference by difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from integrations.admin.issue import code_label
from integrations.admin.scoping import at_schools
from integrations.matching import candidate_of
from integrations.models import RecordIssue
from students.families import same_name
from students.labels import NOTHING, field_label, value_label
from students.models import School, Student
from students.scope import allowed_schools, visible_students

FIELDS = (
    "first_name", "middle_name", "last_name", "suffix", "birth_date", "gender", "grade_level", "school", "state_id",
    "local_id", "home_phone", "residence_line1", "residence_city",
)  # fmt: skip
SAME, DIFFERS, LEFT_BLANK, RIGHT_BLANK = "same", "differs", "left is blank", "right is blank"
Told = Mapping[str, Any]


class Row(msgspec.Struct, frozen=True):
    """One field side by side, and in a word how the two compare; "" where there is nothing to compare with."""

    label: str
    left: str
    right: str
    word: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One record of which a person has to say whose it is.

    left and right: what the two columns are. student: the one to compare with, where the person may see the student.
    hidden: whom it looks like is of a school that the person may not see. open: whether Link, New and Not the same
    apply.
    """

    issue: RecordIssue
    kind: str
    name: str
    left: str
    right: str = ""
    rows: list[Row] = []
    student: Student | None = None
    hidden: bool = False
    open: bool = True


def cards(issues: Iterable[RecordIssue], user: Any) -> list[Card]:
    """A card for every issue, in the same order."""
    schools = dict(School.objects.values_list("code", "name"))
    return [card(issue, user, schools) for issue in issues]


def card(issue: RecordIssue, user: Any, schools: Mapping[str, str]) -> Card:
    """What is known of one record, beside whom it looks like."""
    codes = allowed_schools(user)
    told: list[Told] = issue.facts.get("records", [])
    records = [record for record in told if codes is None or record.get("school") in codes]
    system, candidate = issue.run.integration.name, candidate_of(issue)
    student = None
    if candidate is not None:
        student = visible_students(Student.objects.filter(pk=candidate.pk), user).first()
    right, other = "", None
    if student is not None:
        right, other = "Our student", _told_of(student)
    elif len(records) > 1:
        right, other = f"The other record of SIS ID {issue.external_id} in {system}", records[1]
    elif candidate is None and (twin := _other_record(issue, user)) is not None:
        right, other = f"SIS ID {twin.external_id} in {system}, not imported either", twin.facts["records"][0]
    return Card(
        issue=issue,
        kind=code_label(issue.code),
        name=name_of(issue),
        left=f"SIS ID {issue.external_id} in {system}",
        right=right,
        rows=rows(records[0] if records else {}, other, schools),
        student=student,
        hidden=(candidate is not None and student is None) or len(records) < len(told),
        open=issue.code != "duplicate_in_source",
    )


def name_of(issue: RecordIssue) -> str:
    """Whose record it is by its own words; the SIS ID where it says no name."""
    records = issue.facts.get("records", [])
    told = records[0] if records else {}
    return (
        " ".join(told[name] for name in ("first_name", "last_name") if told.get(name)) or f"SIS ID {issue.external_id}"
    )


def rows(left: Told, right: Told | None, schools: Mapping[str, str]) -> list[Row]:
    """The fields that either says, side by side."""
    found = []
    for name in FIELDS:
        ours = right.get(name) if right else None
        if left.get(name) or ours:
            shown = [_shown(name, value, schools) for value in (left.get(name), ours)]
            label = "School" if name == "school" else field_label("student", name)
            found.append(Row(label, shown[0], shown[1] if right else "", _word(name, *shown) if right else ""))
    return found


def ids_of(student: Student) -> list[str]:
    """The student's ids in all systems, each with the system's name."""
    known = student.identities.filter(entity="student").select_related("integration").order_by("integration__name")
    return [f"{one.external_id} in {one.integration}" for one in known]


def _told_of(student: Student) -> Told:
    told = {name: getattr(student, name) for name in FIELDS if name != "school"}
    stays = student.enrollments.filter(left=None).order_by("-primary", "pk")
    return {**told, "school": list(stays.values_list("school__code", flat=True))}


def _other_record(issue: RecordIssue, user: Any) -> RecordIssue | None:
    """The issue of the record that looks the same, out of the same run."""
    others = issue.facts.get("others", [])
    twins = RecordIssue.objects.filter(run=issue.run_id, code=issue.code, external_id__in=others)
    return next((one for one in at_schools(twins, user).order_by("pk") if one.facts.get("records")), None)


def _shown(name: str, value: Any, schools: Mapping[str, str]) -> str:
    if name == "school":
        codes = value if isinstance(value, list) else [value] if value else []
        return ", ".join(schools.get(code, code) for code in codes) or NOTHING
    return value_label("student", name, value)


def _word(name: str, left: str, right: str) -> str:
    """How two values compare: names without accents and case, state IDs without leading zeros."""
    if NOTHING in (left, right):
        return SAME if left == right else LEFT_BLANK if left == NOTHING else RIGHT_BLANK
    if name == "school":
        return SAME if set(left.split(", ")) & set(right.split(", ")) else DIFFERS
    if name == "state_id":
        return SAME if left.lstrip("0") == right.lstrip("0") else DIFFERS
    return SAME if same_name(left) == same_name(right) else DIFFERS
