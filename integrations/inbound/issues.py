"""What the issues of a run say, and the remedy each one names."""

from __future__ import annotations

from typing import Any

import msgspec

from students.labels import ENROLLMENT_FIELDS, field_label


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
    facts: dict[str, Any] = {}


ENTITY_LABELS = {
    "gender": "Gender", "ethnicity": "Ethnicity", "race": "Race", "language": "Language", "state": "State",
    "relationship": "Relationship", "grade_level": "Grade Level", "building": "Building", "allergy": "Allergy",
}  # fmt: skip


LISTS = {"contacts": "contacts", "races": "race", "allergies": "list of allergies"}
AS_IT_WAS, BLANK = "was left as it was", "was left blank"
PROBLEM_REMEDIES = {
    "school_failed": "Do what the sentence says: a permission, the connection, the Url. Then run the import again.",
    "school_missing": "Take the school out of the Building mapping if it has closed, else ask the district. "
    "Then run the import again.",
    "school_empty": "Look at the school in the student information system, then run the import again.",
    "count_disagrees": "Run the import again at a quieter hour.",
    "page_truncated": "Run the import again. If it happens again, lower the option page_size of the integration.",
    "page_repeated": "Run the import again. If it happens again, lower the option page_size of the integration.",
    "page_skipped": "Run the import again. If it happens again, lower the option page_size of the integration.",
    "page_size_ignored": "Set the option page_size of the integration to what the system sends, then run the "
    "import again.",
    "unreadable_rows": "Find the record without an ID in the student information system, then run the import again.",
    "resume_differs": "Run the import again.",
    "count_untold": "Ask the provider to send X-Total-Count or Link headers. Until then end enrollments by hand.",
}
"""What to do about a school that was not read whole, by the reason's code."""
NOTICE_REMEDIES = {
    "demographics_missing": "Ask the district for demographics, then run the import again.",
    "delta_in_part": "Wait for the next whole export, or ask the district for one.",
    "delta_only": "Nothing has to be done. Who has left without a tombstone shows with the next whole export.",
}
"""What to do about a notice, by its code."""
RECORD_REMEDIES = {
    "missing_required": "Fill it in in the student information system.",
    "bad_date": "Correct the date in the student information system.",
    "bad_type": "Correct the entry in the student information system.",
    "bad_text": "Type the entry in the student information system anew.",
    "too_long": "Shorten the entry in the student information system.",
    "unreadable": "Correct the record in the student information system.",
}
"""What to do about a record that could not be read, by the reason's code."""


def field_words(entity: str, path: str) -> str:
    """What a path of a change is called, in small letters. entity: student or contact."""
    head, _, rest = path.partition(".")
    if head in LISTS:
        return LISTS[head]
    if head == "enrollments":
        last = rest.rpartition(".")[2]
        day = {"entered": "first day", "left": "last day"}.get(last)
        name = day or (field_label("enrollment", last).lower() if last in ENROLLMENT_FIELDS else "")
        return f"enrollment's {name}" if name else "enrollment"
    return field_label(entity, head).lower()


def of_new(found: Found) -> Found:
    """The same issue of a student who is new: there was nothing to leave as it was."""
    return msgspec.structs.replace(found, message=found.message.replace(AS_IT_WAS, BLANK))


