"""A PowerSchool student, with its contacts, in canonical shape. Pure. Sources: the README here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from students.records import LEFT, EnrollmentRecord, Household, StudentRecord

from ...errors import RecordError
from ...parsing import UNREADABLE, as_dict, as_list, date, phone, plain, postal_code, required, text
from ..base import RawRecord
from .contacts import Link, head_of, links_of, slots_of

CONTACTS_FOLLOW = b"contacts"
"""The part of a raw record after which its contacts come; it is absent where they are not asked for."""


class _Student(msgspec.Struct, gc=False):
    """What is read of a student; every other member is left undecoded."""

    local_id: Any = UNSET
    state_province_id: Any = UNSET
    name: Any = UNSET
    demographics: Any = UNSET
    addresses: Any = UNSET
    phones: Any = UNSET
    school_enrollment: Any = UNSET
    ethnicity_race: Any = UNSET
    contact_info: Any = UNSET
    contact: Any = UNSET
    extension_data: Any = msgspec.field(default=UNSET, name="_extension_data")


_student = msgspec.json.Decoder(_Student)


def student_record(record: RawRecord, school: str, *, today: dt.date) -> StudentRecord:
    """The canonical record of a joined one, codes still PowerSchool's.

    school: the number of the school read. today: the day for which links to contacts must hold.
    PowerSchool leaves out what is blank: within an expansion that came, a missing member is a blank; an
    expansion that did not come says nothing. Raises RecordError.
    """
    try:
        student = _student.decode(record.parts[0])
        links = _links(record, student, today)
    except msgspec.ValidationError:
        raise RecordError("bad_type", "", "The student is no object.") from None
    except UNREADABLE:
        raise RecordError("bad_text", "", "The record holds bytes that are no text.") from None
    name = as_dict(student.name)
    demographics, ethnicity = _expansion(student.demographics), _expansion(student.ethnicity_race)
    return StudentRecord(
        external_id=record.external_id,
        local_id=required(student.local_id, "local_id"),
        state_id=text(_blank(student.state_province_id), "state_province_id"),
        enrollment=_enrollment(record, as_dict(student.school_enrollment), school),
        household=_household(student, links),
        contacts=UNSET if links is None else tuple(link.record for link in links),
        first_name=required(name.get("first_name"), "name.first_name"),
        middle_name=text(name.get("middle_name"), "name.middle_name"),
        last_name=required(name.get("last_name"), "name.last_name"),
        birth_date=date(_leaf(demographics, "birth_date"), "birth_date"),
        gender=text(_leaf(demographics, "gender"), "gender"),
        ethnicity=_ethnicity(ethnicity),
        races=_races(ethnicity),
        home_language=text(_core_field(student, "primarylanguage"), "primarylanguage"),
        email=text(_leaf(_expansion(student.contact_info), "email"), "email"),
        home_phone=phone(_main_phone(student), "phones.main.number"),
        **_address(student, "physical", "residence"),
        **_address(student, "mailing", "mailing"),
    )


def _blank(value: Any) -> Any:
    """The value of a member that is left out when it is blank."""
    return None if value is UNSET else value


def _expansion(value: Any) -> dict[str, Any] | None:
    """The members of an expansion, {} for an empty one (written ""), None for one that did not come."""
    return None if value is UNSET else as_dict(value)


def _leaf(holder: Mapping[str, Any] | None, name: str) -> Any:
    return UNSET if holder is None else holder.get(name)


def _enrollment(record: RawRecord, found: Mapping[str, Any], school: str) -> EnrollmentRecord:
    facts = record.facts
    entered, left = date(found.get("entry_date"), "entry_date"), date(found.get("exit_date"), "exit_date")
    gone = facts.status == LEFT
    return EnrollmentRecord(
        school=school,
        grade_level=required(found.get("grade_level"), "grade_level"),
        entered=entered or None,
        left=(left or None) if gone else None,
        exit_reason=plain(found.get("exit_code"), "exit_code") if gone else "",
        status=facts.status,
        role=facts.role,
    )


def _ethnicity(found: Mapping[str, Any] | None) -> str | None | UnsetType:
    """YES or NO as the federal question was answered, else the district's own code."""
    if found is None:
        return UNSET
    federal = text(found.get("federal_ethnicity"), "federal_ethnicity")
    return federal or text(found.get("scheduling_reporting_ethnicity"), "scheduling_reporting_ethnicity")


def _races(found: Mapping[str, Any] | None) -> tuple[str, ...] | UnsetType:
    if found is None:
        return UNSET
    codes = (plain(as_dict(one).get("district_race_code"), "races") for one in as_list(found.get("races")))
    return tuple(dict.fromkeys(code for code in codes if code))


def _core_field(student: _Student, name: str) -> Any:
    """A field of the studentcorefields extension: UNSET without that extension, None when it is blank."""
    tables = as_list(as_dict(student.extension_data).get("_table_extension"))
    for table in map(as_dict, tables):
        if str(table.get("name", "")).lower() != "studentcorefields":
            continue
        for field in map(as_dict, as_list(table.get("_field"))):
            if str(field.get("name", "")).lower() == name:
                return field.get("value")
        return None
    return UNSET


def _main_phone(student: _Student) -> Any:
    phones = _expansion(student.phones)
    return UNSET if phones is None else as_dict(phones.get("main")).get("number")


def _address(student: _Student, kind: str, ours: str) -> dict[str, Any]:
    addresses = _expansion(student.addresses)
    if addresses is None:
        return {}
    found = as_dict(addresses.get(kind))
    return {
        f"{ours}_line1": text(found.get("street"), f"{kind}.street"),
        f"{ours}_city": text(found.get("city"), f"{kind}.city"),
        f"{ours}_state": text(found.get("state_province"), f"{kind}.state_province"),
        f"{ours}_postal_code": postal_code(found.get("postal_code"), f"{kind}.postal_code"),
    }


def _links(record: RawRecord, student: _Student, today: dt.date) -> Sequence[Link] | None:
    """The student's contacts, from the contacts API where they follow, else from its own fields; None
    where neither was asked for."""
    if CONTACTS_FOLLOW in record.parts:
        start = record.parts.index(CONTACTS_FOLLOW) + 2
        return links_of(record.parts[start:], record.external_id, today)
    fields = _expansion(student.contact)
    return None if fields is None else slots_of(fields, record.external_id)


def _household(student: _Student, links: Sequence[Link] | None) -> Household:
    head = head_of(links or ())
    home_phone = phone(_main_phone(student), "phones.main.number") or ""
    own = (head.home_phone if head else None) or ""
    address = _address(student, "physical", "home")
    street = address.get("home_line1")
    parts = (street, address.get("home_city"), address.get("home_state"), address.get("home_postal_code"))
    return Household(
        head_first_name=(head.first_name if head else None) or "",
        head_last_name=(head.last_name if head else None) or "",
        head_home_phone=own or home_phone,
        home_address=", ".join(part for part in parts if part) if street else "",
    )
