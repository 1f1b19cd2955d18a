"""Lists of Illuminate in either shape: read whole, or told that they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import UNSET

from integrations.errors import (
    SystemUnavailable,
    UnusableAnswer,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from tests.connectors.illuminate_web import ONLY, a_stay, a_student, answering, one, pages_of
from tests.connectors.reading import connected, one_school, read, read_all, school_of


@pytest.fixture
def sis() -> Iterator[Sandbox]:
    """Sixty ordinary children at two schools."""
    with start("illuminate", District.generate(students=60, seed=3, schools=2, messy=False)) as server:
        yield server


@pytest.mark.parametrize("shape", ["envelope", "array"])
@pytest.mark.parametrize("small_shape", ["envelope", "array"])
def test_both_shapes_of_lists_are_read_whole(shape: str, small_shape: str) -> None:
    district = District.generate(students=80, seed=3, schools=2)
    with (
        start("illuminate", district, shape=shape, small_shape=small_shape) as server,
        connected(server, page_size=7) as connector,
    ):
        readings = read_all(connector)

    assert all(reading.problems == [] for reading in readings.values())
    assert sum(len(reading.ids) for reading in readings.values()) >= 80


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_bare_list_that_ends_with_a_full_page_is_whole(count: int) -> None:
    students, stays = [a_student(n) for n in range(1, count + 1)], [a_stay(n) for n in range(1, count + 1)]

    def bare(rows: list[Any]) -> Callable[[int, int], Any]:
        return lambda page, limit: rows[(page - 1) * limit : page * limit]

    with answering(Students=bare(students), Enrollment=bare(stays)) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert (len(reading.ids), reading.problems) == (count, [])


def test_bare_list_without_pages_comes_at_once() -> None:
    students, stays = [a_student(n) for n in range(1, 6)], [a_stay(n) for n in range(1, 6)]
    with answering(Students=students, Enrollment=stays) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert (len(reading.ids), reading.problems) == (5, [])


def test_bare_list_that_repeats_a_full_page_is_not_believed() -> None:
    students, stays = [a_student(1), a_student(2)], [a_stay(1), a_stay(2), a_stay(3)]
    with answering(Students=students, Enrollment=stays) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert "page_repeated" in reading.codes


def test_list_without_pages_is_empty(sis: Sandbox) -> None:
    with connected(sis) as connector:
        reading = read(connector, school_of(connector, 99))

    assert (reading.ids, reading.problems) == ([], [])


@pytest.mark.parametrize("by", [-1, 1])
def test_count_that_disagrees_is_told(by: int) -> None:
    students, stays = [a_student(n) for n in range(1, 6)], [a_stay(n) for n in range(1, 6)]
    with (
        answering(Students=pages_of(students, total=lambda _: by), Enrollment=pages_of(stays)) as web,
        one(web) as connector,
    ):
        reading = read(connector, ONLY)

    assert reading.codes & {"count_disagrees", "page_truncated", "page_skipped"}


def test_list_that_changes_its_count_is_read_once_more() -> None:
    calls: list[int] = []

    def total(page: int) -> int:
        calls.append(page)
        return int(len(calls) == 2)

    rows = [a_student(n) for n in range(1, 6)]
    stays = [a_stay(n) for n in range(1, 6)]
    with answering(Students=pages_of(rows, total=total), Enrollment=pages_of(stays)) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert calls[:5] == [1, 2, 1, 2, 3]
    assert (len(reading.ids), reading.problems) == (5, [])


def test_list_that_changes_its_count_again_and_again_is_not_believed() -> None:
    rows = [a_student(n) for n in range(1, 6)]
    stays = [a_stay(n) for n in range(1, 6)]
    with (
        answering(Students=pages_of(rows, total=lambda page: page), Enrollment=pages_of(stays)) as web,
        one(web) as connector,
    ):
        reading = read(connector, ONLY)

    assert "count_disagrees" in reading.codes


def test_number_of_pages_that_changes_is_not_believed(sis: Sandbox) -> None:
    with connected(sis, page_size=5) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        pages = connector.pages(source)
        next(pages)
        for _ in range(6):
            sis.district.add(school=int(source.code))
        problems = [problem for page in pages for problem in page.problems]
        confirmed = connector.confirm(source)

    assert [problem.code for problem in (*problems, *confirmed)]


@pytest.mark.parametrize("path", ["Students", "Contacts", "Enrollment"])
@pytest.mark.parametrize("which", ["first", "last"])
def test_first_and_last_page_are_read_again(path: str, which: str) -> None:
    lists = {
        "Students": [a_student(n) for n in range(1, 6)],
        "Enrollment": [a_stay(n) for n in range(1, 6)],
        "Contacts": [{"contact_id": n, "student_id": n, "first_name": "C"} for n in range(1, 6)],
    }
    with answering(**{name: pages_of(rows) for name, rows in lists.items()}) as web, one(web) as connector:
        list(connector.pages(ONLY))
        lists[path][0 if which == "first" else -1]["last_name"] = "Changed"
        codes = [problem.code for problem in connector.confirm(ONLY)]

    assert codes == ["count_disagrees"]


def test_confirming_what_was_not_read_is_refused(sis: Sandbox) -> None:
    with connected(sis) as connector:
        assert connector.confirm(ONLY)


@pytest.mark.parametrize("path", ["Students", "Contacts", "Enrollment"])
def test_server_error_on_page_two_ends_the_school(sis: Sandbox, path: str) -> None:
    sis.faults.add("F16", path=f"/{path}/", after=1, status=500)
    with connected(sis) as connector, pytest.raises(SystemUnavailable, match="500"):
        one_school(connector, sis)


def test_slow_down_is_obeyed(sis: Sandbox) -> None:
    waits: list[float] = []
    sis.faults.add("F13", path="/Contacts/", times=1, retry_after=9)
    with connected(sis, waits=waits) as connector:
        assert one_school(connector, sis).problems == []

    assert waits == [9]


def test_slow_page_is_waited_for(sis: Sandbox) -> None:
    sis.faults.add("F10", path="/Students/", times=1, seconds=0.2)
    with connected(sis) as connector:
        assert one_school(connector, sis).problems == []


@pytest.mark.parametrize(("code", "settings"), [("F28", {"keep": 1}), ("F39", {}), ("F41", {}), ("F38", {})])
@pytest.mark.parametrize("path", ["Contacts", "Enrollment"])
def test_list_that_is_not_whole_ends_the_school(sis: Sandbox, path: str, code: str, settings: dict[str, Any]) -> None:
    sis.faults.add(code, path=f"/{path}/", **settings)
    with connected(sis) as connector, pytest.raises(UnusableAnswer, match="not whole, so school .* is not read"):
        one_school(connector, sis)


def test_page_that_comes_again_is_seen_though_the_counts_agree() -> None:
    students, stays = [a_student(n) for n in range(1, 5)], [a_stay(n) for n in range(1, 5)]
    contacts = pages_of([{"contact_id": n, "student_id": n, "last_name": "C"} for n in range(1, 5)])
    with (
        answering(
            Students=pages_of(students),
            Enrollment=pages_of(stays),
            Contacts=lambda page, limit: {**contacts(1, limit), "page": page},
        ) as web,
        one(web) as connector,
        pytest.raises(UnusableAnswer, match="came on two pages"),
    ):
        read(connector, ONLY)


def test_rows_that_are_alike_on_two_pages_are_whole_when_the_counts_agree() -> None:
    students, stays = [a_student(n) for n in (1, 2, 3)], [a_stay(n) for n in (1, 2, 2, 3)]
    with answering(Students=pages_of(students), Enrollment=pages_of(stays)) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert (len(reading.ids), reading.problems) == (3, [])


@pytest.mark.parametrize(("total", "codes"), [(5, set()), (4, {"count_disagrees"}), (6, {"page_truncated"})])
def test_count_decides_where_pages_are_larger_than_asked_for(total: int, codes: set[str]) -> None:
    rows = [a_student(n) for n in range(1, 6)]
    envelope = {"page": 1, "num_pages": 1, "num_results": total, "results": rows}
    stays = [a_stay(n) for n in range(1, 6)]
    with answering(Students=envelope, Enrollment=pages_of(stays)) as web, one(web) as connector:
        assert read(connector, ONLY).codes == codes


def test_rows_without_a_page_stated_are_told() -> None:
    envelope = {"page": 1, "num_pages": 0, "results": [a_student(5012)]}
    with answering(Students=envelope) as web, one(web) as connector:
        assert read(connector, ONLY).codes == {"count_disagrees"}


def test_page_of_another_number_is_not_believed() -> None:
    students, stays = [a_student(n) for n in range(1, 5)], [a_stay(n) for n in range(1, 5)]
    good = pages_of(students)
    with (
        answering(Students=lambda page, limit: {**good(page, limit), "page": 1}, Enrollment=pages_of(stays)) as web,
        one(web) as connector,
    ):
        reading = read(connector, ONLY)

    assert reading.codes == {"page_repeated"}


def test_terms_that_are_not_whole_end_the_school(sis: Sandbox) -> None:
    sis.faults.add("F28", path="/Terms/", keep=1)
    with connected(sis) as connector, pytest.raises(UnusableAnswer, match="terms of school .* 3 stated, 1 sent"):
        one_school(connector, sis)


def test_pages_that_the_server_makes_smaller_are_whole() -> None:
    district = District.generate(students=60, seed=3, schools=2, messy=False)
    with start("illuminate", district, page_limit=7) as server, connected(server, page_size=20) as connector:
        reading = one_school(connector, server)

    assert reading.problems == []
    assert len(reading.ids) == len(district.children_in(district.real_schools[0].number))


def test_contact_of_nobody_is_told_and_keeps_no_other_away() -> None:
    rows = [{"contact_id": 1, "student_id": None}, {"contact_id": 2, "student_id": 5012, "last_name": "X"}]
    with answering(Contacts=rows) as web, one(web, page_size=50) as connector:
        reading = read(connector, ONLY)
        contacts = connector.normalise(reading.records[0], ONLY).contacts

    assert isinstance(contacts, tuple)
    assert [contact.external_id for contact in contacts] == ["2"]
    assert reading.codes == {"unreadable_rows"}


def test_no_contact_in_a_large_school_ends_it_with_one_sentence() -> None:
    students, stays = [a_student(n) for n in range(1, 11)], [a_stay(n) for n in range(1, 11)]
    with (
        answering(Students=students, Enrollment=stays, Contacts=[]) as web,
        one(web, page_size=50) as connector,
        pytest.raises(UnusableAnswer, match=r"no row of them in Contacts/.*contacts\.path, or leave it blank"),
    ):
        read(connector, ONLY)


def test_no_contact_in_a_small_school_says_nothing() -> None:
    with answering() as web, one(web) as connector:
        reading = read(connector, ONLY)
        assert connector.normalise(reading.records[0], ONLY).contacts is UNSET

    assert reading.problems == []


def test_students_without_any_enrollment_end_the_school_with_one_sentence() -> None:
    with (
        answering(Enrollment=[]) as web,
        one(web) as connector,
        pytest.raises(UnusableAnswer, match=r"no row of them in Enrollment/.*enrollment\.path"),
    ):
        read(connector, ONLY)


def test_student_without_enrollment_is_rejected_and_seen() -> None:
    with answering(Students=[a_student(1), a_student(2)], Enrollment=[a_stay(1)]) as web, one(web) as connector:
        reading = read(connector, ONLY)

    assert reading.ids == ["1"]
    assert [(student, field) for student, field, _ in reading.rejected] == [("2", "enrollment")]


def test_enrolled_student_who_is_not_listed_is_told() -> None:
    with (
        answering(Students=[a_student(1)], Enrollment=[a_stay(1), a_stay(2)], Contacts=[]) as web,
        one(web, page_size=50) as connector,
    ):
        reading = read(connector, ONLY)

    assert reading.codes == {"page_skipped"}


@pytest.mark.parametrize("values", [{"is_primary_ada": False}, {"session_type_id": 2}, {"leave_date": "2026-09-01"}])
def test_only_a_current_primary_enrollment_speaks_against_the_list(values: dict[str, Any]) -> None:
    with (
        answering(Students=[a_student(1)], Enrollment=[a_stay(1), a_stay(2, **values)]) as web,
        one(web, page_size=50) as connector,
    ):
        assert read(connector, ONLY).problems == []


@pytest.mark.parametrize("body", [{"page": 1, "results": []}, {"error": "no"}, {"results": []}, {"num_pages": "x"}])
def test_answer_of_another_shape_is_told_with_the_option(body: dict[str, Any]) -> None:
    with (
        answering(Students=body) as web,
        one(web) as connector,
        pytest.raises(UnusableAnswer, match=r"something else than a list.*students\.path"),
    ):
        read(connector, ONLY)
