"""Enrollments: entering, returning, changing years, leaving."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from students import stays
from students.records import ALTERNATE, LEFT, PRIMARY, EnrollmentRecord
from students.stays import Stay, Year
from students.student_plan import end_stays

YEAR = Year(name="2026-2027", starts=dt.date(2026, 7, 1), ends=dt.date(2027, 6, 30))
TODAY = dt.date(2026, 11, 16)
PATH = "enrollments.110.2026-2027.1"


def a_stay(**values: Any) -> Stay:
    known: dict[str, Any] = {
        "id": 1, "school": "110", "year": "2026-2027", "stint": 1, "grade_level": "3",
        "entered": dt.date(2026, 8, 13), "left": None, "exit_reason": "", "primary": True,
    }  # fmt: skip
    return Stay(**{**known, **values})


def a_record(**values: Any) -> EnrollmentRecord:
    known: dict[str, Any] = {"school": "110", "grade_level": "3", "entered": dt.date(2026, 8, 13)}
    return EnrollmentRecord(**{**known, **values})


def test_a_newcomer_gets_a_stay() -> None:
    fields, reopens = stays.enroll([], a_record(), year=YEAR, primary=True)
    assert fields == {
        PATH: [
            None,
            {"grade_level": "3", "entered": "2026-08-13", "left": None, "exit_reason": "", "primary": True},
        ]
    }
    assert not reopens


def test_who_is_enrolled_as_told_needs_no_change() -> None:
    assert stays.enroll([a_stay()], a_record(), year=YEAR, primary=True) == ({}, False)


def test_a_grade_and_an_enter_date_are_corrected_in_place() -> None:
    record = a_record(grade_level="4", entered=dt.date(2026, 8, 20))
    fields, _ = stays.enroll([a_stay()], record, year=YEAR, primary=False)
    assert fields == {
        f"{PATH}.grade_level": ["3", "4"],
        f"{PATH}.entered": ["2026-08-13", "2026-08-20"],
        f"{PATH}.primary": [True, False],
    }


def test_a_blank_enter_date_keeps_ours() -> None:
    assert stays.enroll([a_stay()], a_record(entered=None), year=YEAR, primary=True) == ({}, False)


def test_a_stay_of_last_year_ends_with_the_year_and_a_new_one_begins() -> None:
    old = a_stay(year="2025-2026", entered=dt.date(2025, 8, 13))
    fields, reopens = stays.enroll([old], a_record(grade_level="4"), year=YEAR, primary=True)
    assert fields[f"{old.path}.left"] == [None, "2026-06-30"]
    assert fields[f"{old.path}.exit_reason"] == ["", "year ended"]
    assert fields[PATH][1]["grade_level"] == "4"
    assert not reopens


def test_a_stay_of_a_later_year_is_left_alone_by_a_run_of_this_one() -> None:
    later = a_stay(year="2027-2028", year_ends=dt.date(2028, 6, 30))
    gone = a_record(status=LEFT, left=dt.date(2026, 10, 2))
    assert stays.ahead(later, YEAR)
    assert stays.enroll([later], a_record(), year=YEAR, primary=True) == ({}, False)
    assert stays.leave([later], gone, today=TODAY, year=YEAR) == {}
    assert end_stays([later], {"110": (TODAY, "not in file")}, year=YEAR)[0] == {}


@pytest.mark.parametrize(
    ("told", "day"), [(None, "2026-06-04"), (dt.date(2026, 3, 5), "2026-03-05"), (TODAY, "2026-06-04")]
)
def test_a_stay_of_an_earlier_year_ends_with_that_year_or_when_the_student_left_before(
    told: dt.date | None, day: str
) -> None:
    old = a_stay(year="2025-2026", entered=dt.date(2025, 8, 13), year_ends=dt.date(2026, 6, 4))
    assert stays.outlived(old, YEAR)
    assert stays.end_with_year(old, year=YEAR, told=told) == {
        f"{old.path}.left": [None, day],
        f"{old.path}.exit_reason": ["", "year ended"],
    }


@pytest.mark.parametrize("entered", [None, dt.date(2026, 8, 13), dt.date(2026, 9, 1)])
def test_a_stay_is_reopened_when_the_source_knows_no_later_entry(entered: dt.date | None) -> None:
    ended = a_stay(left=dt.date(2026, 9, 1), exit_reason="not in file")
    fields, reopens = stays.enroll([ended], a_record(entered=entered), year=YEAR, primary=True)
    assert fields[f"{PATH}.left"] == ["2026-09-01", None]
    assert fields[f"{PATH}.exit_reason"] == ["not in file", ""]
    assert reopens


def test_a_return_after_leaving_is_a_second_stay() -> None:
    ended = a_stay(left=dt.date(2026, 9, 1))
    record = a_record(entered=dt.date(2026, 10, 1))
    fields, reopens = stays.enroll([ended], record, year=YEAR, primary=True)
    assert list(fields) == ["enrollments.110.2026-2027.2"]
    assert reopens


@pytest.mark.parametrize(
    ("left", "day"),
    [
        (dt.date(2026, 10, 2), "2026-10-02"),
        (None, "2026-11-16"),
        (dt.date(2027, 6, 1), "2026-11-16"),
        (dt.date(2026, 8, 1), "2026-08-13"),
    ],
    ids=["told", "blank", "in the future", "before entering"],
)
def test_the_day_of_leaving_is_the_sources_once_it_has_come(left: dt.date | None, day: str) -> None:
    record = a_record(status=LEFT, left=left, exit_reason="T")
    fields = stays.leave([a_stay()], record, today=TODAY)
    assert fields == {f"{PATH}.left": [None, day], f"{PATH}.exit_reason": ["", "T"]}


def test_leaving_a_school_one_is_not_at_changes_nothing() -> None:
    gone = a_stay(left=dt.date(2026, 9, 1))
    assert stays.leave([gone], a_record(status=LEFT), today=TODAY) == {}
    assert stays.leave([a_stay(school="120")], a_record(status=LEFT), today=TODAY) == {}


def test_the_latest_remaining_stay_succeeds_a_primary_one_that_ends() -> None:
    main = a_stay(school="110")
    second = a_stay(school="120", primary=False, entered=dt.date(2026, 9, 1))
    third = a_stay(school="130", primary=False)
    over = a_stay(school="140", primary=False, left=dt.date(2026, 9, 9), entered=dt.date(2026, 9, 8))
    held = [main, second, third, over]
    assert stays.succeed(held, ending=["110"], alternate=[]) == {f"{second.path}.primary": [False, True]}
    assert stays.succeed(held, ending=["110"], alternate=["120"]) == {f"{third.path}.primary": [False, True]}
    assert stays.succeed(held, ending=["110"], alternate=["120", "130"]) == {}
    assert stays.succeed(held, ending=["120"], alternate=[]) == {}
    assert stays.succeed(held, ending=["110", "120", "130"], alternate=[]) == {}


def test_the_primary_school_is_the_latest_to_be_entered_among_primary_records() -> None:
    early, late = dt.date(2026, 8, 13), dt.date(2026, 9, 1)
    assert stays.choose_primary({}) is None
    assert stays.choose_primary({"110": (ALTERNATE, late)}) is None
    assert stays.choose_primary({"110": (PRIMARY, early), "120": (ALTERNATE, late)}) == "110"
    assert stays.choose_primary({"110": (PRIMARY, early), "120": (PRIMARY, late)}) == "120"
    assert stays.choose_primary({"120": (PRIMARY, early), "110": (PRIMARY, early)}) == "110"
    assert stays.choose_primary({"120": (PRIMARY, None), "110": (PRIMARY, early)}) == "110"
