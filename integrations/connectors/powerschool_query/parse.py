"""A student with the rows of all queries, in canonical shape. Pure. Sources: the README here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from students.records import LEFT, EnrollmentRecord, Household, StudentRecord

from ...errors import RecordError
from ...parsing import UNREADABLE, date, phone, plain, postal_code, required, text
from ..base import RawRecord
from .contacts import Link, head_of, links_of
from .plugin import ADDRESSES, ALLERGIES, CONTACT_EMAILS, CONTACTS, EMAILS, PHONES, RACES
from .rows import cells, day

LONGEST_ALLERGIES = 100_000
SEPARATORS = re.compile(r"[,;\r\n]|(?<!\bn)/|/(?!a\b)", re.IGNORECASE)

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def parts_of(row: bytes, others: Mapping[str, Sequence[bytes]], mark: bytes) -> tuple[bytes, ...]:
    """The parts of a raw record: the row of the roster, a mark, and the rows of each other query after its name."""
    more = [part for name, rows in others.items() for part in (name.encode(), *rows)]
    return (row, mark, *more)


def student_record(record: RawRecord, school: str, *, today: dt.date) -> StudentRecord:
    """The canonical record of a joined one, codes still PowerSchool's.

    school: the number of the school read. today: the day for which links to contacts must hold. A column that is
    not there is blank; a query that was not asked says nothing. Raises RecordError.
    """
    try:
        student, others = _decoded(record)
    except UNREADABLE:
        raise RecordError("bad_text", "", "The record holds bytes that are no text.") from None
    links = _links(others, today)
    return StudentRecord(
        external_id=record.external_id,
        local_id=required(student.get("student_number"), "student_number"),
        state_id=text(student.get("state_studentnumber"), "state_studentnumber"),
        enrollment=_enrollment(record, student, school),
        household=_household(student, links),
        contacts=UNSET if links is None else tuple(link.record for link in links),
        first_name=required(student.get("first_name"), "first_name"),
        middle_name=text(student.get("middle_name"), "middle_name"),
        last_name=required(student.get("last_name"), "last_name"),
        birth_date=date(day(student.get("dob")), "dob"),
        gender=text(student.get("gender"), "gender"),
        ethnicity=_ethnicity(student),
        races=_races(others),
        home_language=text(student.get("primarylanguage"), "primarylanguage"),
        email=_email(others),
        home_phone=phone(student.get("home_phone"), "home_phone"),
        allergies=_allergies(others),
        **_address(student, "", "residence"),
        **_address(student, "mailing_", "mailing"),
    )


def allergy_codes(told: str) -> tuple[str, ...]:
    """The codes in an allergy text: what stands between commas, semicolons, slashes and line ends, each once.

    Whole and in the order written; "N/A" is one code.
    """
    found = (code.strip() for code in SEPARATORS.split(told))
    return tuple(dict.fromkeys(code for code in found if code))


def _decoded(record: RawRecord) -> tuple[dict[str, Any], Rows]:
    """The columns of the student, and of each other query that was asked, by its name."""
    first, _, *rest = (bytes(part) for part in record.parts)
    others: dict[str, list[dict[str, Any]]] = {}
    name = ""
    for part in rest:
        if part.startswith(b"{"):
            others[name].append(cells(part))
        else:
            name = part.decode()
            others[name] = []
    return cells(first), others


def _enrollment(record: RawRecord, student: Mapping[str, Any], school: str) -> EnrollmentRecord:
    facts = record.facts
    entered, left = date(day(student.get("entrydate")), "entrydate"), date(day(student.get("exitdate")), "exitdate")
    gone = facts.status == LEFT
    return EnrollmentRecord(
        school=school,
        grade_level=required(student.get("grade_level"), "grade_level"),
        entered=entered or None,
        left=(left or None) if gone else None,
        exit_reason=plain(student.get("exitcode"), "exitcode") if gone else "",
        status=facts.status,
        role=facts.role,
    )


def _ethnicity(student: Mapping[str, Any]) -> Any:
    """1 or 0 as the federal question was answered, else the district's own code."""
    federal = text(student.get("fedethnicity"), "fedethnicity")
    return federal or text(student.get("ethnicity"), "ethnicity")


def _races(others: Rows) -> tuple[str, ...] | UnsetType:
    if RACES not in others:
        return UNSET
    codes = (plain(one.get("racecd"), "racecd") for one in others[RACES])
    return tuple(dict.fromkeys(code for code in codes if code))


def _email(others: Rows) -> Any:
    if EMAILS not in others:
        return UNSET
    found = (plain(one.get("email"), "email") for one in others[EMAILS])
    return next((address for address in found if address), None)


def _allergies(others: Rows) -> tuple[str, ...] | UnsetType:
    if ALLERGIES not in others:
        return UNSET
    told = (text(one.get("allergies"), "allergies", longest=LONGEST_ALLERGIES) for one in others[ALLERGIES])
    return tuple(dict.fromkeys(code for one in told if isinstance(one, str) for code in allergy_codes(one)))


def _address(student: Mapping[str, Any], theirs: str, ours: str) -> dict[str, Any]:
    return {
        f"{ours}_line1": text(student.get(f"{theirs}street"), f"{theirs}street"),
        f"{ours}_city": text(student.get(f"{theirs}city"), f"{theirs}city"),
        f"{ours}_state": text(student.get(f"{theirs}state"), f"{theirs}state"),
        f"{ours}_postal_code": postal_code(student.get(f"{theirs}zip"), f"{theirs}zip"),
    }


def _links(others: Rows, today: dt.date) -> tuple[Link, ...] | None:
    """The student's contacts, None where they were not asked for."""
    if CONTACTS not in others:
        return None
    return links_of(
        others[CONTACTS],
        phones=others.get(PHONES, ()),
        emails=others.get(CONTACT_EMAILS, ()),
        addresses=others.get(ADDRESSES, ()),
        today=today,
    )


def _household(student: Mapping[str, Any], links: Sequence[Link] | None) -> Household:
    head = head_of(links or ())
    address = _address(student, "", "home")
    street = address["home_line1"]
    parts = (street, address["home_city"], address["home_state"], address["home_postal_code"])
    return Household(
        head_first_name=(head.first_name if head else None) or "",
        head_last_name=(head.last_name if head else None) or "",
        head_home_phone=(head.home_phone if head else None) or phone(student.get("home_phone"), "home_phone") or "",
        home_address=", ".join(part for part in parts if part) if street else "",
    )
