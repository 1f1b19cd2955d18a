"""The quirks of PowerSchool as a server: tokens, permissions, pages, contacts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from msgspec import UNSET

from integrations.connectors.base import SourceSchool
from integrations.errors import (
    AuthenticationFailed,
    PermissionMissing,
    RequestRefused,
    SystemUnavailable,
    WrongSystem,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from students.records import CURRENT, Facts
from tests.connectors.reading import STUDENTS, connected, content, one_school, read, read_all, school_of
from tests.connectors.test_powerschool_parse import STUDENT
from tests.connectors.web import Web, always, send, served

OPEN = {
    "/oauth": {"access_token": "t", "token_type": "Bearer", "expires_in": 90},
    "/metadata": {"metadata": {"school_max_page_size": 100}},
}


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[Web]:
    """A server that answers a path by the first part of it that is named, 404 where none is."""

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        for part, body in {**OPEN, **answers}.items():
            if part in handler.path:
                send(handler, 200, json.dumps(body).encode())
                return
        send(handler, 404, b'{"message": "not found"}')

    with served(reply) as web:
        yield web


@pytest.fixture
def sis() -> Iterator[Sandbox]:
    with start("powerschool", District.generate(students=60, seed=3, schools=2, messy=False)) as server:
        yield server


def test_siblings_share_their_contacts() -> None:
    with start("powerschool", District.generate(students=80, seed=5, schools=2)) as server:
        by_household: dict[int, set[str]] = {}
        with connected(server) as connector:
            for code, reading in read_all(connector).items():
                source = school_of(connector, int(code))
                for record in reading.records:
                    canonical = connector.normalise(record, source)
                    child = server.district.child(int(str(canonical.local_id)))
                    for contact in canonical.contacts or ():
                        by_household.setdefault(child.household, set()).add(contact.external_id)
                        shared = {str(link.contact.id) for link in child.contacts}
                        assert contact.external_id in shared

    assert by_household


def test_expired_token_is_renewed_once_and_the_page_asked_again(sis: Sandbox) -> None:
    with connected(sis) as connector:
        connector.tenant()
        before = sis.requests["/oauth/access_token"]
        sis.faults.add("F17", path=STUDENTS, times=1)
        reading = one_school(connector, sis)

    assert reading.problems == []
    assert sis.requests["/oauth/access_token"] == before + 1


def test_token_refused_after_its_renewal_is_a_refusal(sis: Sandbox) -> None:
    with connected(sis) as connector:
        connector.tenant()
        sis.faults.add("F17", path=STUDENTS)
        with pytest.raises(AuthenticationFailed, match="Client ID"):
            one_school(connector, sis)

    assert sis.requests["/oauth/access_token"] == 2


def test_token_is_shared_by_connectors_and_kept(sis: Sandbox) -> None:
    for _ in range(3):
        with connected(sis) as connector:
            one_school(connector, sis)

    assert sis.requests["/oauth/access_token"] == 1


def test_changed_secret_is_not_passed_by_the_kept_token(sis: Sandbox) -> None:
    with connected(sis) as connector:
        connector.tenant()
    wrong = {**sis.credentials, "consumer_secret": "wrong"}
    with connected(sis, credentials=wrong) as connector, pytest.raises(AuthenticationFailed):
        connector.tenant()


def test_tokens_that_live_a_second_are_enough() -> None:
    district = District.generate(students=30, seed=3, schools=2, messy=False)
    with (
        start("powerschool", district, token_seconds=1) as server,
        connected(server, page_size=5) as connector,
    ):
        assert one_school(connector, server).problems == []


def test_access_level_none_is_told_apart_from_bad_credentials() -> None:
    district = District.generate(students=30, seed=3, schools=2, messy=False)
    with start("powerschool", district, access_level="NONE") as server, connected(server) as connector:
        lines = {line.name: line for line in connector.check()}
        with pytest.raises(PermissionMissing, match="accessLevelV1Api") as caught:
            connector.tenant()

    assert next(line for name, line in lines.items() if name.startswith("Consumer Token")).ok
    assert not lines["Plugin access"].ok
    assert "Data Provider Configuration" in caught.value.message
    assert "READ" in lines["Plugin access"].remedy


def test_access_level_read_is_enough() -> None:
    district = District.generate(students=30, seed=3, schools=2, messy=False)
    with start("powerschool", district, access_level="READ") as server, connected(server) as connector:
        assert all(line.ok for line in connector.check())


def test_page_size_is_never_larger_than_the_plugin_allows() -> None:
    district = District.generate(students=60, seed=3, schools=2, messy=False)
    with (
        start("powerschool", district, student_max_page_size=7) as server,
        connected(server, page_size=500) as connector,
    ):
        reading = one_school(connector, server)

    assert reading.problems == []
    assert max(len(page.records) for page in reading.pages) == 7


@pytest.mark.parametrize("students", [1, 2, 3])
def test_one_student_is_a_list_too_and_none_is_none(students: int) -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    school = district.real_schools[0].number
    for child in district.children_in(school)[students:]:
        district.remove(child.id)
    with start("powerschool", district) as server, connected(server, page_size=2) as connector:
        reading = one_school(connector, server)

    assert len(reading.records) == students
    assert reading.problems == []
    assert reading.pages[0].declared == students


def test_single_school_is_a_list_too(sis: Sandbox) -> None:
    answers = {"/district/school": {"schools": {"school": {"id": 53, "school_number": 101, "name": "Only"}}}}
    with answering(answers) as web, connected(sis, url=web.url) as connector:
        (school,) = connector.schools()

    assert (school.code, school.key, school.building) == ("101", "53", True)


def test_only_enrolled_and_pre_registered_students_are_asked_for(sis: Sandbox) -> None:
    with connected(sis) as connector:
        one_school(connector, sis)
    asked = [entry["query"]["q"] for entry in sis.truth if "/student" in entry["path"] and "/school/" in entry["path"]]

    assert set(asked) == {"school_enrollment.enroll_status==(A,P)"}


@pytest.mark.parametrize(("source", "kind"), [("contacts_api", tuple), ("student_record", tuple), ("none", None)])
def test_contacts_come_from_where_the_option_says(sis: Sandbox, source: str, kind: type | None) -> None:
    with connected(sis, options={"contacts": source}) as connector:
        school = school_of(connector, sis.district.real_schools[0].number)
        contacts = connector.normalise(read(connector, school).records[0], school).contacts

    assert isinstance(contacts, kind) if kind else contacts is UNSET
    assert any("/ws/contacts" in entry["path"] for entry in sis.truth) == (source == "contacts_api")


@pytest.mark.parametrize("at_once", [1, 4])
def test_contacts_read_at_once_stay_with_their_students(sis: Sandbox, at_once: int) -> None:
    found = []
    for number in (1, at_once):
        with connected(sis, options={"max_at_once": number}) as connector:
            found.append([content(record) for record in one_school(connector, sis).records])

    assert found[0] == found[1]


def test_student_without_contacts_has_none(sis: Sandbox) -> None:
    child = sis.district.children_in(sis.district.real_schools[0].number)[0]
    child.contacts.clear()
    sis.district.touch(child)
    with connected(sis) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        records = [connector.normalise(record, source) for record in read(connector, source).records]

    assert next(r for r in records if r.local_id == str(child.id)).contacts == ()


def test_server_without_contacts_of_its_own_is_told_with_the_way_out(sis: Sandbox) -> None:
    answers = {
        "/count": {"resource": {"count": 1}},
        "/school/53/student?": {"students": {"student": STUDENT}},
    }
    with answering(answers) as web, connected(sis, url=web.url) as connector:
        pages = connector.pages(SourceSchool(code="101", key="53", name="Only"))
        with pytest.raises(RequestRefused, match="student_record"):
            next(pages)


def test_row_of_another_school_is_counted_and_left_out(sis: Sandbox) -> None:
    elsewhere = {
        **STUDENT,
        "id": 4102,
        "school_enrollment": {**STUDENT["school_enrollment"], "school_number": 102},
    }
    answers = {
        "/count": {"resource": {"count": 2}},
        "page=1&": {"students": {"student": [STUDENT, elsewhere]}},
    }
    with (
        answering(answers) as web,
        connected(sis, url=web.url, options={"contacts": "none"}) as connector,
    ):
        reading = read(connector, SourceSchool(code="101", key="53", name="Only"))

    assert reading.ids == ["4101"]
    assert (reading.pages[0].rows, reading.problems) == (2, [])


def test_maintenance_is_told_as_such(sis: Sandbox) -> None:
    with connected(sis) as connector:
        connector.tenant()
        sis.vendor.switch["maintenance"] = True
        with pytest.raises(SystemUnavailable, match="under maintenance"):
            one_school(connector, sis)


def test_non_buildings_are_the_district_office_and_the_graduated(sis: Sandbox) -> None:
    with connected(sis) as connector:
        buildings = {school.code: school.building for school in connector.schools()}

    assert not buildings["0"]
    assert not buildings.get("999999", False)


def test_other_product_at_the_address_is_a_wrong_system(sis: Sandbox) -> None:
    with (
        served(always(200, b'{"DatabaseYear": "2026-2027"}')) as web,
        connected(sis, url=web.url) as connector,
    ):
        line = connector.check()[0]
        with pytest.raises(WrongSystem, match="not as PowerSchool does"):
            one_school(connector, sis)

    assert not line.ok


def test_count_that_is_wrong_both_times_is_still_found_out(sis: Sandbox) -> None:
    count = len(sis.district.children_in(sis.district.real_schools[0].number))
    sis.faults.add("F43", path="/count$", by=20 - count)
    with connected(sis, page_size=20) as connector:
        reading = one_school(connector, sis)

    assert reading.pages[0].declared == 20
    assert reading.codes == {"count_disagrees"}


def test_facts_are_those_of_the_status(sis: Sandbox) -> None:
    with connected(sis) as connector:
        record = one_school(connector, sis).records[0]

    assert record.facts == Facts(status=CURRENT, grade=record.facts.grade, entered=record.facts.entered)
