"""What is peculiar to a SchoolTool roster feed: the token in the Url, the school year, lists and file, completeness."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from integrations.connectors.base import Connection, Connector, SourceSchool
from integrations.connectors.schooltool.connector import SchoolToolConnector
from integrations.errors import (
    AuthenticationFailed,
    ConfigurationError,
    PermissionMissing,
    SystemUnavailable,
    TenantChanged,
    UnusableAnswer,
    WrongSystem,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from integrations.secret_url import split_url
from tests.connectors.reading import LOOPBACK, Reading, connected, one_school, read, read_all, school_of
from tests.connectors.web import served

TOKEN = "Hu5h" * 8
STUDENTS = "/roster/students"


@pytest.fixture
def district() -> District:
    """Sixty ordinary children in two schools."""
    return District.generate(students=60, seed=3, schools=2, messy=False)


@pytest.fixture
def sis(district: District) -> Iterator[Sandbox]:
    """Lists."""
    with start("schooltool", district) as made:
        yield made


@pytest.fixture
def file(district: District) -> Iterator[Sandbox]:
    """One CSV file."""
    with start("schooltool", district, form="csv") as made:
        yield made


def first_school(sis: Sandbox, **values: Any) -> Reading:
    """One reading of the district's first school."""
    with connected(sis, **values) as connector:
        return one_school(connector, sis)


def lines(connector: Connector) -> dict[str, tuple[bool, str]]:
    """The connection check by name."""
    return {line.name: (line.ok, f"{line.message} {line.remedy}") for line in connector.check()}


