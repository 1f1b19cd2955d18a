"""The quirks of Aeries as a server: addresses, years, permissions, windows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from msgspec import UNSET

from integrations.connectors.aeries.connector import AeriesConnector
from integrations.connectors.base import Connection, SourceSchool
from integrations.errors import (
    AuthenticationFailed,
    PermissionMissing,
    TenantChanged,
    UnusableAnswer,
    WrongSystem,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from students.records import CURRENT, LEFT
from tests.connectors.reading import LOOPBACK, STUDENTS, connected, read, read_all, school_of
from tests.connectors.test_aeries_parse import STUDENT
from tests.connectors.web import always, send, served


@pytest.fixture
def sis() -> Any:
    with start("aeries", District.generate(students=60, seed=3, schools=2, messy=False)) as server:
        yield server


def test_pin_is_the_local_id_only_when_asked_for(sis: Sandbox) -> None:
    for wanted in (True, False):
        with connected(sis, use_local_id_as_pin=wanted) as connector:
            source = school_of(connector, sis.district.real_schools[0].number)
            record = connector.normalise(read(connector, source).records[0], source)
        assert record.pin == (record.local_id if wanted else UNSET)


def test_contacts_are_read_only_when_asked_for(sis: Sandbox) -> None:
    with connected(sis, use_contact_record=False) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        record = connector.normalise(read(connector, source).records[0], source)

    assert record.contacts is UNSET
    assert not any("contacts" in entry["path"] for entry in sis.truth)


def test_year_that_falls_back_is_refused_naming_both(sis: Sandbox) -> None:
    with connected(sis, year=2031) as connector:
        with pytest.raises(TenantChanged, match="2031-2032 and answers for 2026-2027"):
            connector.tenant()
        failed = [line for line in connector.check() if not line.ok]

    assert [line.name for line in failed] == ["School year"]
    assert "Academic Year" in failed[0].remedy


def test_year_is_sent_with_every_call(sis: Sandbox) -> None:
    for year in (2025, None):
        sis.truth.clear()
        with connected(sis, year=year) as connector:
            assert connector.tenant().id == "10-99999"
            source = school_of(connector, sis.district.real_schools[0].number)
            external_id = read(connector, source).ids[0]
            connector.find(external_id)
        asked = [entry for entry in sis.truth if "/students" in entry["path"] or "/contacts" in entry["path"]]
        assert asked
        assert {entry["query"].get("DatabaseYear") for entry in asked} == {str(year or 2026)}


def test_what_is_no_building_is_told(sis: Sandbox) -> None:
    with connected(sis) as connector:
        buildings = {school.code: school.building for school in connector.schools()}

    assert not buildings["0"]
    assert not buildings["999"]
    assert buildings["99"]


@pytest.mark.parametrize(
    ("listed", "building"),
    [
        ({"SchoolCode": 110, "Name": "Alder", "InactiveStatusCode": ""}, True),
        ({"SchoolCode": 110, "Name": "Alder", "InactiveStatusCode": " "}, True),
        ({"SchoolCode": 110, "Name": "Alder", "InactiveStatusCode": "I"}, False),
        ({"SchoolCode": 100, "Name": "ZZZ Template"}, False),
        ({"SchoolCode": 0, "Name": "District"}, False),
        ({"SchoolCode": 999, "Name": "Inactive"}, False),
    ],
)
@pytest.mark.parametrize("as_list", [True, False])
def test_single_school_may_be_a_list_or_an_object(listed: dict[str, Any], building: bool, as_list: bool) -> None:
    body = json.dumps([listed] if as_list else listed).encode()
    with served(always(200, body)) as web:
        connector = AeriesConnector(
            Connection(url=web.url, credentials={"token": "x"}, allowed_hosts=LOOPBACK, year=2026)
        )
        (school,) = connector.schools()

    assert (school.code, school.building) == (str(listed["SchoolCode"]), building)


@pytest.mark.parametrize("area", ["Student Data", "Contacts"])
def test_missing_permission_is_told_apart_from_a_bad_certificate(area: str) -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with start("aeries", district, permissions={area: False}) as server, connected(server) as connector:
        failed = [line for line in connector.check() if not line.ok]
        with pytest.raises(PermissionMissing, match=f"grant '{area}' .Read."):
            read_all(connector)

    assert [line.name for line in failed] == [f"Permission '{area}'"]
    assert area in failed[0].remedy


def test_refused_certificate_is_told_and_web_pages_as_errors_too(sis: Sandbox) -> None:
    with (
        start("aeries", sis.district, html_errors=True) as server,
        connected(server, credentials={"token": "wrong"}) as connector,
        pytest.raises(AuthenticationFailed, match="certificate"),
    ):
        connector.schools()


def test_other_product_at_the_address_is_a_wrong_system() -> None:
    with served(always(200, b'{"metadata": {}}')) as web:
        connector = AeriesConnector(
            Connection(url=web.url, credentials={"token": "x"}, allowed_hosts=LOOPBACK), sleep=lambda _: None
        )
        with pytest.raises(WrongSystem, match="not as Aeries does"):
            connector.tenant()


def test_business_error_with_500_is_not_asked_again() -> None:
    waits: list[float] = []
    with served(lambda h, n: send(h, 500, b'{"Message": "Invalid Student ID"}')) as web:
        connector = AeriesConnector(
            Connection(url=web.url, credentials={"token": "x"}, allowed_hosts=LOOPBACK, year=2026),
            sleep=waits.append,
        )
        with pytest.raises(Exception, match="Invalid Student ID"):
            connector.schools()

    assert waits == []
    assert len(web.requests) == 1


def test_message_with_success_is_told() -> None:
    with served(always(200, b'{"Message": "Database is being updated."}')) as web:
        connector = AeriesConnector(
            Connection(url=web.url, credentials={"token": "x"}, allowed_hosts=LOOPBACK, year=2026)
        )
        with pytest.raises(UnusableAnswer, match="Database is being updated"):
            connector.schools()


def test_child_with_several_rows_in_a_school_is_one_record_of_its_active_row(sis: Sandbox) -> None:
    one, other = (school.number for school in sis.district.real_schools)
    child = sis.district.children_in(one)[0]
    sis.district.move(child.id, other)
    sis.district.move(child.id, one)
    with connected(sis) as connector:
        here, there = (read(connector, school_of(connector, number)) for number in (one, other))
        record = next(r for r in here.records if r.external_id == str(child.id))
        canonical = connector.normalise(record, school_of(connector, one))

    assert here.ids.count(str(child.id)) == 1
    assert sum(page.rows for page in here.pages) == len(here.ids) + 1
    assert record.facts.status == CURRENT
    assert canonical.enrollment.entered == dt.date(2026, 10, 1)
    assert len([part for part in record.parts if b"StudentNumber" in bytes(part)]) == 2
    assert next(r for r in there.records if r.external_id == str(child.id)).facts.status == LEFT
    assert here.problems == there.problems == []


def test_rows_of_another_school_are_left_out() -> None:
    rows = [STUDENT, {**STUDENT, "StudentID": 41000018, "SchoolCode": 120}]

    def reply(handler: Any, number: int) -> None:
        beyond = "StartingRecord=1&" not in f"{handler.path}&"
        send(handler, 200, json.dumps([] if beyond else rows).encode())

    with served(reply) as web:
        connector = AeriesConnector(
            Connection(url=web.url, credentials={"token": "x"}, allowed_hosts=LOOPBACK, year=2026)
        )
        reading = read(connector, SourceSchool(code="110", key="110", name="Alder"))

    assert reading.ids == ["41000017"]
    assert reading.problems == []


def test_end_is_believed_only_of_an_empty_window(sis: Sandbox) -> None:
    with connected(sis, page_size=20) as connector:
        read(connector, school_of(connector, sis.district.real_schools[0].number))
    windows = [
        (int(entry["query"]["StartingRecord"]), int(entry["query"]["EndingRecord"]), entry["rows"])
        for entry in sis.truth
        if entry["path"].endswith("/students")
    ]
    count = len(sis.district.children_in(sis.district.real_schools[0].number))

    assert windows[:2] == [(1, 20, 20), (20, 40, count - 19)]
    assert windows[2] == (40, 60, 0)
    assert windows[-1][0] == count + 1
    assert windows[-1][2] == 0


def test_short_window_followed_by_rows_is_truncated(sis: Sandbox) -> None:
    sis.faults.add("F28", path=STUDENTS, times=1, keep=5)
    with connected(sis) as connector:
        reading = read(connector, school_of(connector, sis.district.real_schools[0].number))

    assert [problem.code for problem in reading.pages[0].problems] == ["page_truncated"]


def test_last_window_cut_for_good_is_found_out_by_confirm(sis: Sandbox) -> None:
    sis.faults.add("F28", path=STUDENTS, keep=5)
    with connected(sis, page_size=500) as connector:
        reading = read(connector, school_of(connector, sis.district.real_schools[0].number))

    assert reading.codes == {"page_truncated"}


@pytest.mark.parametrize(
    "switches",
    [{"old_spelling": True}, {"at_risk_points": True}, {"zero_dates": True}, {"portal_account_id": False}],
)
def test_older_servers_give_the_same_records(switches: dict[str, Any]) -> None:
    district = District.generate(students=60, seed=5, schools=2)
    found = []
    for one in ({}, switches):
        with start("aeries", district, **one) as server, connected(server) as connector:
            source = school_of(connector, district.real_schools[0].number)
            found.append([connector.normalise(record, source) for record in read(connector, source).records])

    assert found[0] == found[1]


def test_find_refuses_a_record_it_cannot_judge(sis: Sandbox) -> None:
    with connected(sis) as connector:
        external_id = read(connector, school_of(connector, sis.district.real_schools[0].number)).ids[0]
        sis.faults.add("F31", path=rf"/students/{external_id}$", field="InactiveStatusCode", how="missing")
        with pytest.raises(UnusableAnswer, match=external_id):
            connector.find(external_id)
