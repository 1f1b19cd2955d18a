"""What the pipeline relies on, whatever the system: one suite that every connector of the registry passes."""

from __future__ import annotations

import datetime as dt
import logging

import pytest

from integrations.connectors.base import Connector
from integrations.connectors.registry import connector_class
from integrations.errors import (
    AddressRefused,
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    SystemUnavailable,
)
from integrations.sandbox.server import Sandbox
from students.records import CURRENT, LEFT
from tests.connectors.reading import (
    STUDENTS,
    WRONG,
    connected,
    connection,
    content,
    one_school,
    read,
    read_all,
    school_of,
    wrong,
)
from tests.world import CODES, GRADES


def test_the_connector_is_one(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        assert isinstance(connector, Connector)
        assert connector.system == tidy.vendor.key


def test_check_is_all_ok_when_all_is_well(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        lines = connector.check()

    assert len(lines) > 3
    assert [line for line in lines if not line.ok] == []


def test_wrong_credentials_are_told_and_never_shown(tidy: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(tidy, **wrong(tidy)) as connector:
        with pytest.raises(AuthenticationFailed) as caught:
            connector.tenant()
        failed = [line for line in connector.check() if not line.ok]

    assert len(failed) == 1
    assert failed[0].remedy
    assert WRONG not in caught.value.message + failed[0].message + failed[0].remedy + caplog.text


@pytest.mark.parametrize(
    "code", ["F06", "F13", "F15", "F16", "F18", "F19", "F20", "F21", "F22", "F24", "F27", "F29", "F30"]
)
def test_no_secret_and_no_query_is_told_when_a_request_fails(
    tidy: Sandbox, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    tidy.faults.add(code, path=STUDENTS)
    with connected(tidy) as connector:
        school = school_of(connector, tidy.district.real_schools[0].number)
        with pytest.raises(IntegrationError) as caught:
            read(connector, school)

    told = caught.value.message + caplog.text
    assert "?" not in told
    assert not any(secret in told for secret in tidy.credentials.values())
    assert "127.0.0.1" in caught.value.message


def test_missing_credentials_are_a_configuration_error(tidy: Sandbox) -> None:
    if not tidy.credentials:
        pytest.skip("the system has no credentials but its Url")
    with pytest.raises(ConfigurationError, match="missing"), connected(tidy, credentials={}):
        pass


def test_unknown_option_is_named(tidy: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="pagesize"), connected(tidy, options={"pagesize": 5}):
        pass


@pytest.mark.parametrize("value", [0, "20", True, 10**9])
def test_unfit_option_is_named(system: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match="page_size"):
        connector_class(system).check_options({"page_size": value})


def test_plain_http_is_refused_when_the_host_is_not_allowed(tidy: Sandbox) -> None:
    with pytest.raises(AddressRefused, match="https"), connected(tidy, allowed_hosts=frozenset()):
        pass


def test_tenant_is_the_same_for_the_same_district(tidy: Sandbox) -> None:
    with connected(tidy) as one, connected(tidy) as two:
        assert one.tenant() == two.tenant()
        assert one.tenant().name


def test_schools_are_listed_with_what_is_no_building(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        schools = connector.schools()

    codes = [school.code for school in schools]
    assert len(set(codes)) == len(codes)
    assert {str(school.number) for school in tidy.district.real_schools} <= {
        school.code for school in schools if school.building
    }
    assert not next(school for school in schools if "District Office" in school.name).building


def test_all_pages_are_the_district(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        readings = read_all(connector)
        for school in tidy.district.real_schools:
            reading = readings[str(school.number)]
            source = school_of(connector, school.number)
            records = [connector.normalise(record, source) for record in reading.records]
            children = tidy.district.children_in(school.number)
            assert reading.problems == []
            assert max(len(page.records) for page in reading.pages) <= 20
            assert len(reading.pages) > 1
            assert sorted(record.local_id or "" for record in records) == sorted(str(c.id) for c in children)
            assert len(set(reading.ids)) == len(children)
            assert sum(page.rows for page in reading.pages) == len(children)


def test_records_say_what_the_district_says(tidy: Sandbox) -> None:
    school = tidy.district.real_schools[0].number
    with connected(tidy) as connector:
        source = school_of(connector, school)
        found = [connector.normalise(record, source) for record in read(connector, source).records]
    records = {record.local_id: record for record in found}
    grades = CODES[tidy.vendor.key].get("grade_level", GRADES)

    for child in tidy.district.children_in(school):
        record = records[str(child.id)]
        assert (record.first_name, record.last_name) == (child.first_name, child.last_name)
        assert record.birth_date == child.birth_date
        lines = [line for line in (record.residence_line1, record.residence_line2) if line]
        assert " ".join(map(str, lines)) == f"{child.residence.line1} {child.residence.line2}".strip()
        assert record.residence_postal_code in (
            child.residence.postal_code,
            f"{child.residence.postal_code}-{child.residence.zip_ext}",
        )
        assert record.home_phone == (child.home_phone or None)
        assert record.enrollment.school == str(school)
        assert record.enrollment.status == CURRENT
        assert record.enrollment.left is None
        assert child.primary is not None
        assert grades[record.enrollment.grade_level] == GRADES[str(child.primary.grade)]
        assert isinstance(record.contacts, tuple)
        links = sorted(child.contacts, key=lambda link: (link.order, link.sequence))
        assert [contact.first_name for contact in record.contacts] == [link.contact.first_name for link in links]
        assert [contact.order for contact in record.contacts] == list(range(1, len(links) + 1))


def test_messy_district_is_read_whole(messy: Sandbox) -> None:
    active: set[str] = set()
    with connected(messy) as connector:
        for code, reading in read_all(connector).items():
            source = school_of(connector, int(code))
            assert reading.problems == []
            assert reading.rejected == []
            for record in reading.records:
                canonical = connector.normalise(record, source)
                assert canonical.enrollment.status == record.facts.status
                if record.facts.status == CURRENT:
                    active.add(str(canonical.local_id))

    assert active == {str(child.id) for child in messy.district.active_children()}


def test_same_data_is_the_same_bytes_and_a_change_shows_in_one_record(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        before = {r.external_id: content(r) for r in one_school(connector, tidy).records}
        again = {r.external_id: content(r) for r in one_school(connector, tidy).records}
        child = tidy.district.children_in(tidy.district.real_schools[0].number)[3]
        tidy.district.change(child.id, last_name="Changed")
        after = one_school(connector, tidy)

    assert again == before
    changed = [r for r in after.records if content(r) != before[r.external_id]]
    assert len([r for r in changed if b'"Changed"' in bytes(r.parts[0])]) == 1
    # A contact that lists all its children may show the new name with a sibling too.
    assert all(b'"Changed"' in content(record) for record in changed)


def _only_if_it_can_be_asked(connector: Connector) -> None:
    if not connector.can_be_asked:
        pytest.skip("the system cannot be asked for a student who left")


def test_find_tells_where_a_student_is(tidy: Sandbox) -> None:
    school = tidy.district.real_schools[0].number
    with connected(tidy) as connector:
        _only_if_it_can_be_asked(connector)
        source = school_of(connector, school)
        records = read(connector, source).records
        ids = {connector.normalise(r, source).local_id: r.external_id for r in records}
        gone = tidy.district.children_in(school)[1]
        stayed = tidy.district.children_in(school)[2]
        tidy.district.leave(gone.id, on=dt.date(2026, 9, 30))
        current, left = connector.find(ids[str(stayed.id)]), connector.find(ids[str(gone.id)])
        unknown = connector.find("99999999")

    assert [(one.school, one.status, one.left) for one in current] == [(str(school), CURRENT, None)]
    assert [(one.school, one.status, one.left) for one in left] == [(str(school), LEFT, dt.date(2026, 9, 30))]
    assert unknown == []


def test_find_tells_where_a_student_moved(tidy: Sandbox) -> None:
    one, other = (school.number for school in tidy.district.real_schools)
    with connected(tidy) as connector:
        source = school_of(connector, one)
        record = read(connector, source).records[0]
        local_id = connector.normalise(record, source).local_id
        tidy.district.move(int(str(local_id)), other)
        found = connector.find(record.external_id)

    assert (str(other), CURRENT) in {(one.school, one.status) for one in found}


@pytest.mark.parametrize("code", ["F16", "F21", "F18", "F20"])
def test_find_never_takes_trouble_for_an_answer(tidy: Sandbox, code: str) -> None:
    with connected(tidy) as connector:
        external_id = one_school(connector, tidy).ids[0]
        tidy.faults.add(code, path=r"[/.]student|/Enrollment/$")
        with pytest.raises(IntegrationError):
            connector.find(external_id)


def test_resumed_reading_gives_the_same_pages(tidy: Sandbox) -> None:
    school = tidy.district.real_schools[0].number
    with connected(tidy, page_size=7) as connector:
        whole = read(connector, school_of(connector, school))
    for first in range(1, len(whole.pages) + 2):
        before = sum(page.rows for page in whole.pages[: first - 1])
        with connected(tidy, page_size=7) as connector:
            rest = read(connector, school_of(connector, school), first=first, rows_before=before)
        assert rest.problems == []
        assert [page.number for page in rest.pages] == [page.number for page in whole.pages[first - 1 :]]
        assert [content(r) for r in rest.records] == [
            content(r) for page in whole.pages[first - 1 :] for r in page.records
        ]


def test_resuming_a_list_that_has_changed_is_told(tidy: Sandbox) -> None:
    school = tidy.district.real_schools[0].number
    with connected(tidy, page_size=7) as connector:
        before = sum(page.rows for page in read(connector, school_of(connector, school)).pages[:2])
        rest = read(connector, school_of(connector, school), first=3, rows_before=before - 1)

    assert rest.problems


def test_school_without_students_is_one_empty_page(tidy: Sandbox) -> None:
    with connected(tidy) as connector:
        empty = read(connector, school_of(connector, 99))

    assert [(page.number, page.rows, len(page.records)) for page in empty.pages] == [(1, 0, 0)]
    assert empty.problems == []


def test_unreachable_host_is_one_clear_sentence(tidy: Sandbox) -> None:
    settings = connection(tidy)
    tidy.stop()
    with (
        connected(tidy, url=settings.url) as connector,
        pytest.raises(SystemUnavailable, match="refuses the connection") as caught,
    ):
        connector.tenant()

    assert caught.value.sent is False
    assert caught.value.message.count(". ") <= 1


def test_wrong_url_is_one_clear_sentence(tidy: Sandbox) -> None:
    with connected(tidy, url=f"{tidy.url}/somewhere/else") as connector:
        line = connector.check()[0]

    assert not line.ok
    assert "Url" in line.message + line.remedy
