"""What has to be known of a student's record to place and judge it, without decoding the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from students.records import ALTERNATE, CURRENT, LEFT, PRIMARY, Facts

from ...errors import RecordError
from ...parsing import UNREADABLE, date, plain, required, yes_no


class Stay(msgspec.Struct, frozen=True):
    """One enrollment of a student: where, the few facts of it, and its bytes."""

    building: str
    facts: Facts
    raw: bytes


class Row(msgspec.Struct):
    """One student. buildings: where it is enrolled. stays: one a building. fault: why it cannot be used."""

    student: str
    buildings: tuple[str, ...] = ()
    stays: tuple[Stay, ...] = ()
    fault: RecordError | None = None


class _Keys(msgspec.Struct, gc=False):
    studentId: Any = UNSET
    gradeCode: Any = UNSET
    enrollments: list[Raw] | None = None


class _Enrollment(msgspec.Struct, gc=False):
    buildingId: Any = UNSET
    entryDate: Any = UNSET
    exitDate: Any = UNSET
    primary: Any = UNSET


class _Id(msgspec.Struct, gc=False):
    studentId: Any = UNSET


_keys = msgspec.json.Decoder(_Keys)
_enrollment = msgspec.json.Decoder(_Enrollment)
_id = msgspec.json.Decoder(_Id)


def student_row(raw: Raw | bytes, *, today: dt.date) -> Row:
    """The student's id and enrollments as of a day; ``fault`` says what is wrong with it, never an exception."""
    student = ""
    buildings: tuple[str, ...] = ()
    try:
        keys = _keys.decode(raw)
        student = known_id(keys.studentId)
        read = [_read(one) for one in keys.enrollments or ()]
        buildings = tuple(dict.fromkeys(_text_or_blank(one.buildingId) for one, _ in read) - {"": None}.keys())
        own_id(keys.studentId)
        return Row(student, buildings, place(read, grade=plain(keys.gradeCode, "gradeCode"), today=today))
    except RecordError as fault:
        return Row(student, buildings, fault=fault)
    except msgspec.ValidationError:
        return Row(_id_of(raw), fault=RecordError("bad_type", "enrollments", "The enrollments are no list."))
    except UNREADABLE:
        return Row(_id_of(raw), fault=RecordError("bad_text", "", "The record holds bytes that are no text."))


def own_id(value: Any) -> str:
    """The student's id. Raises RecordError for a number, which may have lost its zeros, and for no id."""
    if not isinstance(value, str) and known_id(value):
        raise RecordError("bad_type", "studentId", "studentId is a number; it must be a text, to keep its zeros.")
    found = required(value, "studentId")
    if not found.isprintable():
        raise RecordError("bad_text", "studentId", "studentId holds control characters.")
    return found


def known_id(value: Any) -> str:
    """The id a record seems to have, "" for none."""
    try:
        found = plain(value, "studentId")
    except RecordError:
        return ""
    return found if found.isprintable() else ""


def place(read: Iterable[tuple[_Enrollment, bytes]], *, grade: str, today: dt.date) -> tuple[Stay, ...]:
    """One enrollment a building: current before ended, primary before not, then the last entered.

    Where none is marked primary, the last entered current one counts as such. Raises RecordError where there is
    no enrollment, or one without a building or with a date that is none.
    """
    stays = [_stay(one, raw, grade=grade, today=today) for one, raw in read]
    if not stays:
        raise RecordError("missing_required", "enrollments", "The student has no enrollment.")
    stays.sort(key=_rank)
    if all(stay.facts.role != PRIMARY for stay in stays):
        first = stays[0]
        stays[0] = msgspec.structs.replace(first, facts=msgspec.structs.replace(first.facts, role=PRIMARY))
    by_building: dict[str, Stay] = {}
    for stay in stays:
        by_building.setdefault(stay.building, stay)
    return tuple(by_building[building] for building in sorted(by_building))


def _read(raw: Raw) -> tuple[_Enrollment, bytes]:
    try:
        return _enrollment.decode(raw), bytes(raw)
    except msgspec.ValidationError:
        raise RecordError("bad_type", "enrollments", "An enrollment is no object.") from None


def _stay(one: _Enrollment, raw: bytes, *, grade: str, today: dt.date) -> Stay:
    building = required(one.buildingId, "enrollments.buildingId")
    entered, left = date(one.entryDate, "enrollments.entryDate"), date(one.exitDate, "enrollments.exitDate")
    gone = isinstance(left, dt.date) and left < today
    facts = Facts(
        status=LEFT if gone else CURRENT,
        grade=grade,
        entered=entered or None,
        left=(left or None) if gone else None,
        role=PRIMARY if yes_no(one.primary, "enrollments.primary") is True else ALTERNATE,
    )
    return Stay(building, facts, raw)


def _rank(stay: Stay) -> tuple[bool, bool, int, str]:
    entered = stay.facts.entered
    latest = -(entered.toordinal() if entered else 0)
    return stay.facts.status != CURRENT, stay.facts.role != PRIMARY, latest, stay.building


def _text_or_blank(value: Any) -> str:
    try:
        return plain(value, "")
    except RecordError:
        return ""


def _id_of(raw: Raw | bytes) -> str:
    try:
        return known_id(_id.decode(raw).studentId)
    except UNREADABLE:
        return ""
