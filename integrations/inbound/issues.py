"""What the issues of a run say, and the remedy each one names."""

from __future__ import annotations

import msgspec


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One issue before it is stored; school is our code, "" for none."""

    severity: str
    code: str
    message: str
    remedy: str
    external_id: str = ""
    school: str = ""
    entity: str = ""
    raw_code: str = ""
    field: str = ""
    candidate: int | None = None


ENTITY_LABELS = {
    "gender": "Gender", "ethnicity": "Ethnicity", "race": "Race", "language": "Language", "state": "State",
    "relationship": "Relationship", "grade_level": "Grade Level", "building": "Building", "allergy": "Allergy",
}  # fmt: skip


def unmapped(external_id: str, school: str, *, entity: str, code: str, field: str, fatal: bool) -> Found:
    """A code that the entity's mapping does not know."""
    label = ENTITY_LABELS.get(entity, entity)
    shown = f"“{code}”" if code.strip() else "a blank"
    effect = "The student was not imported" if fatal else "The field was left as it was"
    return Found(
        severity="error" if fatal else "warning",
        code="unmapped_code",
        external_id=external_id,
        school=school,
        entity=entity,
        raw_code=code,
        field=field,
        message=f"The {label} mapping has no value for {shown}. {effect}.",
        remedy=f"Add {shown} to the {label} mapping of this integration, then run the import again.",
    )


def unreadable(external_id: str, school: str, *, code: str, field: str, message: str, current: bool = True) -> Found:
    """A record that the connector could not read; one that is not current costs nothing."""
    return Found(
        severity="error" if current else "warning",
        code=code,
        external_id=external_id,
        school=school,
        field=field,
        message=f"The student was not imported: {message}",
        remedy="Correct the record in the student information system.",
    )


def nameless(external_id: str, school: str) -> Found:
    """A new student without a first or last name."""
    return Found(
        severity="error",
        code="missing_required",
        external_id=external_id,
        school=school,
        field="first_name, last_name",
        message="The student was not imported: the first or the last name is blank.",
        remedy="Enter both names in the student information system.",
    )


def unusable_text(external_id: str, school: str, *, field: str, limit: int | None) -> Found:
    """A text that is too long for us, or holds characters that are no text."""
    why = f"is longer than {limit} characters" if limit else "holds characters that are no text"
    return Found(
        severity="warning",
        code="too_long" if limit else "bad_text",
        external_id=external_id,
        school=school,
        field=field,
        message=f"The {field.replace('_', ' ')} {why}. The field was left as it was, nothing was cut.",
        remedy="Shorten or correct the entry in the student information system.",
    )


def unlisted_program(external_id: str, school: str, *, program: str) -> Found:
    """An enrollment whose program code is neither primary nor alternate."""
    shown = f"“{program}”" if program else "(blank)"
    return Found(
        severity="error",
        code="unlisted_enrollment_code",
        external_id=external_id,
        school=school,
        raw_code=program,
        message=f"The enrollment code {shown} is neither a primary nor an alternate code. It was not imported.",
        remedy="Add the code to the Primary or Alternate Enrollment Codes of the integration.",
    )


def two_primaries(external_id: str, school: str) -> Found:
    """Several schools claim the primary enrollment."""
    return Found(
        severity="warning",
        code="two_primary_enrollments",
        external_id=external_id,
        school=school,
        message="Two schools hold a primary enrollment. The one entered last was taken as primary.",
        remedy="End one of the enrollments, or mark it as alternate, in the student information system.",
    )


def who_is_it(external_id: str, school: str, *, code: str, other: int) -> Found:
    """A record that may be a student we already hold."""
    reason = {
        "identity_conflict": "A student we already have carries the same state ID, but another name or birth date",
        "possible_match": "A student we already have carries the same name and birth date",
        "possible_duplicate": "Another new record of this run carries the same name and birth date or state ID",
    }[code]
    told = f" (student {other})" if other else ""
    return Found(
        severity="error",
        code=code,
        external_id=external_id,
        school=school,
        candidate=other or None,
        message=f"{reason}{told}. The record was not imported, so that no child is doubled or mixed up.",
        remedy="Compare the two. Then press Link to this student, or Not the same."
        if other
        else "Compare the two records in the system and correct the one that is wrong.",
    )


def one_id_two_people(external_id: str, school: str) -> Found:
    """Two records of one id that name different children."""
    return Found(
        severity="error",
        code="duplicate_in_source",
        external_id=external_id,
        school=school,
        message="Two records carry this ID but name different children. Neither was imported.",
        remedy="Correct the ID of one of them in the student information system.",
    )


def incomplete(school: str, *, code: str, message: str) -> Found:
    """A school whose snapshot is not proven complete."""
    return Found(
        severity="run",
        code=code,
        school=school,
        message=f"{message} Nobody was dropped in this run.",
        remedy="Run the import again. If it happens again, check the connection and the school in the system.",
    )


def still_active(external_id: str, school: str) -> Found:
    """A student missing from the pages whom the system, asked by id, calls active."""
    return Found(
        severity="run",
        code="found_active",
        external_id=external_id,
        school=school,
        message="The student was missing from the pages, but the system, asked by ID, says the student is "
        "active. The snapshot is therefore not complete, and nobody was dropped in this run.",
        remedy="Run the import again.",
    )


def moved_meanwhile(external_id: str, school: str) -> Found:
    """A student who left one school by its record, and whom the system, asked by id, calls active."""
    return Found(
        severity="run",
        code="moved_meanwhile",
        external_id=external_id,
        school=school,
        message=f"The student left one school and is active at school {school}, which had not shown the student. "
        "The student stays enrolled as before, and nobody was dropped in this run.",
        remedy="Run the import again.",
    )


def could_not_ask(message: str) -> Found:
    """The system did not answer when asked for missing students."""
    return Found(
        severity="run",
        code="could_not_ask",
        message=f"Missing students could not be looked up one by one: {message} Nobody was dropped in this run.",
        remedy="Run the import again when the system answers.",
    )


def appeared(external_id: str, school: str, *, other: int) -> Found:
    """A new student who was added otherwise between plan and apply."""
    return Found(
        severity="error",
        code="conflict",
        external_id=external_id,
        school=school,
        message=f"Student {other} was added after this run had planned to add the child. "
        "The record was not imported, so that no child is doubled.",
        remedy="Run the import again: it compares the record with the student.",
    )


def conflict(external_id: str, school: str, *, fields: list[str]) -> Found:
    """Fields that somebody edited between plan and apply."""
    return Found(
        severity="warning",
        code="conflict",
        external_id=external_id,
        school=school,
        field=", ".join(fields)[:64],
        message="Somebody edited the student after this run had planned its changes. "
        f"The edit was kept; not written: {', '.join(fields)}.",
        remedy="Look at the student. The next import compares again.",
    )
