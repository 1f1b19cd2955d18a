"""What has to be known of a row of a query, flattened or grouped, without decoding the rest. Sources: the README."""

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

STATUSES = {"0": CURRENT, "-1": FUTURE}
DATED = re.compile(rb'"(start|end)date"\s*:\s*"(\d{4}-\d\d-\d\d)')


class Row(msgspec.Struct, gc=False):
    """One row of the roster. student: its DCID. school: the number of its school. fault: why it is no use."""

    raw: bytes
    student: str
    school: str = ""
    facts: Facts | None = None
    fault: RecordError | None = None


class _Keys(msgspec.Struct, gc=False):
    dcid: Any = UNSET
    studentdcid: Any = UNSET
    schoolid: Any = UNSET
    enroll_status: Any = UNSET
    grade_level: Any = UNSET
    entrydate: Any = UNSET
    exitdate: Any = UNSET


class _Grouped(msgspec.Struct, gc=False):
    tables: dict[str, _Keys]


KEYS = _Keys.__struct_fields__
_flattened = msgspec.json.Decoder(_Keys)
_grouped = msgspec.json.Decoder(_Grouped)


def cells(raw: bytes | Raw) -> dict[str, Any]:
    """The columns of a row by their names in lower case, whatever table they stand under.

    A column that is not there is blank. Raises what UNREADABLE names.
    """
    row = as_dict(msgspec.json.decode(raw))
    groups = row.get("tables")
    if isinstance(groups, dict):
        row = {name: value for group in groups.values() for name, value in as_dict(group).items()}
    return {name.rpartition(".")[2].lower(): value for name, value in row.items()}


def day(value: Any) -> Any:
    """A date as ``date`` of parsing takes it, from one that comes with a time of day."""
    return value[:10] if isinstance(value, str) and value[10:11] == " " else value


def roster_row(raw: bytes | Raw) -> Row:
    """A row of the roster with its keys and facts; ``fault`` says what is wrong with it, never an exception."""
    row, student = bytes(raw), None
    try:
        keys = _keys(raw)
        student = integer(keys.get("dcid"), "dcid")
        if not student:
            raise RecordError("missing_required", "dcid", "A student has no dcid.")
        school, facts = enrollment_facts(keys)
        return Row(row, str(student), school, facts)
    except UNREADABLE:
        return Row(row, "", fault=RecordError("bad_text", "", "The row holds bytes that are no text."))
    except RecordError as fault:
        return Row(row, str(student or ""), fault=fault)


def owner(raw: bytes | Raw) -> str:
    """The DCID of the student a row of another query belongs to. Raises RecordError and what UNREADABLE names."""
    keys = _keys(raw)
    found = integer(keys.get("studentdcid", keys.get("dcid")), "studentdcid")
    if not found:
        raise RecordError("missing_required", "studentdcid", "A row names no student.")
    return str(found)


def enrollment_facts(found: dict[str, Any]) -> tuple[str, Facts]:
    """School number and facts of the columns of an enrollment. Raises RecordError where it has no status."""
    status = plain(found.get("enroll_status"), "enroll_status")
    if not status:
        raise RecordError("missing_required", "enroll_status", "enroll_status is missing.")
    school = integer(found.get("schoolid"), "schoolid")
    grade = plain(found.get("grade_level"), "grade_level")
    entered, left = (plain(day(found.get(name)), name) for name in ("entrydate", "exitdate"))
    return "" if school is None else str(school), _facts(status, grade, entered, left)


def dates_passed(rows: Iterable[bytes], today: dt.date) -> int:
    """How many first days in these rows have come and last days are over: as it grows, their meaning changes."""
    now = today.isoformat().encode()
    return sum(
        found < now or (found == now and which == b"start") for row in rows for which, found in DATED.findall(row)
    )


def _keys(raw: bytes | Raw) -> dict[str, Any]:
    """The columns among KEYS that are there."""
    try:
        one = _flattened.decode(raw)
        parts = [one]
        if one.dcid is UNSET and one.studentdcid is UNSET:
            parts = list(_grouped.decode(raw).tables.values())
    except msgspec.ValidationError:
        return cells(raw)
    found = {name: value for part in parts for name in KEYS if (value := getattr(part, name)) is not UNSET}
    return found or cells(raw)


@lru_cache(maxsize=50_000)
def _facts(code: str, grade: str, entered: str, left: str) -> Facts:
    """The exit date of who is still enrolled is the end of the school year, in the future: no leave date."""
    status = STATUSES.get(code, LEFT)
    return Facts(
        status=status,
        grade=grade,
        entered=date_or_none(entered),
        left=date_or_none(left) if status == LEFT else None,
    )
