"""What has to be known of a PowerSchool student to page and judge it, without decoding the rest."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from students.records import CURRENT, FUTURE, LEFT, Facts

from ...errors import RecordError
from ...parsing import UNREADABLE, as_dict, date_or_none, integer, plain

STATUSES = {"A": CURRENT, "P": FUTURE}
DATED = re.compile(rb'"(start|end)Date"\s*:\s*"(\d{4}-\d\d-\d\d)')


class Row(msgspec.Struct, gc=False):
    """One student row. student: its DCID. school: the number of its school. fault: why it is no use."""

    raw: Raw
    student: str
    school: str = ""
    facts: Facts | None = None
    fault: RecordError | None = None


class _Enrollment(msgspec.Struct, gc=False):
    enroll_status: str
    school_number: int
    grade_level: int
    entry_date: str = ""
    exit_date: str = ""


class _Keys(msgspec.Struct, gc=False):
    id: int
    school_enrollment: _Enrollment


class _LooseKeys(msgspec.Struct, gc=False):
    id: Any = UNSET
    school_enrollment: Any = UNSET


class _ContactId(msgspec.Struct, gc=False):
    contactId: Any = UNSET


_keys = msgspec.json.Decoder(_Keys)
_loose = msgspec.json.Decoder(_LooseKeys)
_contact_id = msgspec.json.Decoder(_ContactId)


def student_row(raw: Raw) -> Row:
    """A row with its keys and facts; ``fault`` says what is wrong with it, never an exception."""
    try:
        keys = _keys.decode(raw)
    except msgspec.ValidationError:
        return _loose_row(raw)
    except UNREADABLE:
        return Row(raw, "", fault=RecordError("bad_text", "", "The row holds bytes that are no text."))
    one = keys.school_enrollment
    found = _facts(one.enroll_status, one.grade_level, one.entry_date, one.exit_date)
    return Row(raw, str(keys.id), str(one.school_number), found)


def _loose_row(raw: Raw) -> Row:
    """A row in which a key is missing or of another type than documented."""
    student = None
    try:
        keys = _loose.decode(raw)
        student = integer(keys.id, "id")
        if not student:
            raise RecordError("missing_required", "id", "A student has no id.")
        school, found = enrollment_facts(keys.school_enrollment)
        return Row(raw, str(student), school, found)
    except UNREADABLE:
        return Row(raw, "", fault=RecordError("bad_text", "", "The row holds bytes that are no text."))
    except RecordError as fault:
        return Row(raw, str(student or ""), fault=fault)


def enrollment_facts(enrollment: Any) -> tuple[str, Facts]:
    """School number and facts of a decoded school_enrollment. Raises RecordError where it has no status."""
    found = as_dict(enrollment)
    status = plain(found.get("enroll_status"), "enroll_status")
    if not status:
        raise RecordError("missing_required", "enroll_status", "enroll_status is missing.")
    school = integer(found.get("school_number"), "school_number")
    grade = plain(found.get("grade_level"), "grade_level")
    entered, left = (plain(found.get(name), name) for name in ("entry_date", "exit_date"))
    return "" if school is None else str(school), _facts(status, grade, entered, left)


@lru_cache(maxsize=50_000)
def _facts(letter: str, grade: int | str, entered: str, left: str) -> Facts:
    """The exit date of who is still enrolled is the end of the school year, in the future: no leave date."""
    status = STATUSES.get(letter.strip().upper(), LEFT)
    return Facts(
        status=status,
        grade=str(grade),
        entered=date_or_none(entered),
        left=date_or_none(left) if status == LEFT else None,
    )


def in_order(contacts: Iterable[Raw]) -> list[Raw]:
    """Contacts by contactId, so that the same contacts are the same bytes."""
    return sorted(contacts, key=_contact_place)


def _contact_place(raw: Raw) -> tuple[int, bytes]:
    try:
        return integer(_contact_id.decode(raw).contactId, "contactId") or 0, bytes(raw)
    except (RecordError, *UNREADABLE):
        return 0, bytes(raw)


def dates_passed(contacts: Iterable[Raw], today: dt.date) -> int:
    """How many first days in these contacts have come and last days are over: as it grows, their meaning
    changes."""
    day = today.isoformat().encode()
    return sum(
        found < day or (found == day and which == b"start")
        for raw in contacts
        for which, found in DATED.findall(memoryview(raw))
    )
