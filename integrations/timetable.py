"""When a scheduled job is due, in the district's time zone. Pure."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

import msgspec

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple(calendar.month_name)[1:]
HOUR, DAY, WEEK, MONTH, YEAR = "hour", "day", "week", "month", "year"
NEEDS: dict[str, tuple[str, ...]] = {
    HOUR: ("minute",),
    DAY: ("hour", "minute"),
    WEEK: ("weekday", "hour", "minute"),
    MONTH: ("day", "hour", "minute"),
    YEAR: ("month", "day", "hour", "minute"),
}
"""Frequency → the parts that say when; the others do not count."""


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """When something is due.

    weekday: 0 is Monday. day: 1 to 31; in a shorter month its last day. month: 1 to 12. Parts that the
    frequency does not need are not looked at.
    """

    frequency: str
    minute: int = 0
    hour: int = 0
    weekday: int = 0
    day: int = 1
    month: int = 1


def next_time(timetable: Timetable, after: dt.datetime, *, zone: dt.tzinfo) -> dt.datetime:
    """The first moment after a moment at which the timetable is due, in the zone.

    A time of day that the clocks skip counts as the same number of minutes after the skip; one that comes
    twice counts once, the first time. Every hour means every hour that passes.
    """
    if timetable.frequency == HOUR:
        return _next_hour(after, timetable.minute, zone).astimezone(zone)
    for day in _days(timetable, after.astimezone(zone).date()):
        wall = dt.datetime.combine(day, dt.time(timetable.hour, timetable.minute), tzinfo=zone)
        # By way of UTC, which turns a time that does not exist into one that does.
        due = wall.astimezone(dt.UTC)
        if due > after:
            return due.astimezone(zone)
    raise AssertionError("every timetable is due again")


def in_words(timetable: Timetable) -> str:
    """The timetable as a person says it, such as ``Every Monday at 02:30``."""
    at = f"at {timetable.hour:02}:{timetable.minute:02}"
    match timetable.frequency:
        case "hour":
            return f"Every hour at {timetable.minute} past"
        case "day":
            return f"Every day {at}"
        case "week":
            return f"Every {WEEKDAYS[timetable.weekday]} {at}"
        case "month":
            shorter = ", or the last day of a shorter month," if timetable.day > 28 else ""
            return f"Every month on day {timetable.day}{shorter} {at}"
        case _:
            return f"Every year on {MONTHS[timetable.month - 1]} {timetable.day} {at}"


def _next_hour(after: dt.datetime, minute: int, zone: dt.tzinfo) -> dt.datetime:
    whole = after.astimezone(dt.UTC).replace(second=0, microsecond=0)
    # Two hours, for a zone whose clocks change by half of one.
    moments = (whole + dt.timedelta(minutes=n) for n in range(1, 121))
    return next(moment for moment in moments if moment.astimezone(zone).minute == minute)


def _days(timetable: Timetable, first: dt.date) -> Iterator[dt.date]:
    """The days the timetable names, from the day before the first on."""
    match timetable.frequency:
        case "day":
            yield from (first + dt.timedelta(days=n) for n in range(-1, 4))
        case "week":
            start = first + dt.timedelta(days=(timetable.weekday - first.weekday()) % 7)
            yield from (start + dt.timedelta(weeks=n) for n in range(-1, 3))
        case "month":
            yield from (_in_month(first.year, first.month + n, timetable.day) for n in range(-1, 4))
        case _:
            yield from (_in_month(first.year + n, timetable.month, timetable.day) for n in range(-1, 4))


def _in_month(year: int, month: int, day: int) -> dt.date:
    """The day of a month, its last one where it is shorter; months count on over the ends of the year."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return dt.date(year, month, min(day, calendar.monthrange(year, month)[1]))