def unmapped(
    external_id: str, school: str, *, entity: str, code: str, field: str, fatal: bool, whom: str = ""
) -> Found:
    """A code that the entity's mapping does not know. whom: the name of the contact it was sent of."""
    label = ENTITY_LABELS.get(entity, entity)
    shown = f"“{code}”" if code.strip() else "a blank"
    head, _, last = field.rpartition(".")
    name = field_words("contact" if head == "contacts" else "student", last) if not fatal else ""
    of = f" of contact {whom or 'without a name'}" if head == "contacts" else ""
    effect = "The student was not imported" if fatal else f"The {name}{of} {AS_IT_WAS}"
    if entity == "allergy":
        effect = "It stands among the student's allergies in the words of the SIS"
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
    """A record that the connector could not read; one that is not current costs nothing.

    message: the connector's sentence, which may begin with the system's own name of the field.
    """
    told = f"the SIS field “{field}”{message[len(field) :]}" if field and message.startswith(field) else message
    effect = "The student was not imported" if current else "The record of a student who is not current was not read"
    return Found(
        severity="error" if current else "warning",
        code=code,
        external_id=external_id,
        school=school,
        field=field,
        message=f"{effect}: {told}",
        remedy=RECORD_REMEDIES.get(code, RECORD_REMEDIES["unreadable"]),
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


def unusable_text(external_id: str, school: str, *, field: str, limit: int | None, whom: str | None = None) -> Found:
    """A text that is too long for us, or holds characters that are no text. whom: the contact whose it is."""
    name = field_words("student" if whom is None else "contact", field)
    of = "" if whom is None else f" of contact {whom or 'without a name'}"
    why = f"is longer than {limit} characters" if limit else "holds characters that are no text"
    return Found(
        severity="warning",
        code="too_long" if limit else "bad_text",
        external_id=external_id,
        school=school,
        field=field if whom is None else f"contact_{field}",
        message=f"The {name}{of} {why}. It {AS_IT_WAS}, nothing was cut.",
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


def outside_school_year(external_id: str, school: str, *, year: str, told: str) -> Found:
    """A record dated outside the academic year imported. told: which date, and why it is outside."""
    return Found(
        severity="error",
        code="outside_school_year",
        external_id=external_id,
        school=school,
        message=f"The record is dated outside {year}: {told}. It was held back, so that nothing is written to the "
        "wrong year; the student stays as before.",
        remedy="Correct the date in the student information system, or the days of the academic year here. "
        "A record of the next year is taken once that year is imported.",
    )


def year_over(message: str) -> Found:
    """The integration is left on a chosen year that is over. message: a sentence that names both years."""
    return Found(
        severity="run",
        code="year_over",
        message=message,
        remedy="Open the integration and choose the new year, or “Automatic, by date”, as Academic Year Imported.",
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


def who_is_it(external_id: str, school: str, *, code: str, other: int, facts: dict[str, Any] | None = None) -> Found:
    """A record that may be a student we already hold, or another record. facts: of RecordIssue."""
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
        remedy="Compare the two in the review queue. Then press Link, New or Not the same."
        if other
        else "Correct the record that is wrong in the student information system, or press New in the review queue.",
        facts=facts or {},
    )


def merged_record(external_id: str, school: str, *, speaker: str) -> Found:
    """A current record whose student has another id in the same system since the two were merged."""
    other = f"the one with SIS ID {speaker}" if speaker else "another one"
    return Found(
        severity="warning",
        code="merged_record",
        external_id=external_id,
        school=school,
        message=f"This record was merged into {other}, which speaks for the child. Nothing of it was written.",
        remedy="Ask the district to merge the two in the student information system.",
    )


def one_id_two_people(external_id: str, school: str, *, facts: dict[str, Any] | None = None) -> Found:
    """Two records of one id that name different children. facts: of RecordIssue."""
    return Found(
        severity="error",
        code="duplicate_in_source",
        external_id=external_id,
        school=school,
        message="Two records carry this ID but name different children. Neither was imported.",
        remedy="Correct the ID of one of them in the student information system.",
        facts=facts or {},
    )


def incomplete(school: str, *, code: str, message: str) -> Found:
    """A school whose snapshot is not proven complete."""
    return Found(
        severity="run",
        code=code,
        school=school,
        message=f"{message} Nobody was dropped in this run.",
        remedy=PROBLEM_REMEDIES.get(code, "Run the import again."),
    )


def notice(code: str, message: str) -> Found:
    """What a person should know of the source as a whole; message: a sentence that names the remedy."""
    remedy = NOTICE_REMEDIES.get(code, "Nothing has to be done.")
    return Found(severity="run", code=code, message=message, remedy=remedy)


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


def current_by_another(external_id: str, school: str, *, integration: str) -> Found:
    """A student who ends in one system while another integration's has the student at the same school."""
    return Found(
        severity="warning",
        code="current_elsewhere",
        external_id=external_id,
        school=school,
        message=f"The student is no longer enrolled at school {school} in this system, but {integration} has the "
        "student there as current. The enrollment did not end.",
        remedy=f"Run the import of {integration} again. If it stays, let only one integration cover the school.",
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


def not_found(external_id: str, school: str, *, where: str) -> Found:
    """A student who was asked for and is not in the schools that were read. where: what the system says instead."""
    return Found(
        severity="run",
        code="not_found",
        external_id=external_id,
        school=school,
        message=f"SIS ID {external_id} was not among the students of the schools that were read. {where} "
        "Nothing was changed.",
        remedy="Check the SIS ID and the school, then ask again.",
    )


def conflict(external_id: str, school: str, *, fields: list[str], entity: str = "student") -> Found:
    """Fields that somebody edited between plan and apply. fields: paths of the change of a student or contact."""
    words = ", ".join(dict.fromkeys(field_words(entity, path) for path in fields))
    return Found(
        severity="warning",
        code="conflict",
        external_id=external_id,
        school=school,
        field=", ".join(fields)[:64],
        message=f"Somebody edited the {entity} after this run had planned its changes. "
        f"The edit was kept; not written: {words}.",
        remedy=f"Look at the {entity}. The next import compares again.",
    )
