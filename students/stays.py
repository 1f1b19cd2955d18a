"""How a student's enrollments have to change for what the source says: pure rules on values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from .records import LEFT, PRIMARY, EnrollmentRecord

YEAR_ENDED = "year ended"
NOT_IN_FILE = "not in file"


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """One enrollment we hold. school: our code; year: the academic year's name; left None is current.

    year_ends: the last day of its academic year, None where it does not matter.
    """

    id: int
    school: str
    year: str
    stint: int
    grade_level: str
    entered: dt.date | None
    left: dt.date | None
    exit_reason: str
    primary: bool
    year_ends: dt.date | None = None

    @property
    def path(self) -> str:
        """How changes name this enrollment."""
        return f"enrollments.{self.school}.{self.year}.{self.stint}"


class Year(msgspec.Struct, frozen=True, kw_only=True):
    """The academic year a run imports: its name and days.

    since: the first day that belongs to it although it is holiday, None for ``starts``.
    """

    name: str
    starts: dt.date
    ends: dt.date
    since: dt.date | None = None


Fields = dict[str, list[Any]]
"""``{path: [before, after]}`` in values that JSON holds."""


def current(stays: Sequence[Stay], school: str) -> Stay | None:
    """The student's current stay at a school, None when there is none."""
    return next((stay for stay in stays if stay.school == school and stay.left is None), None)


def choose_primary(candidates: Mapping[str, tuple[str, dt.date | None]]) -> str | None:
    """The school of the primary enrollment.

    candidates: our school code → (role, date entered) of every current record. The latest to be entered
    wins, then the first school code. None when no record has the primary role.
    """
    claims = [(entered or dt.date.min, school) for school, (role, entered) in candidates.items() if role == PRIMARY]
    if not claims:
        return None
    latest = max(entered for entered, _ in claims)
    return min(school for entered, school in claims if entered == latest)


def enroll(stays: Sequence[Stay], record: EnrollmentRecord, *, year: Year, primary: bool) -> tuple[Fields, bool]:
    """What makes the student currently enrolled as the record says, and whether that reopens a stay.

    record: in our codes, status CURRENT. A stay of an earlier year ends with the reason "year ended"; one of a
    later year is left as it is.
    """
    fields: Fields = {}
    open_stay = current(stays, record.school)
    if open_stay is not None and open_stay.year == year.name:
        _set(fields, open_stay, "grade_level", open_stay.grade_level, record.grade_level)
        if record.entered is not None:
            _set(fields, open_stay, "entered", iso(open_stay.entered), iso(record.entered))
        _set(fields, open_stay, "primary", open_stay.primary, primary)
        return fields, False
    if open_stay is not None:
        if ahead(open_stay, year):
            return fields, False
        fields |= end_with_year(open_stay, year=year)
    earlier = [stay for stay in stays if stay.school == record.school and stay.year == year.name]
    last = max(earlier, key=lambda stay: stay.stint, default=None)
    if last is not None and (record.entered is None or last.left is None or record.entered <= last.left):
        _set(fields, last, "left", iso(last.left), None)
        _set(fields, last, "exit_reason", last.exit_reason, "")
        _set(fields, last, "grade_level", last.grade_level, record.grade_level)
        if record.entered is not None:
            _set(fields, last, "entered", iso(last.entered), iso(record.entered))
        _set(fields, last, "primary", last.primary, primary)
        return fields, True
    stint = last.stint + 1 if last else 1
    fields[f"enrollments.{record.school}.{year.name}.{stint}"] = [
        None,
        {
            "grade_level": record.grade_level,
            "entered": iso(record.entered),
            "left": None,
            "exit_reason": "",
            "primary": primary,
        },
    ]
    return fields, bool(stays) and not any(stay.left is None for stay in stays)


def end(stay: Stay, *, on: dt.date, reason: str) -> Fields:
    """What ends a current stay on a day; never before the student entered."""
    last_day = max(on, stay.entered) if stay.entered else on
    fields: Fields = {}
    _set(fields, stay, "left", None, iso(last_day))
    _set(fields, stay, "exit_reason", stay.exit_reason, reason)
    return fields


def outlived(stay: Stay, year: Year) -> bool:
    """Whether a stay is current although it belongs to a year before this one."""
    return stay.left is None and stay.year != year.name and not ahead(stay, year)


def ahead(stay: Stay, year: Year) -> bool:
    """Whether a stay belongs to a year after this one."""
    return stay.year != year.name and stay.year_ends is not None and stay.year_ends > year.ends


def end_with_year(stay: Stay, *, year: Year, told: dt.date | None = None) -> Fields:
    """What ends a stay of an earlier year: "year ended", on that year's last day.

    year: the one that follows. told: a day on which the student had left before the year was over.
    """
    last = min(stay.year_ends or dt.date.max, year.starts - dt.timedelta(days=1))
    return end(stay, on=min(told or last, last), reason=YEAR_ENDED)


def leave(stays: Sequence[Stay], record: EnrollmentRecord, *, today: dt.date, year: Year | None = None) -> Fields:
    """What ends the stay a record with status LEFT speaks of; {} when there is none to end.

    The system's leave date counts once it has come, else today. year: the one imported; a stay of an earlier one
    ends with its year, one of a later year not at all.
    """
    stay = current(stays, record.school)
    if stay is None or record.status != LEFT or (year is not None and ahead(stay, year)):
        return {}
    if year is not None and outlived(stay, year):
        return end_with_year(stay, year=year, told=record.left)
    day = record.left if record.left and record.left <= today else today
    return end(stay, on=day, reason=record.exit_reason or "left")


def set_primary(stay: Stay, primary: bool) -> Fields:
    """What makes a stay primary or not."""
    fields: Fields = {}
    _set(fields, stay, "primary", stay.primary, primary)
    return fields


def succeed(stays: Sequence[Stay], *, ending: Collection[str], alternate: Collection[str]) -> Fields:
    """What makes a remaining stay primary when the primary one ends; {} when none has to be or can be.

    ending: schools whose stays end. alternate: schools whose stays never are primary. The latest to be
    entered wins, then the first school code.
    """
    remaining = [stay for stay in stays if stay.left is None and stay.school not in ending]
    fit = {stay.school: (PRIMARY, stay.entered) for stay in remaining if stay.school not in alternate}
    chosen = choose_primary(fit)
    heir = next((stay for stay in remaining if stay.school == chosen), None)
    return set_primary(heir, True) if heir and not any(stay.primary for stay in remaining) else {}


def iso(day: dt.date | None) -> str | None:
    """A date as text for a change, None for none."""
    return day.isoformat() if day else None


def _set(fields: Fields, stay: Stay, name: str, before: Any, after: Any) -> None:
    if before != after:
        fields[f"{stay.path}.{name}"] = [before, after]
