"""A student of a SchoolTool roster feed in canonical shape. Pure. The contract is ours: see the README here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from students.records import ContactRecord, EnrollmentRecord, Household, StudentRecord, Text

from ...errors import RecordError
from ...parsing import UNREADABLE, as_dict, date, integer, phone, plain, postal_code, required, text, yes_no
from ..base import RawRecord

ENDED = "exit date"


class _Student(msgspec.Struct, gc=False):
    """What is read of a student; the enrollment is a part of its own."""

    stateId: Any = UNSET
    lastName: Any = UNSET
    firstName: Any = UNSET
    middleName: Any = UNSET
    suffix: Any = UNSET
    preferredName: Any = UNSET
    birthDate: Any = UNSET
    genderCode: Any = UNSET
    hispanic: Any = UNSET
    raceCodes: Any = UNSET
    gradeCode: Any = UNSET
    homeLanguageCode: Any = UNSET
    address: Any = UNSET
    homePhone: Any = UNSET
    contacts: Any = UNSET


_student = msgspec.json.Decoder(_Student)


def student_record(record: RawRecord, school: str) -> StudentRecord:
    """The canonical record of a student as enrolled in a building, codes still the feed's. Raises RecordError."""
    try:
        student = _student.decode(record.parts[0])
    except UNREADABLE:
        raise RecordError("bad_text", "", "The record holds bytes that are no text.") from None
    contacts = _contacts(student.contacts)
    return StudentRecord(
        external_id=record.external_id,
        local_id=record.external_id,
        enrollment=_enrollment(record, student, school),
        household=_household(student, contacts),
        contacts=UNSET if contacts is None else _contact_records(contacts),
        state_id=_state_id(student.stateId),
        first_name=text(student.firstName, "firstName"),
        middle_name=text(student.middleName, "middleName"),
        last_name=text(student.lastName, "lastName"),
        suffix=text(student.suffix, "suffix"),
        preferred_first_name=text(student.preferredName, "preferredName"),
        birth_date=date(student.birthDate, "birthDate"),
        gender=text(student.genderCode, "genderCode"),
        ethnicity=text(student.hispanic, "hispanic"),
        races=_races(student.raceCodes),
        home_language=text(student.homeLanguageCode, "homeLanguageCode"),
        home_phone=phone(student.homePhone, "homePhone"),
        residence_line1=_part(student.address, "line1"),
        residence_line2=_part(student.address, "line2"),
        residence_city=_part(student.address, "city"),
        residence_state=_part(student.address, "state"),
        residence_postal_code=_postal_code(student.address),
    )


def _enrollment(record: RawRecord, student: _Student, school: str) -> EnrollmentRecord:
    facts = record.facts
    return EnrollmentRecord(
        school=school,
        grade_level=required(student.gradeCode, "gradeCode"),
        entered=facts.entered,
        left=facts.left,
        exit_reason=ENDED if facts.left else "",
        status=facts.status,
        role=facts.role,
    )


def _state_id(value: Any) -> Text:
    """The ten-digit state id; zeros lost by sending it as a number come back."""
    found = text(value, "stateId")
    return found.zfill(10) if isinstance(value, (int, float)) and isinstance(found, str) else found


def _races(value: Any) -> tuple[str, ...] | UnsetType:
    """The codes in order, each once; null is none."""
    if isinstance(value, UnsetType):
        return value
    if value is not None and not isinstance(value, list):
        raise RecordError("bad_type", "raceCodes", "raceCodes is no list.")
    found = [plain(code, "raceCodes") for code in value or ()]
    return tuple(dict.fromkeys(code for code in found if code))


def _part(address: Any, name: str) -> Text:
    """One line of an address; null for the whole is null for each."""
    if address is UNSET or address is None:
        return address
    if not isinstance(address, dict):
        raise RecordError("bad_type", "address", "address is no object.")
    return text(address.get(name, UNSET), f"address.{name}")


def _postal_code(address: Any) -> Text:
    _part(address, "zip")
    return postal_code(address.get("zip", UNSET), "address.zip") if isinstance(address, dict) else address


def _contacts(value: Any) -> list[dict[str, Any]] | None:
    """The contacts by order, then as they came, each id once; None where the feed tells none."""
    if value is UNSET:
        return None
    if value is not None and not isinstance(value, list):
        raise RecordError("bad_type", "contacts", "contacts is no list.")
    found: dict[str, dict[str, Any]] = {}
    for one in sorted((as_dict(one) for one in value or ()), key=_place):
        if _says_anything(one):
            found.setdefault(required(one.get("contactId"), "contacts.contactId"), one)
    return list(found.values())


def _place(contact: dict[str, Any]) -> int:
    order = integer(contact.get("order"), "contacts.order")
    return 10_000 if order is None else order


def _says_anything(contact: dict[str, Any]) -> bool:
    return any(plain(contact.get(name), name) for name in ("firstName", "lastName", "homePhone", "cellPhone"))


def _contact_records(contacts: Sequence[dict[str, Any]]) -> tuple[ContactRecord, ...]:
    return tuple(_contact_record(contact, rank) for rank, contact in enumerate(contacts, start=1))


def _contact_record(contact: dict[str, Any], rank: int) -> ContactRecord:
    def told(name: str) -> Any:
        return contact.get(name, UNSET)

    address = told("address")
    return ContactRecord(
        external_id=plain(contact["contactId"], "contacts.contactId"),
        first_name=text(told("firstName"), "contacts.firstName"),
        last_name=text(told("lastName"), "contacts.lastName"),
        email=text(told("email"), "contacts.email"),
        home_phone=phone(told("homePhone"), "contacts.homePhone"),
        mobile_phone=phone(told("cellPhone"), "contacts.cellPhone"),
        line1=_part(address, "line1"),
        line2=_part(address, "line2"),
        city=_part(address, "city"),
        state=_part(address, "state"),
        postal_code=_postal_code(address),
        relationship=text(told("relationshipCode"), "contacts.relationshipCode"),
        order=rank,
        lives_with=yes_no(told("livesWith"), "contacts.livesWith"),
    )


def _household(student: _Student, contacts: Sequence[dict[str, Any]] | None) -> Household:
    """What the head of the household tells; blank where no contact is marked as one, untold without contacts."""
    heads = (one for one in contacts or () if yes_no(one.get("headOfHousehold"), "contacts.headOfHousehold") is True)
    head = next(heads, None)
    if head is None:
        return Household(home_address=_home_address(student.address), told=contacts is not None)
    return Household(
        head_first_name=plain(head.get("firstName"), "contacts.firstName"),
        head_last_name=plain(head.get("lastName"), "contacts.lastName"),
        head_home_phone=phone(head.get("homePhone"), "contacts.homePhone") or "",
        home_address=_home_address(head.get("address")) or _home_address(student.address),
    )


def _home_address(address: Any) -> str:
    """One line of street, city, state and postal code; "" without a street."""
    if not _part(address, "line1"):
        return ""
    names = ("line1", "line2", "city", "state")
    parts = [*(_part(address, name) for name in names), _postal_code(address)]
    return ", ".join(part for part in parts if isinstance(part, str))
