"""When a scheduled job is due: over the changes of the clocks, short months and leap years."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab
from hypothesis import given
from hypothesis import strategies as st

from integrations.timetable import DAY, HOUR, MONTH, WEEK, YEAR, Timetable, in_words, next_time

PACIFIC = ZoneInfo("America/Los_Angeles")
SPRING, AUTUMN = dt.date(2027, 3, 14), dt.date(2027, 11, 7)
moments = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2032, 1, 1), timezones=st.just(dt.UTC))
timetables = st.builds(
    Timetable,
    frequency=st.sampled_from([HOUR, DAY, WEEK, MONTH, YEAR]),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    day=st.integers(1, 31),
    month=st.integers(1, 12),
)


def due(timetable: Timetable, start: dt.datetime, *, times: int) -> list[str]:
    """The next times it is due, in local time with the offset."""
    found: list[str] = []
    for _ in range(times):
        start = next_time(timetable, start, zone=PACIFIC)
        found.append(f"{start:%m-%d %H:%M %z}")
    return found


def noon_before(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day - dt.timedelta(days=1), dt.time(12), tzinfo=PACIFIC)


def test_time_the_clocks_skip_is_due_once_after_the_skip() -> None:
    timetable = Timetable(frequency=DAY, hour=2, minute=30)

    assert due(timetable, noon_before(SPRING), times=2) == ["03-14 03:30 -0700", "03-15 02:30 -0700"]


def test_time_that_comes_twice_is_due_once() -> None:
    timetable = Timetable(frequency=DAY, hour=1, minute=30)

    assert due(timetable, noon_before(AUTUMN), times=2) == ["11-07 01:30 -0700", "11-08 01:30 -0800"]


def test_minute_of_every_hour_is_a_minute_of_the_zone() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    noon = dt.datetime(2026, 11, 23, 12, 0, tzinfo=kolkata)

    assert next_time(Timetable(frequency=HOUR, minute=15), noon, zone=kolkata) == noon.replace(minute=15)


def test_every_hour_is_every_hour_that_passes() -> None:
    timetable = Timetable(frequency=HOUR, minute=15)
    midnight = dt.datetime.combine(AUTUMN, dt.time(), tzinfo=PACIFIC)
    before_spring = dt.datetime.combine(SPRING, dt.time(1), tzinfo=PACIFIC)

    assert due(timetable, midnight, times=4) == [
        "11-07 00:15 -0700", "11-07 01:15 -0700", "11-07 01:15 -0800", "11-07 02:15 -0800",
    ]  # fmt: skip
    assert due(timetable, before_spring, times=2) == ["03-14 01:15 -0800", "03-14 03:15 -0700"]


def test_last_day_stands_in_for_a_day_the_month_does_not_have() -> None:
    timetable = Timetable(frequency=MONTH, day=31, hour=3)
    new_year = dt.datetime(2028, 1, 1, tzinfo=PACIFIC)

    assert [one[:5] for one in due(timetable, new_year, times=4)] == ["01-31", "02-29", "03-31", "04-30"]


def test_leap_day_is_due_every_year() -> None:
    timetable = Timetable(frequency=YEAR, month=2, day=29, hour=3)
    start = dt.datetime(2026, 3, 1, tzinfo=PACIFIC)

    assert [one[:5] for one in due(timetable, start, times=2)] == ["02-28", "02-29"]


@given(timetables, moments)
def test_next_time_is_later_and_stays_until_it_has_come(timetable: Timetable, moment: dt.datetime) -> None:
    found = next_time(timetable, moment, zone=PACIFIC)

    assert found > moment
    assert next_time(timetable, found - dt.timedelta(seconds=1), zone=PACIFIC) == found
    assert next_time(timetable, moment + (found - moment) / 2, zone=PACIFIC) == found


@given(timetables.filter(lambda one: one.frequency != HOUR and one.day <= 28 and one.hour > 3), moments)
def test_next_time_is_the_one_a_cron_table_gives_away_from_clock_changes(
    timetable: Timetable, moment: dt.datetime
) -> None:
    stars = {
        DAY: {},
        WEEK: {"day_of_week": (timetable.weekday + 1) % 7},
        MONTH: {"day_of_month": timetable.day},
        YEAR: {"day_of_month": timetable.day, "month_of_year": timetable.month},
    }[timetable.frequency]
    local = moment.astimezone(PACIFIC)
    cron = crontab(
        minute=str(timetable.minute), hour=str(timetable.hour), nowfun=lambda: local,
        **{name: str(number) for name, number in stars.items()},
    )  # fmt: skip
    cron.tz = PACIFIC

    start, delta, _ = cron.remaining_delta(local)
    assert next_time(timetable, moment, zone=PACIFIC) == (start + delta).replace(tzinfo=PACIFIC, fold=0)


@pytest.mark.parametrize(
    ("timetable", "words"),
    [
        (Timetable(frequency=HOUR, minute=5), "Every hour at 5 past"),
        (Timetable(frequency=DAY, hour=2, minute=5), "Every day at 02:05"),
        (Timetable(frequency=WEEK, weekday=6, hour=22), "Every Sunday at 22:00"),
        (Timetable(frequency=MONTH, day=1, hour=3), "Every month on day 1 at 03:00"),
        (
            Timetable(frequency=MONTH, day=31, hour=3),
            "Every month on day 31, or the last day of a shorter month, at 03:00",
        ),
        (Timetable(frequency=YEAR, month=8, day=1, hour=4), "Every year on August 1 at 04:00"),
    ],
)
def test_timetable_is_told_in_words(timetable: Timetable, words: str) -> None:
    assert in_words(timetable) == words
