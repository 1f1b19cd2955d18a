"""What has to be known of an Aeries row to join, page and judge it, without decoding the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from students.records import CURRENT, FUTURE, LEFT, Facts

from ...errors import RecordError
from ...parsing import UNREADABLE, date_or_none, integer, plain, required
from ..base import Connection

STATUS_ORDER = (CURRENT, FUTURE, LEFT)
_STATUSES = {"": CURRENT, "*": FUTURE}


class Row(msgspec.Struct, gc=False):
    """One student row. number: its StudentNumber, unique in the school. fault: why it cannot be used."""

    raw: Raw
    student: str
    number: int | None
    school: str
    facts: Facts | None = None
    fault: RecordError | None = None

    @property
    def key(self) -> tuple[str, int | None, str]:
        """What tells the row apart from every other; the bytes where it has no id."""
        return (self.student, self.number, "" if self.student else bytes(self.raw).decode("latin-1"))


class _Keys(msgspec.Struct, gc=False):
    StudentID: int
    StudentNumber: int
    SchoolCode: int
    InactiveStatusCode: str
    AttendanceProgramCodePrimary: str
    Grade: int
    SchoolEnterDate: str | None = None
    SchoolLeaveDate: str | None = None


class _Loose(msgspec.Struct, gc=False):
    StudentID: Any = UNSET
    StudentNumber: Any = UNSET
    SchoolCode: Any = UNSET
    InactiveStatusCode: Any = UNSET
    AttendanceProgramCodePrimary: Any = UNSET
    Grade: Any = UNSET
    SchoolEnterDate: Any = None
    SchoolLeaveDate: Any = None


class _Id(msgspec.Struct, gc=False):
    StudentID: Any = UNSET


class _ContactKeys(msgspec.Struct, gc=False):
    StudentID: int
    SequenceNumber: int


class _LooseContactKeys(msgspec.Struct, gc=False):
    StudentID: Any = UNSET
    SequenceNumber: Any = UNSET


_keys = msgspec.json.Decoder(_Keys)
_loose = msgspec.json.Decoder(_Loose)
_id = msgspec.json.Decoder(_Id)
_contact_keys = msgspec.json.Decoder(_ContactKeys)
_loose_contact_keys = msgspec.json.Decoder(_LooseContactKeys)


FactsOf = Callable[[Any, Any, Any, Any, Any], Facts]


def facts_reader(connection: Connection) -> FactsOf:
    """How an integration judges a row, from its inactive status code, program, grade, enter and leave date.

    A blank code is one however it is written. Raises RecordError where the enrollment program decides and
    is missing. What it found is remembered: a district has few combinations.
    """
    decides = bool(connection.primary_codes or connection.alternate_codes)

    def facts(code: str, program: Any, grade: Any, entered: Any, left: Any) -> Facts:
        status = _STATUSES.get(code.strip(), LEFT)
        if decides and not isinstance(program, str):
            required(program, "AttendanceProgramCodePrimary")
        program = plain(program, "AttendanceProgramCodePrimary")
        return Facts(
            status=status,
            grade=plain(grade, "Grade"),
            entered=date_or_none(entered),
            left=date_or_none(left) if status == LEFT else None,
            program=program,
            role=connection.role(program),
        )

    return lru_cache(maxsize=50_000, typed=True)(facts)


def student_row(raw: Raw, facts: FactsOf, school: str) -> Row:
    """A row with its keys and facts; ``fault`` says what is wrong with it, never an exception.

    school: the code of the school asked, taken where the row names none.
    """
    try:
        keys = _keys.decode(raw)
        student = str(keys.StudentID)
        found = facts(
            keys.InactiveStatusCode,
            keys.AttendanceProgramCodePrimary,
            keys.Grade,
            keys.SchoolEnterDate,
            keys.SchoolLeaveDate,
        )
    except (msgspec.ValidationError, RecordError):
        return _loose_row(raw, facts, school)
    except UNREADABLE:
        return Row(raw, _student_id(raw), None, school, fault=_unreadable())
    if keys.StudentID <= 0:
        return _loose_row(raw, facts, school)
    return Row(raw, student, keys.StudentNumber, str(keys.SchoolCode), found)


def _loose_row(raw: Raw, facts: FactsOf, school: str) -> Row:
    """A row in which a key is missing, blank or of another type than documented."""
    student = number = None
    try:
        keys = _loose.decode(raw)
        student, number = integer(keys.StudentID, "StudentID"), integer(keys.StudentNumber, "StudentNumber")
        own = integer(keys.SchoolCode, "SchoolCode")
        school = school if own is None else str(own)
        if not student or student < 0:
            student = None
            raise RecordError("missing_required", "StudentID", "A student has no StudentID.")
        code = keys.InactiveStatusCode
        if not isinstance(code, str):
            raise RecordError("missing_required", "InactiveStatusCode", "InactiveStatusCode is missing.")
        values = (keys.AttendanceProgramCodePrimary, keys.Grade, keys.SchoolEnterDate, keys.SchoolLeaveDate)
        if any(isinstance(value, (list, dict)) for value in values):
            raise RecordError("bad_type", "", "A value is a list or an object instead of a text.")
        return Row(raw, str(student), number, school, facts(code, *values))
    except UNREADABLE:
        return Row(raw, "", None, school, fault=_unreadable())
    except RecordError as fault:
        return Row(raw, str(student or ""), number, school, fault=fault)


def best_first(rows: Iterable[Row]) -> list[Row]:
    """The rows of one student in one school, the one that counts first.

    Active before pre-enrolled before left; then the latest to enter; then the highest number.
    """

    def rank(row: Row) -> tuple[int, int, int]:
        assert row.facts is not None
        entered = row.facts.entered
        return (
            STATUS_ORDER.index(row.facts.status),
            -(entered.toordinal() if entered else 0),
            -(row.number or 0),
        )

    return sorted(rows, key=rank)


def contact_keys(raw: Raw) -> tuple[str, int]:
    """StudentID and SequenceNumber of a contact row, ("", 0) and -1 where they are missing or unreadable."""
    try:
        keys = _contact_keys.decode(raw)
        return str(keys.StudentID), keys.SequenceNumber
    except msgspec.ValidationError:
        pass
    except UNREADABLE:
        return "", -1
    try:
        loose = _loose_contact_keys.decode(raw)
        student = integer(loose.StudentID, "StudentID")
        sequence = integer(loose.SequenceNumber, "SequenceNumber")
    except (RecordError, *UNREADABLE):
        return "", -1
    return str(student or ""), -1 if sequence is None else sequence


def _student_id(raw: Raw) -> str:
    try:
        return str(integer(_id.decode(raw).StudentID, "StudentID") or "")
    except (RecordError, *UNREADABLE):
        return ""


def _unreadable() -> RecordError:
    return RecordError("bad_text", "", "The row holds bytes that are no text.")
