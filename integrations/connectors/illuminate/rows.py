"""What has to be known of rows to join and judge them: keys, the days of enrollments, whose session counts. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from students.records import ALTERNATE, CURRENT, FUTURE, LEFT, PRIMARY, Facts

from ...errors import RecordError
from ...parsing import UNREADABLE, date, date_or_none, integer, plain, yes_no
from .profile import Endpoint, row_of


class Stay(msgspec.Struct, gc=False):
    """One row of Enrollment. site: the site's id. counts: of a session type that is an enrollment here.

    primary: whether attendance counts here. fault: why its days cannot be read.
    """

    raw: Raw
    student: str
    site: str
    year: int | None
    counts: bool
    grade: str = ""
    entered: dt.date | None = None
    left: dt.date | None = None
    primary: bool = True
    fault: RecordError | None = None

    def status(self, day: dt.date) -> str:
        """CURRENT, FUTURE or LEFT on a day; the last day counts, and a last day to come is no leaving."""
        if self.left is not None and self.left < day:
            return LEFT
        return FUTURE if self.entered is not None and self.entered > day else CURRENT


def id_reader(endpoint: Endpoint) -> msgspec.json.Decoder[Any]:
    """Decodes nothing of a row but its student id, whatever it is called."""
    name = endpoint.fields["student_id"]
    kind = msgspec.defstruct("Key", [("student_id", Any, msgspec.field(default=UNSET, name=name))], gc=False)
    return msgspec.json.Decoder(kind)


def student_id(raw: Raw, reader: msgspec.json.Decoder[Any]) -> str:
    """The id of the student a row is about, "" where it has none that can be read."""
    try:
        return str(integer(reader.decode(raw).student_id, "student_id") or "")
    except (RecordError, *UNREADABLE):
        return ""


def stay_of(raw: Raw, endpoint: Endpoint, *, sessions: Collection[str]) -> Stay:
    """A row of Enrollment; without a student "" where it cannot be told whose it is, never an exception.

    sessions: the session types that are an enrollment; a row that tells none counts.
    """
    try:
        row = row_of(raw)
        student = str(integer(endpoint.value(row, "student_id"), "student_id") or "")
    except RecordError as fault:
        return Stay(raw, "", "", None, False, fault=fault)
    try:
        kind = plain(endpoint.value(row, "session_type_id"), "session_type_id")
        entered, left = (date(endpoint.value(row, name), name) for name in ("entry_date", "leave_date"))
        return Stay(
            raw, student,
            site=plain(endpoint.value(row, "site_id"), "site_id"),
            year=integer(endpoint.value(row, "academic_year"), "academic_year"),
            counts=not kind or kind in sessions,
            grade=plain(endpoint.value(row, "grade_level_id"), "grade_level_id"),
            entered=entered or None,
            left=left or None,
            primary=_primary(endpoint.value(row, "is_primary_ada")),
        )  # fmt: skip
    except RecordError as fault:
        return Stay(raw, student, "", None, True, fault=fault)


def _primary(value: Any) -> bool:
    """False only where the row says so, also as ``f``."""
    told = yes_no(value, "is_primary_ada")
    return told if isinstance(told, bool) else plain(value, "is_primary_ada").lower() != "f"


def best(stays: Iterable[Stay], day: dt.date) -> Stay | None:
    """The row that says how a student stands at one site on a day; None without a row that counts.

    One that holds on the day, the primary one and then the latest first; else the next to begin; else the last.
    """
    counting = [stay for stay in stays if stay.counts and stay.fault is None]
    current = [stay for stay in counting if stay.status(day) == CURRENT]
    if current:
        return max(current, key=lambda stay: (stay.primary, stay.entered or dt.date.min, bytes(stay.raw)))
    future = [stay for stay in counting if stay.status(day) == FUTURE]
    if future:
        return min(future, key=lambda stay: (stay.entered or dt.date.max, bytes(stay.raw)))
    return max(counting, key=lambda stay: (stay.left or dt.date.min, bytes(stay.raw)), default=None)


def facts_of(stay: Stay, day: dt.date) -> Facts:
    """The facts of one row on a day."""
    status = stay.status(day)
    return Facts(
        status=status,
        grade=stay.grade,
        entered=stay.entered,
        left=stay.left if status == LEFT else None,
        role=PRIMARY if stay.primary else ALTERNATE,
    )


def days_of_terms(
    terms: Iterable[Raw], endpoint: Endpoint, *, year: int, sessions: Collection[str]
) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each term of the year in a session that counts; terms without days are left out."""
    days: list[tuple[dt.date, dt.date]] = []
    for raw in terms:
        try:
            row = row_of(raw)
            kind = plain(endpoint.value(row, "session_type_id"), "session_type_id")
            its_year = integer(endpoint.value(row, "academic_year"), "academic_year")
        except RecordError:
            continue
        first, last = (date_or_none(endpoint.value(row, name)) for name in ("start_date", "end_date"))
        if first and last and first <= last and its_year in (None, year) and (not kind or kind in sessions):
            days.append((first, last))
    return days


def days_of_stays(stays: Iterable[Stay]) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each row that counts."""
    return [(s.entered, s.left) for s in stays if s.counts and s.entered and s.left and s.entered <= s.left]


def nearest_day(today: dt.date, days: Sequence[tuple[dt.date, dt.date]]) -> dt.date:
    """Today, or the nearest day between the first and the last of these days; today without any."""
    if not days:
        return today
    return min(max(today, min(first for first, _ in days)), max(last for _, last in days))
