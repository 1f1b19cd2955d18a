"""An Illuminate student, with enrollment and contacts, in canonical shape. Pure. Sources: the README here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from students.records import LEFT, EnrollmentRecord, Household, StudentRecord

from ...parsing import date, phone, plain, required, text
from ..base import RawRecord
from .contacts import Listed, contacts_of, head_of
from .profile import Endpoint, row_of
from .values import hispanic, zip_code

CONTACTS_FOLLOW = b"contacts"
"""The part of a raw record after which its contacts come; it is absent where they are not read."""
RACES = ("primary_ethnicity", "secondary_ethnicity", "tertiary_ethnicity")


def student_record(record: RawRecord, school: str, *, profile: Mapping[str, Endpoint]) -> StudentRecord:
    """The canonical record of a joined one, codes still Illuminate's. school: the id of the site read.

    A member that is missing says nothing, one that is null is a blank; so is what a null dwelling would hold.
    Raises RecordError.
    """
    students = profile["students"]
    row = row_of(record.parts[0])

    def told(field: str) -> Any:
        return students.value(row, field)

    contacts = _contacts(record, profile["contacts"])
    return StudentRecord(
        external_id=record.external_id,
        local_id=required(told("local_student_id"), "local_student_id"),
        state_id=text(told("state_student_id"), "state_student_id"),
        enrollment=_enrollment(record, school, profile["enrollment"]),
        household=_household(told, contacts),
        contacts=UNSET if contacts is None else tuple(one.record for one in contacts),
        first_name=required(told("first_name"), "first_name"),
        middle_name=text(told("middle_name"), "middle_name"),
        last_name=required(told("last_name"), "last_name"),
        suffix=text(told("name_suffix"), "name_suffix"),
        preferred_first_name=text(told("aka_first_name"), "aka_first_name"),
        preferred_last_name=text(told("aka_last_name"), "aka_last_name"),
        birth_date=date(told("birth_date"), "birth_date"),
        gender=text(told("gender"), "gender"),
        ethnicity=hispanic(told("is_hispanic"), "is_hispanic"),
        races=_races(told),
        home_language=text(told("primary_language"), "primary_language"),
        correspondence_language=text(told("correspondence_language"), "correspondence_language"),
        email=text(told("email"), "email"),
        home_phone=phone(told("home_phone"), "home_phone"),
        residence_line1=text(told("address"), "address"),
        residence_line2=text(told("address2"), "address2"),
        residence_city=text(told("city"), "city"),
        residence_state=text(told("state"), "state"),
        residence_postal_code=zip_code(told("zip"), "zip"),
    )


def _enrollment(record: RawRecord, school: str, endpoint: Endpoint) -> EnrollmentRecord:
    facts = record.facts
    gone = facts.status == LEFT
    exit_code = endpoint.value(row_of(record.parts[1]), "exit_code_id")
    return EnrollmentRecord(
        school=school,
        grade_level=required(facts.grade, "grade_level_id"),
        entered=facts.entered,
        left=facts.left,
        exit_reason=plain(exit_code, "exit_code_id") if gone else "",
        status=facts.status,
        role=facts.role,
    )


def _races(told: Any) -> tuple[str, ...] | UnsetType:
    values = [told(field) for field in RACES]
    if all(value is UNSET for value in values):
        return UNSET
    codes = (plain(value, field) for value, field in zip(values, RACES, strict=True))
    return tuple(dict.fromkeys(code for code in codes if code))


def _contacts(record: RawRecord, endpoint: Endpoint) -> Sequence[Listed] | None:
    if CONTACTS_FOLLOW not in record.parts:
        return None
    return contacts_of(record.parts[record.parts.index(CONTACTS_FOLLOW) + 1 :], endpoint)


def _household(told: Any, contacts: Sequence[Listed] | None) -> Household:
    """Head, phone and address of the primary household; the head's own phone where the household has none.

    It is untold where contacts are not.
    """
    head = head_of(contacts or ())
    own = head.record.home_phone if head else None
    street = plain(told("address"), "address")
    parts = [plain(told(name), name) for name in ("address2", "city", "state")]
    place = [street, *parts, zip_code(told("zip"), "zip") or ""]
    return Household(
        head_first_name=(head.record.first_name if head else None) or "",
        head_last_name=(head.record.last_name if head else None) or "",
        head_home_phone=phone(told("home_phone"), "home_phone") or own or "",
        home_address=", ".join(part for part in place if part) if street else "",
        told=contacts is not None,
    )