@pytest.mark.parametrize("carried_in", ["query", "path", "none"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_token_goes_with_every_request_wherever_the_url_carries_it(
    district: District, carried_in: str, form: str
) -> None:
    with start("schooltool", district, carried_in=carried_in, form=form, token=TOKEN) as sis:
        url, secret = split_url(sis.url)
        assert TOKEN not in url
        with connected(sis, url=url, credentials={"url_secret": secret}) as connector:
            assert sum(len(reading.ids) for reading in read_all(connector).values()) == 60
        assert {entry["status"] for entry in sis.truth} <= {200, 404}


def test_the_readable_half_alone_is_a_configuration_error(sis: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="Enter it again"), connected(sis, url=split_url(sis.url)[0]):
        pass


def test_the_url_keeps_its_other_parameters(district: District) -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_error(404)

    with served(reply) as web, start("schooltool", district) as sis:
        with connected(sis, url=f"{web.url}/feed?token=a%2Fb&x=") as connector, pytest.raises(WrongSystem):
            connector.tenant()
        assert [path.partition("?")[0] for _, path, _ in web.requests] == ["/feed/buildings", "/feed"]
        assert all("token=a%2Fb&x=" in path for _, path, _ in web.requests)


def test_the_tenant_is_the_district_of_the_beds_codes(sis: Sandbox, file: Sandbox) -> None:
    with connected(sis) as one, connected(file) as two:
        assert one.tenant() == two.tenant()
        assert one.tenant().id == "261600030000"


def test_another_school_year_is_refused(district: District) -> None:
    with start("schooltool", district, clock=dt.date(2026, 6, 30)) as sis:
        with connected(sis) as connector, pytest.raises(TenantChanged, match="2026-27.*July 1"):
            connector.tenant()
        with connected(sis, year=2025) as connector:
            assert len(one_school(connector, sis).ids) > 10
            assert "2025-26" in lines(connector)["School year"][1]


def test_a_file_of_another_school_year_is_refused(district: District) -> None:
    told = "asked for 2026-27 and answers for 2025-26"
    with start("schooltool", district, form="csv", clock=dt.date(2026, 6, 30)) as sis, connected(sis) as connector:
        pytest.raises(TenantChanged, connector.tenant).match(told)


@pytest.mark.parametrize(
    ("switches", "error", "sentence"),
    [
        ({"contract": ""}, WrongSystem, "not a SchoolTool roster feed"),
        ({"contract": "2"}, WrongSystem, "version 2"),
        ({"enabled": False}, PermissionMissing, "vendor access"),
    ],
)
def test_a_stranger_is_told(
    district: District, switches: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with start("schooltool", district, **switches) as sis, connected(sis) as connector:
        with pytest.raises(error, match=sentence):
            connector.tenant()
        ((name, (ok, told)),) = lines(connector).items()
        assert (name, ok) == ("Url", False)
        assert sentence in told


def test_nightly_maintenance_is_told_without_asking_again(sis: Sandbox) -> None:
    waits: list[float] = []
    sis.faults.add("F16", message="Back at five.")
    with connected(sis, waits=waits) as connector, pytest.raises(SystemUnavailable, match="nightly maintenance"):
        connector.tenant()
    assert waits == []


def test_a_web_page_is_told(sis: Sandbox) -> None:
    sis.faults.add("F21")
    with connected(sis) as connector, pytest.raises(UnusableAnswer, match="web page instead of data"):
        connector.tenant()


def test_a_wrong_token_is_told_of_a_file_too(file: Sandbox) -> None:
    with connected(file, url=f"{file.root}/roster?token=wrong") as connector:
        pytest.raises(AuthenticationFailed, connector.tenant).match("paste it whole")


def test_odd_headers_leave_no_address_in_the_log(caplog: pytest.LogCaptureFixture, sis: Sandbox) -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nno colon\r\n\r\n{}")
        handler.close_connection = True

    caplog.set_level(logging.DEBUG)
    with served(reply) as web, connected(sis, url=f"{web.url}/feed?token={TOKEN}") as connector:
        pytest.raises(WrongSystem, connector.tenant)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("by", [1, -1])
def test_a_total_that_is_wrong_is_no_proof(sis: Sandbox, by: int) -> None:
    sis.faults.add("F43", path=STUDENTS, by=by)
    assert first_school(sis).codes & {"page_skipped", "count_disagrees", "page_truncated"}


def test_every_school_tells_what_is_wrong_with_the_feed(sis: Sandbox) -> None:
    sis.faults.add("F28", path=STUDENTS, times=1, keep=5)
    with connected(sis) as connector:
        readings = read_all(connector)
    assert all("page_truncated" in reading.codes for reading in readings.values() if reading.pages)


def test_the_feed_is_read_once_for_all_schools(sis: Sandbox) -> None:
    with connected(sis, page_size=20) as connector:
        schools = read_all(connector)
    pages = sum(entry["path"].endswith("/students") for entry in sis.truth)
    assert pages == 3 + len(schools)


def test_a_change_between_two_schools_is_told(sis: Sandbox) -> None:
    one, other = (school.number for school in sis.district.real_schools)
    with connected(sis) as connector:
        assert read(connector, school_of(connector, one)).problems == []
        sis.district.remove(sis.district.children_in(other)[0].id)
        assert read(connector, school_of(connector, other)).codes == {"count_disagrees"}


def test_a_student_in_two_buildings_is_a_record_of_each(sis: Sandbox) -> None:
    one, other = (school.number for school in sis.district.real_schools)
    child = sis.district.children_in(one)[0]
    sis.district.enroll(child.id, other)
    roles = {}
    with connected(sis) as connector:
        for number in (one, other):
            found = {record.external_id: record for record in read(connector, school_of(connector, number)).records}
            roles[number] = found[str(child.id)].facts.role
        assert {sighting.school for sighting in connector.find(str(child.id))} == {str(one), str(other)}
        assert connector.find("99999999") == []
    assert roles == {one: "primary", other: "alternate"}


@contextmanager
def told(records: list[Any], /, **changed: Any) -> Iterator[Connector]:
    """A connector to a feed of these records, whose pages are as changed."""
    page = {"schoolYear": "2026-27", "page": 1, "pageSize": 20, "totalRecords": len(records), "records": records}

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        listed = {"records": [{"buildingId": "110"}], "totalRecords": 1} if "/buildings" in handler.path else {}
        body = json.dumps(page | changed | listed).encode()
        handler.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("X-SchoolTool-Contract", "1")):
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with served(reply) as web:
        connector = SchoolToolConnector(Connection(url=web.url, year=2026, allowed_hosts=LOOPBACK))
        try:
            yield connector
        finally:
            connector.close()


def test_lists_of_another_school_year_than_asked_for_are_refused() -> None:
    with told([], schoolYear="2025-26") as connector:
        pytest.raises(TenantChanged, connector.tenant).match("asked for 2026-27 and answers for 2025-26")


@pytest.mark.parametrize("changed", [{"totalRecords": "1"}, {"records": {}}, {"page": None}])
def test_a_page_of_another_shape_is_unusable(changed: dict[str, Any]) -> None:
    school = SourceSchool(code="110", key="110", name="Oak")
    with told([], **changed) as connector:
        pytest.raises(UnusableAnswer, lambda: list(connector.pages(school)))


@pytest.mark.parametrize("id", [43000001, 43000001.0, "", None, "a\nb", ["x"]])
def test_an_id_that_is_no_text_rejects_its_student_alone(id: Any) -> None:
    stay = [{"buildingId": "110", "primary": True}]
    with told([{"studentId": id, "gradeCode": "03", "enrollments": stay}]) as connector:
        reading = read(connector, school_of(connector, 110))
    assert reading.records == []
    assert [field for _, field, _ in reading.rejected] == ["studentId"]
    known = isinstance(id, (int, float))
    assert [student for student, _, _ in reading.rejected] == ["43000001" if known else ""]
    assert ("unreadable_rows" in reading.codes) != known


def test_a_student_without_a_readable_building_is_told_and_makes_the_feed_unproven() -> None:
    with told([{"studentId": "7", "gradeCode": "03", "enrollments": "110"}]) as connector:
        reading = read(connector, school_of(connector, 110))
    assert [(student, field) for student, field, _ in reading.rejected] == [("7", "enrollments")]
    assert reading.codes == {"unreadable_rows"}


def test_rows_of_no_student_are_told_once_and_make_every_school_unproven(file: Sandbox) -> None:
    file.faults.add("F27", path="/roster$", at=0.9)
    with connected(file) as connector:
        readings = [reading for reading in read_all(connector).values() if reading.pages]
    assert len(readings) > 1
    assert sum(student == "" for reading in readings for student, _, _ in reading.rejected) == 1
    assert all("page_truncated" in reading.codes for reading in readings)


def test_lists_and_file_give_the_same_records(sis: Sandbox, file: Sandbox) -> None:
    found = []
    for one in (sis, file):
        with connected(one) as connector:
            school = school_of(connector, sis.district.real_schools[0].number)
            records = read(connector, school).records
            found.append([connector.normalise(record, school) for record in records])
    assert found[0] == found[1]


def test_the_check_of_a_file_says_what_is_wrong_with_it(district: District) -> None:
    with start("schooltool", district, form="csv", end=False) as sis, connected(sis) as connector:
        found = lines(connector)
    assert all(ok for ok, _ in found.values())
    assert "a CSV file" in found["Url"][1]
    assert "our own contract" in found["Url"][1]
    assert "no last line" in found["Students"][1]


def test_a_file_is_downloaded_once(file: Sandbox) -> None:
    with connected(file) as connector:
        connector.tenant()
        readings = read_all(connector)
    assert sum(entry["status"] == 200 for entry in file.truth) == 1
    assert sum(len(reading.ids) for reading in readings.values()) == 60


def test_a_url_that_ends_in_csv_is_asked_for_nothing_else(district: District) -> None:
    with start("schooltool", district, form="csv", token=TOKEN) as sis:
        text = "schoolYear,studentId\r\n"

        def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/csv")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text.encode())

        with served(reply) as web, connected(sis, url=f"{web.url}/feeds/students.csv") as connector:
            pytest.raises(WrongSystem, connector.tenant).match("it lacks lastName")
        assert [path for _, path, _ in web.requests] == ["/feeds/students.csv"]
