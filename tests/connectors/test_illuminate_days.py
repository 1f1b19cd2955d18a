"""Enrollments of Illuminate: days in session, leave dates, summer, moves, ids and flags in several types."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine

from integrations.connectors.base import Connector
from integrations.errors import (
    TenantChanged,
)
from integrations.sandbox import District, start
from students.records import ALTERNATE, CURRENT, FUTURE, LEFT, PRIMARY
from tests.connectors.illuminate_web import LISTS, ONLY, a_stay, a_student, answering, asked, one
from tests.connectors.reading import Reading, connected, one_school, read


def records(connector: Connector, reading: Reading) -> dict[str, Any]:
    return {record.external_id: connector.normalise(record, ONLY).enrollment for record in reading.records}


@pytest.mark.parametrize(
    ("today", "status"),
    [
        ("2026-07-20", CURRENT),
        ("2026-11-16", CURRENT),
        ("2027-06-04", CURRENT),
        ("2027-06-20", CURRENT),
    ],
)
def test_leave_date_at_the_end_of_the_session_is_no_leaving(today: str, status: str) -> None:
    with time_machine.travel(f"{today}T18:00Z", tick=True), answering() as web, one(web) as connector:
        (found,) = records(connector, read(connector, ONLY)).values()

    assert (found.status, found.left) == (status, None)


@pytest.mark.parametrize("terms", [[], [{"start_date": None, "end_date": None, "session_type_id": 1}]])
def test_session_is_taken_from_enrollments_where_there_are_no_terms(terms: list[Any]) -> None:
    with (
        time_machine.travel("2027-06-20T18:00Z", tick=True),
        answering(Terms=terms) as web,
        one(web) as connector,
    ):
        (found,) = records(connector, read(connector, ONLY)).values()
        (query, *_) = asked(web, "Students")

    assert (found.status, query["date"]) == (CURRENT, "2027-06-04")


def test_terms_of_summer_and_of_other_years_do_not_stretch_the_session() -> None:
    terms = [
        *LISTS["Terms/"],
        {"start_date": "2027-06-14", "end_date": "2027-07-16", "session_type_id": 2, "academic_year": 2027},
        {"start_date": "2027-08-12", "end_date": "2028-06-02", "session_type_id": 1, "academic_year": 2028},
    ]
    with time_machine.travel("2027-06-20T18:00Z", tick=True), answering(Terms=terms) as web, one(web) as connector:
        (found,) = records(connector, read(connector, ONLY)).values()

    assert found.status == CURRENT


@pytest.mark.parametrize(
    ("leave", "today", "status"),
    [
        ("2026-11-16", "2026-11-16", CURRENT),
        ("2026-11-15", "2026-11-16", LEFT),
        ("2026-11-30", "2026-11-16", CURRENT),
        (None, "2026-11-16", CURRENT),
    ],
)
def test_last_day_counts_and_a_day_to_come_is_no_leaving(leave: str | None, today: str, status: str) -> None:
    stays = [a_stay(5012, leave_date=leave, exit_code_id=11)]
    with (
        time_machine.travel(f"{today}T18:00Z", tick=True),
        answering(Enrollment=stays) as web,
        one(web) as connector,
    ):
        (found,) = records(connector, read(connector, ONLY)).values()

    gone = status == LEFT
    assert (found.status, found.left) == (status, dt.date(2026, 11, 15) if gone else None)
    assert found.exit_reason == ("11" if gone else "")


def test_record_is_other_bytes_once_its_leave_date_is_over() -> None:
    stays = [a_stay(5012, leave_date="2026-11-20")]
    parts = []
    with answering(Enrollment=stays) as web:
        for day in ("2026-11-18", "2026-11-19", "2026-11-23"):
            with time_machine.travel(f"{day}T18:00Z", tick=True), one(web) as connector:
                parts.append(read(connector, ONLY).records[0].parts)

    assert parts[0] == parts[1] != parts[2]


def test_entry_to_come_is_a_future_student() -> None:
    stays = [a_stay(5012, entry_date="2027-01-05")]
    with time_machine.travel("2026-11-16T18:00Z"), answering(Enrollment=stays) as web, one(web) as connector:
        (found,) = records(connector, read(connector, ONLY)).values()

    assert found.status == FUTURE


def test_second_enrollment_of_a_move_is_current_and_not_primary() -> None:
    stays = [
        a_stay(5012, leave_date="2026-10-01"),
        a_stay(5012, entry_date="2026-10-12", is_primary_ada=False, grade_level_id="6"),
    ]
    with (
        time_machine.travel("2026-11-16T18:00Z"),
        answering(Enrollment=stays) as web,
        one(web, page_size=50) as connector,
    ):
        (found,) = records(connector, read(connector, ONLY)).values()

    assert (found.status, found.role, found.entered) == (CURRENT, ALTERNATE, dt.date(2026, 10, 12))
    assert found.grade_level == "6"


@pytest.mark.parametrize(
    ("flag", "role"),
    [(True, PRIMARY), (1, PRIMARY), ("1", PRIMARY), ("t", PRIMARY), (None, PRIMARY),
     (False, ALTERNATE), (0, ALTERNATE), ("0", ALTERNATE), ("f", ALTERNATE), ("N", ALTERNATE)],
)  # fmt: skip
def test_primary_flag_is_understood_however_it_is_written(flag: Any, role: str) -> None:
    with (
        time_machine.travel("2026-11-16T18:00Z"),
        answering(Enrollment=[a_stay(5012, is_primary_ada=flag)]) as web,
        one(web) as connector,
    ):
        (found,) = records(connector, read(connector, ONLY)).values()

    assert found.role == role


def test_summer_session_is_no_enrollment() -> None:
    summer = a_stay(5012, session_type_id=2, entry_date="2026-11-01", leave_date="2026-12-01")
    with time_machine.travel("2026-11-16T18:00Z"), answering(Enrollment=[summer]) as web:
        with one(web) as connector:
            (record,) = read(connector, ONLY).records
            assert record.facts.status == FUTURE
        with one(web, session_types=["1", "2"]) as connector:
            (record,) = read(connector, ONLY).records
            assert record.facts.status == CURRENT


def test_ids_are_joined_whatever_their_type() -> None:
    student = {**a_student(5012), "student_id": "5012"}
    contact = {"contact_id": 3300.0, "student_id": "5012", "last_name": "Ortiz"}
    with (
        answering(Students=[student], Enrollment=[a_stay(5012.0, site_id="2")], Contacts=[contact]) as web,
        one(web) as connector,
    ):
        (record,) = read(connector, ONLY).records
        found = connector.normalise(record, ONLY).contacts

    assert isinstance(found, tuple)
    assert [contact.external_id for contact in found] == ["3300"]


@pytest.mark.parametrize("date", ["2026-13-01", "12/01/2026", 20261201])
def test_enrollment_with_an_impossible_day_rejects_the_student(date: Any) -> None:
    with answering(Enrollment=[a_stay(5012, leave_date=date)]) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert [(student, field) for student, field, _ in reading.rejected] == [("5012", "leave_date")]


def test_other_academic_year_is_refused() -> None:
    with (
        answering(Enrollment=[a_stay(5012, academic_year=2026)]) as web,
        one(web) as connector,
        pytest.raises(TenantChanged, match="2027 and answers for 2026"),
    ):
        read(connector, ONLY)


@pytest.mark.parametrize("other", [{"site_id": 3}, {"academic_year": 2026}])
def test_rows_of_other_sites_and_years_are_left_out(other: dict[str, Any]) -> None:
    stays = [a_stay(5012, leave_date="2026-10-01"), a_stay(5012, **other)]
    with (
        time_machine.travel("2026-11-16T18:00Z"),
        answering(Enrollment=stays) as web,
        one(web, page_size=50) as connector,
    ):
        (found,) = records(connector, read(connector, ONLY)).values()

    assert found.status == LEFT


def test_server_that_ignores_the_date_makes_nobody_current_who_left() -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with start("illuminate", district, by_date=False) as server, connected(server) as connector:
        child = district.children_in(district.real_schools[0].number)[0]
        district.leave(child.id, on=dt.date(2026, 9, 1))
        reading = one_school(connector, server)
        (found,) = [record for record in reading.records if record.external_id == str(child.dcid)]

    assert reading.problems == []
    assert (found.facts.status, found.facts.left) == (LEFT, dt.date(2026, 9, 1))
