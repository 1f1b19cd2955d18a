"""What every connector of the registry makes of a system that answers wrongly, late or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.connectors.base import Connector
from integrations.errors import (
    AuthenticationFailed,
    IntegrationError,
    PermissionMissing,
    RateLimited,
    RecordError,
    SystemUnavailable,
    UnusableAnswer,
)
from integrations.sandbox.server import Sandbox
from students.records import StudentRecord
from tests.connectors.reading import (
    ONE_ANSWER,
    ONE_LIST,
    STUDENTS,
    connected,
    one_school,
    read,
    school_of,
)

PAYLOAD_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("F31", {"how": "missing"}),
    ("F31", {"how": "renamed"}),
    ("F31", {"how": "type"}),
    ("F32", {}),
    ("F33", {}),
    ("F34", {}),
    ("F35", {"kind": "all"}),
    ("F36", {"how": "number"}),
    ("F36", {"how": "float"}),
    ("F36", {"how": "stripped"}),
    ("F37", {}),
)
PAGING_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("F28", {"keep": 1}),
    ("F28", {"keep": 5}),
    ("F38", {}),
    ("F39", {}),
    ("F40", {"how": "delete"}),
    ("F40", {"how": "insert"}),
    ("F41", {}),
    ("F42", {}),
    ("F43", {"by": 1}),
    ("F43", {"by": -1}),
    ("F44", {}),
    ("F44", {"size": 7}),
)
BETWEEN_PAGES = frozenset({"F38", "F39", "F40", "F42"})
"""What can only go wrong where there is more than one page."""


def _attempt(connector: Connector, sis: Sandbox) -> set[str]:
    """The codes of all that a reading of every real school says against itself."""
    found: set[str] = set()
    for school in sis.district.real_schools:
        try:
            reading = read(connector, school_of(connector, school.number))
        except IntegrationError as error:
            found.add(error.code)
        else:
            found |= reading.codes
    return found


@pytest.mark.parametrize("code", ["F04", "F05", "F06", "F13", "F14", "F15", "F16", "F26"])
def test_passing_trouble_is_overcome(tidy: Sandbox, code: str) -> None:
    waits: list[float] = []
    tidy.faults.add(code, path=STUDENTS, after=1, times=2)
    with connected(tidy, waits=waits) as connector:
        reading = one_school(connector, tidy)

    assert reading.problems == []
    assert len(reading.records) == len(tidy.district.children_in(tidy.district.real_schools[0].number))
    assert len(waits) == 2
    assert all(0 < wait <= 60 for wait in waits) or code == "F14"


def test_retry_after_is_waited_for(tidy: Sandbox) -> None:
    waits: list[float] = []
    tidy.faults.add("F13", path=STUDENTS, times=1, retry_after=7)
    tidy.faults.add("F14", path=STUDENTS, after=1, times=1, retry_after=30)
    with connected(tidy, waits=waits) as connector:
        one_school(connector, tidy)

    assert waits[0] == 7
    assert 20 < waits[1] <= 30


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_lasting_server_error_is_unavailable(tidy: Sandbox, status: int) -> None:
    waits: list[float] = []
    tidy.faults.add("F16", path=STUDENTS, status=status)
    with connected(tidy, waits=waits) as connector, pytest.raises(SystemUnavailable, match=str(status)):
        one_school(connector, tidy)

    assert 0 < len(waits) < 6


@pytest.mark.parametrize("code", ["F13", "F15"])
def test_lasting_rate_limit_is_told_and_soon(tidy: Sandbox, code: str) -> None:
    waits: list[float] = []
    tidy.faults.add(code, path=STUDENTS)
    with connected(tidy, waits=waits) as connector, pytest.raises(RateLimited):
        one_school(connector, tidy)

    assert sum(waits) <= 60


def test_long_retry_after_is_handed_on_without_waiting(tidy: Sandbox) -> None:
    waits: list[float] = []
    tidy.faults.add("F13", path=STUDENTS, retry_after=86400)
    with connected(tidy, waits=waits) as connector, pytest.raises(RateLimited) as caught:
        one_school(connector, tidy)

    assert caught.value.retry_after_s == 86400
    assert caught.value.sent is False
    assert waits == []


@pytest.mark.parametrize("code", ["F21", "F22", "F23", "F24", "F27", "F29", "F30"])
def test_answer_without_data_is_unusable(tidy: Sandbox, code: str) -> None:
    tidy.faults.add(code, path=STUDENTS)
    with connected(tidy) as connector:
        school = school_of(connector, tidy.district.real_schools[0].number)
        with pytest.raises(UnusableAnswer):
            read(connector, school)


def test_web_page_instead_of_data_is_called_one(tidy: Sandbox) -> None:
    tidy.faults.add("F21", path=STUDENTS)
    with connected(tidy) as connector, pytest.raises(UnusableAnswer, match="web page instead of data"):
        one_school(connector, tidy)


@pytest.mark.parametrize("to", ["login", "other", "metadata"])
def test_redirect_is_never_followed(tidy: Sandbox, to: str) -> None:
    tidy.faults.add("F20", path=STUDENTS, to=to)
    with connected(tidy) as connector, pytest.raises(SystemUnavailable, match="do not follow"):
        one_school(connector, tidy)

    assert tidy.requests["(no route)"] == 0


def test_lasting_refusal_is_told(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        connector.tenant()
        tidy.faults.add("F18")
        with pytest.raises(AuthenticationFailed):
            one_school(connector, tidy)


def test_one_school_forbidden_is_a_missing_permission_and_no_bar_to_the_other(tidy: Sandbox) -> None:
    one, other = (school.number for school in tidy.district.real_schools)
    tidy.faults.add("F19", school=one)
    with connected(tidy) as connector:
        if tidy.vendor.key not in ONE_LIST:
            with pytest.raises(PermissionMissing, match=str(one)):
                read(connector, school_of(connector, one))
        assert read(connector, school_of(connector, other)).problems == []


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize(("code", "settings"), PAGING_FAULTS)
def test_faulty_paging_is_never_passed_over(
    tidy: Sandbox, code: str, settings: dict[str, Any], times: int | None
) -> None:
    path = STUDENTS if code != "F43" else r"/count$"
    fault = tidy.faults.add(code, path=path, times=times, **settings)
    with connected(tidy) as connector:
        codes = _attempt(connector, tidy)

    whole = tidy.vendor.key in ONE_ANSWER and (code in BETWEEN_PAGES or settings == {})
    assert bool(codes) == bool(fault.applied) or whole
    assert fault.applied or code == "F43" or whole


@pytest.mark.parametrize("how", ["delete", "insert"])
def test_list_that_really_moves_is_never_passed_over(tidy: Sandbox, how: str) -> None:
    school = tidy.district.real_schools[0].number
    with connected(tidy, page_size=5) as connector:
        source = school_of(connector, school)
        pages = connector.pages(source)
        next(pages)
        if how == "delete":
            tidy.district.remove(tidy.district.children_in(school)[0].id)
        else:
            tidy.district.add(school=school)
        problems = [problem for page in pages for problem in page.problems]
        assert [*problems, *connector.confirm(source)]


@pytest.mark.parametrize(("code", "settings"), PAYLOAD_FAULTS)
def test_strange_rows_are_rejected_one_by_one(messy: Sandbox, code: str, settings: dict[str, Any]) -> None:
    messy.faults.add(code, path=STUDENTS, **settings)
    errors: list[RecordError] = []
    school = messy.district.real_schools[0].number
    with connected(messy) as connector:
        source = school_of(connector, school)
        reading = read(connector, source)
        for record in reading.records:
            try:
                assert isinstance(connector.normalise(record, source), StudentRecord)
            except RecordError as error:
                errors.append(error)

    reasons = {"bad_date", "bad_text", "bad_type", "missing_required", "too_long"}
    assert {error.code for error in errors} <= reasons
    assert all(error.field or error.message for error in errors)
    known = {*reading.ids, *(student for student, _, _ in reading.rejected)}
    assert len(known) >= len(messy.district.children_in(school)) * 0.9


def test_same_person_twice_with_other_values_is_rejected(tidy: Sandbox) -> None:
    tidy.faults.add("F34", path=STUDENTS, times=1)
    with connected(tidy) as connector:
        reading = one_school(connector, tidy)

    assert len(reading.rejected) == 1
    assert reading.rejected[0][0] not in reading.ids
    assert "page_repeated" in reading.codes
