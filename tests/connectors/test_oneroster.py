"""The quirks of OneRoster providers: signing in, paging, what is not granted, and zips of every kind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from integrations.connectors.base import DELTA_ONLY, Connection, Connector
from integrations.connectors.oneroster.archive import Archive
from integrations.connectors.oneroster.connector import OneRosterConnector
from integrations.errors import (
    AuthenticationFailed,
    ConfigurationError,
    NotFound,
    PermissionMissing,
    RequestRefused,
    TenantChanged,
    UnusableAnswer,
    WrongSystem,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from students.records import CURRENT, LEFT, StudentRecord
from tests.connectors.reading import Reading, connected, content, one_school, read, read_all, school_of
from tests.connectors.web import Web, send, served


@contextmanager
def serving(*, messy: bool = False, students: int = 60, **switches: Any) -> Iterator[Sandbox]:
    district = District.generate(students=students, seed=3, schools=2, messy=messy)
    with start("oneroster", district, **switches) as sis:
        yield sis


def records(connector: Connector, sis: Sandbox) -> dict[str, StudentRecord]:
    """Local id → the record of each student of the district's first school."""
    school = school_of(connector, sis.district.real_schools[0].number)
    found = [connector.normalise(raw, school) for raw in read(connector, school).records]
    return {str(one.local_id): one for one in found}


def lists(sis: Sandbox, path: str) -> list[dict[str, Any]]:
    """The queries of the executed requests whose path ends so."""
    return [entry["query"] for entry in sis.truth if entry["path"].endswith(path)]


STYLES: tuple[dict[str, Any], ...] = (
    {"version": "1.1"},
    {"version": "1.1", "auth": "oauth1"},
    {"paging": "link"},
    {"paging": "count"},
    {"clamp": 7},
    {"clamp": 7, "paging": "link"},
    {"sorting": False},
    {"booleans": "json"},
    {"booleans": "upper", "empties": "null"},
    {"empties": "blank"},
    {"wrapped": True},
    {"link_host": "http://internal.example:8443"},
    {"expires_as_text": True},
    {"state_id": "master"},
    {"filters": False},
    {"csv": "bulk"},
    {"csv": "bulk", "version": "1.1"},
    {"csv": "bulk", "csv_filled": True, "csv_folder": "OneRoster/", "csv_encoding": "utf-8-sig"},
)


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_every_style_of_provider_is_read_whole(style: dict[str, Any]) -> None:
    with serving(**style) as sis, connected(sis) as connector:
        readings = read_all(connector)
        for school in sis.district.real_schools:
            reading = readings[str(school.number)]
            children = sis.district.children_in(school.number)
            assert reading.problems == []
            assert sorted(reading.ids) == sorted(str(child.dcid) for child in children)
        found = records(connector, sis)

    for child in sis.district.children_in(sis.district.real_schools[0].number):
        one = found[str(child.id)]
        assert (one.last_name, one.state_id, one.birth_date) == (child.last_name, child.state_id, child.birth_date)
        assert [c.first_name for c in one.contacts or ()] == [link.contact.first_name for link in child.contacts]


@pytest.mark.parametrize("style", [{"csv": "bulk"}, {"csv": "bulk", "version": "1.1"}], ids=str)
def test_zip_says_the_same_as_the_service(style: dict[str, Any]) -> None:
    version = style.get("version", "1.2")
    with serving(messy=True, version=version) as one, connected(one) as connector:
        service = {key: found for key, found in records(connector, one).items() if found.enrollment.status == CURRENT}
    with serving(messy=True, **style) as other, connected(other) as connector:
        file = {key: found for key, found in records(connector, other).items() if found.enrollment.status == CURRENT}

    assert file.keys() == service.keys()
    for key, found in service.items():
        for field in ("first_name", "state_id", "birth_date", "races", "residence_line1", "contacts", "household"):
            mine, theirs = getattr(file[key], field), getattr(found, field)
            assert str(mine).replace("None", "UNSET") == str(theirs).replace("None", "UNSET"), field


def test_list_that_tells_neither_count_nor_end_is_never_complete() -> None:
    with serving(paging="none") as sis, connected(sis) as connector:
        reading = one_school(connector, sis)

    assert len(reading.ids) == len(sis.district.children_in(sis.district.real_schools[0].number))
    assert reading.codes == {"count_untold"}


def test_wrong_count_is_never_complete() -> None:
    with serving() as sis, connected(sis) as connector:
        sis.faults.add("F43", path=r"/students$", times=1, by=3)
        assert one_school(connector, sis).codes == {"count_disagrees"}


def test_short_page_is_told_though_the_rest_came() -> None:
    with serving() as sis, connected(sis) as connector:
        sis.faults.add("F28", path=r"/students$", times=1, keep=5)
        reading = one_school(connector, sis)

    assert reading.codes == {"page_truncated"}


def test_resume_on_a_server_that_clamps_starts_anew() -> None:
    with serving(clamp=7) as sis, connected(sis) as connector:
        rest = read(connector, school_of(connector, 110), first=2, rows_before=7)

    assert "resume_differs" in rest.codes


@pytest.mark.parametrize("fault", ["F38", "F39", "F40", "F41", "F42"])
@pytest.mark.parametrize("path", ["demographics", "users"])
def test_district_wide_list_that_comes_short_or_again_is_unusable(fault: str, path: str) -> None:
    with serving() as sis, connected(sis) as connector:
        connector.tenant()
        sis.faults.add(fault, path=rf"/{path}$")
        with pytest.raises(UnusableAnswer, match=path):
            one_school(connector, sis)


def test_limit_that_is_too_large_is_told_with_the_option() -> None:
    with serving(most=10) as sis, connected(sis) as connector, pytest.raises(RequestRefused, match="page_size"):
        connector.schools()


def test_demographics_that_are_not_granted_are_a_line_and_a_notice() -> None:
    with serving(granted=("roster.readonly",)) as sis, connected(sis) as connector:
        lines = {line.name: line for line in connector.check()}
        notices = connector.tenant().notices
        reading = one_school(connector, sis)
        found = records(connector, sis)

    assert [name for name, line in lines.items() if not line.ok] == ["Demographics"]
    assert "grant" in lines["Demographics"].remedy
    assert "Contacts" in lines
    assert [notice.code for notice in notices] == ["demographics_missing"]
    assert reading.problems == []
    assert {str(one.birth_date) for one in found.values()} == {"UNSET"}


def test_key_without_the_roster_is_told_what_to_ask_for() -> None:
    with serving(granted=("roster-core.readonly",)) as sis, connected(sis) as connector:
        failed = [line for line in connector.check() if not line.ok]
        with pytest.raises(PermissionMissing, match="read students of school 110"):
            one_school(connector, sis)

    assert [line.name for line in failed] == ["Students"]
    assert "roster.readonly" in failed[0].remedy


@pytest.mark.parametrize("how", ["list", "each"])
def test_contacts_and_demographics_are_the_same_however_they_are_read(how: str) -> None:
    options = {"contacts": how, "demographics": how}
    with serving(messy=True) as sis:
        with connected(sis) as connector:
            usual = {r.external_id: content(r) for r in one_school(connector, sis).records}
        with connected(sis, options=options) as connector:
            found = {r.external_id: content(r) for r in one_school(connector, sis).records}

    assert found == usual
    assert bool([e for e in sis.truth if e["path"].endswith("@home") or "%40home" in e["path"]]) == (how == "each")


def test_contacts_and_demographics_that_are_not_wanted_are_not_asked_for() -> None:
    with serving() as sis, connected(sis, options={"contacts": "none", "demographics": "none"}) as connector:
        found = next(iter(records(connector, sis).values()))
        names = [line.name for line in connector.check()]

    assert str(found.contacts) == str(found.birth_date) == "UNSET"
    assert found.household.told
    assert found.household.home_address
    assert not {"Contacts", "Demographics"} & set(names)
    assert lists(sis, "/users") == lists(sis, "/demographics") == []


def test_contact_that_is_referred_to_and_does_not_exist_is_left_out() -> None:
    with serving(messy=True, students=150) as sis, connected(sis) as connector:
        found = records(connector, sis)
        nobody = [
            child
            for child in sis.district.children_in(110)
            if any(not (c.contact.last_name or c.contact.mailing_name) for c in child.contacts)
        ]
        assert nobody
        for child in nobody:
            assert len(found[str(child.id)].contacts or ()) == len(child.contacts) - 1


def test_only_the_offset_is_taken_of_a_link() -> None:
    with serving(link_host="https://elsewhere.example.org", paging="link") as sis, connected(sis, page_size=5) as found:
        reading = one_school(found, sis)

    assert len(reading.pages) > 3
    assert reading.problems == []


def test_expired_token_is_renewed_and_the_page_asked_again() -> None:
    with serving() as sis, connected(sis) as connector:
        connector.tenant()
        before = sis.requests["/oauth/token"]
        sis.faults.add("F17", path=r"/schools/110/students", times=1)
        assert one_school(connector, sis).problems == []

    assert sis.requests["/oauth/token"] == before + 1


def test_token_address_keeps_its_query() -> None:
    with serving() as sis, connected(sis) as connector:
        connector.tenant()

    assert lists(sis, "/oauth/token") == [{"appName": "console"}]


def test_every_attempt_is_signed_anew() -> None:
    with serving(version="1.1", auth="oauth1") as sis, connected(sis) as connector:
        sis.faults.add("F05", path=r"/students$", times=2)
        assert one_school(connector, sis).problems == []


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_signature_is_as_the_option_says(method: str) -> None:
    with serving(version="1.1", auth="oauth1", signatures=(method,)) as sis:
        with connected(sis, options={"signature": method}) as connector:
            assert connector.tenant().id == "D3"
        other = {"HMAC-SHA1": "HMAC-SHA256", "HMAC-SHA256": "HMAC-SHA1"}[method]
        with (
            connected(sis, options={"signature": other}) as connector,
            pytest.raises(AuthenticationFailed, match="other option signature"),
        ):
            connector.tenant()


def test_oauth_2_provider_asked_with_a_signature_names_the_token_url() -> None:
    with (
        serving(version="1.1") as sis,
        connected(sis, options={"token_url": ""}) as connector,
        pytest.raises(AuthenticationFailed, match="enter its Token URL"),
    ):
        connector.tenant()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"token_url": ""}, "The Token URL is missing"),
        ({"token_url": "http://10.0.0.1/token"}, "The Token URL must begin with https"),
        ({"token_url": "nowhere"}, "The Token URL must be a whole address"),
        ({"version": "1.1"}, "The Service URL is that of OneRoster 1.2"),
        ({"version": "2"}, "version of OneRoster must be one of"),
        ({"metadata": ["color=red"]}, "cannot use 'color=red'"),
        ({"metadata": ["residence_city"]}, "cannot use 'residence_city'"),
    ],
    ids=str,
)
def test_setting_that_cannot_work_is_named(options: dict[str, Any], told: str) -> None:
    with serving() as sis, pytest.raises(ConfigurationError, match=told), connected(sis, options=options):
        pass


def test_options_of_version_and_token_url_are_known_with_defaults() -> None:
    found = OneRosterConnector.check_options({"version": "1.1", "token_url": "https://x.example.org/token"})

    assert (found["version"], found["token_url"], found["page_size"]) == ("1.1", "https://x.example.org/token", 500)
    assert OneRosterConnector.check_options({})["version"] == "1.2"


def test_metadata_is_read_by_the_names_the_option_gives() -> None:
    options = {"metadata": ["residence_line1=city", "home_language=homeLanguage"]}
    with serving() as sis, connected(sis, options=options) as connector:
        found = next(iter(records(connector, sis).values()))

    assert found.residence_line1 in {child.residence.city for child in sis.district.children.values()}
    assert str(found.residence_city) == "UNSET"


def test_service_is_found_below_the_host_alone() -> None:
    with serving() as sis, connected(sis, url=sis.root) as connector:
        assert connector.tenant().id == "D3"
        assert all(line.ok for line in connector.check())


def test_address_of_something_else_is_called_one() -> None:
    with serving() as sis, connected(sis, url=f"{sis.root}/ims/oneroster/rostering/v1p2/x") as connector:
        with pytest.raises(WrongSystem, match="no OneRoster 1.2 service"):
            connector.tenant()
        lines = connector.check()

    assert [(line.name, line.ok) for line in lines] == [("Service URL", False)]


def test_year_that_the_provider_does_not_have_is_told() -> None:
    with serving() as sis, connected(sis, year=2031) as connector, pytest.raises(TenantChanged, match="2031-2032"):
        connector.tenant()


def test_find_of_an_id_with_a_slash_asks_for_one_step_of_the_path() -> None:
    with serving() as sis, connected(sis) as connector:
        assert connector.find("P/1@home") == []

    assert any(entry["path"].endswith("/students/P%2F1%40home") for entry in sis.truth)


def test_tombstone_of_a_student_is_seen_and_has_left() -> None:
    with serving() as sis, connected(sis) as connector:
        gone = sis.district.children_in(110)[0]
        sis.district.leave(gone.id)
        reading = one_school(connector, sis)

    assert {r.external_id: r.facts.status for r in reading.records}[str(gone.dcid)] == LEFT
    assert reading.problems == []


def error(status: int, minor: str, *, wrapped: bool = False) -> bytes:
    field = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor}
    body: dict[str, Any] = {
        "imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": f"said {status}",
        "imsx_CodeMinor": {"imsx_codeMinorField": [field]},
    }  # fmt: skip
    return json.dumps({"imsx_StatusInfo": body} if wrapped else body).encode()


@contextmanager
def a_provider(status: int, body: bytes, **headers: str) -> Iterator[tuple[Web, Connector]]:
    """A provider of 1.1 with signatures that answers everything so."""

    def reply(handler: BaseHTTPRequestHandler, _number: int) -> None:
        send(handler, status, body, **headers)

    with served(reply) as web:
        connection = Connection(
            url=f"{web.url}/ims/oneroster/v1p1", credentials={"consumer_token": "k", "consumer_secret": "s"},
            options={"version": "1.1"}, allowed_hosts=frozenset({"127.0.0.1"}),
        )  # fmt: skip
        connector = OneRosterConnector(connection, sleep=lambda seconds: None)
        yield web, connector
        connector.close()


@pytest.mark.parametrize("wrapped", [True, False])
def test_description_of_a_refusal_is_told_flat_or_wrapped(wrapped: bool) -> None:
    body = error(422, "invaliddata", wrapped=wrapped)
    with a_provider(422, body) as (_, connector), pytest.raises(RequestRefused, match='"said 422"'):
        connector.schools()


@pytest.mark.parametrize("wrapped", [True, False])
def test_unknown_student_is_nobody_only_when_the_provider_says_so(wrapped: bool) -> None:
    with a_provider(404, error(404, "unknownobject", wrapped=wrapped)) as (_, connector):
        assert connector.find("s1") == []
    for body in (b'{"message": "no route"}', error(404, "linkfailure")):
        with a_provider(404, body) as (_, connector), pytest.raises(WrongSystem):
            connector.find("s1")


def test_list_under_another_name_is_unusable() -> None:
    with a_provider(200, b'{"organizations": []}') as (_, connector), pytest.raises(UnusableAnswer):
        connector.schools()


def test_row_of_orgs_without_an_id_is_unusable() -> None:
    body = b'{"orgs": [{"name": "A", "type": "school"}]}'
    with (
        a_provider(200, body, X_Total_Count="1") as (_, connector),
        pytest.raises(UnusableAnswer, match="without a sourcedId"),
    ):
        connector.schools()


def test_check_of_a_zip_tells_what_it_is() -> None:
    with serving(csv="bulk") as sis, connected(sis) as connector:
        lines = connector.check()
        assert not connector.can_be_asked

    assert all(line.ok for line in lines)
    assert lines[0].message == "A zip of CSV files answers."
    assert "A whole export; 60 students" in next(line.message for line in lines if line.name == "Students")


def test_pages_of_a_zip_resume_where_they_were() -> None:
    with serving(csv="bulk") as sis:
        with connected(sis, page_size=7) as connector:
            whole = read(connector, school_of(connector, 110))
        with connected(sis, page_size=7) as connector:
            rest = read(connector, school_of(connector, 110), first=3, rows_before=14)
        with connected(sis, page_size=7) as connector:
            other = read(connector, school_of(connector, 110), first=3, rows_before=13)

    assert [content(r) for r in rest.records] == [content(r) for page in whole.pages[2:] for r in page.records]
    assert rest.problems == []
    assert other.codes == {"resume_differs"}


def delta(sis: Sandbox) -> Reading:
    with connected(sis) as connector:
        return one_school(connector, sis)


def test_delta_says_that_it_is_one_and_names_who_has_left() -> None:
    with serving(csv="delta", csv_since="2026-08-01T00:00:00Z") as sis:
        gone, changed = sis.district.children_in(110)[:2]
        sis.district.leave(gone.id)
        sis.district.change(changed.id, last_name="Renamed")
        reading = delta(sis)

    assert reading.codes == {DELTA_ONLY}
    assert {r.external_id: r.facts.status for r in reading.records} == {
        str(gone.dcid): LEFT,
        str(changed.dcid): CURRENT,
    }


def test_delta_lists_the_schools_to_be_read_though_it_does_not_name_them() -> None:
    switches = {"csv": "delta", "csv_since": "2026-08-01T00:00:00Z", "csv_absent": ("orgs",)}
    with serving(**switches) as sis, connected(sis, buildings=("110", "120")) as connector:
        assert {school.code for school in connector.schools() if school.building} == {"110", "120"}
        assert connector.tenant().id == ""


def archive(*, version: str = "1.2", most: int = 1 << 20, **files: str) -> Archive:
    """A zip of these files, opened."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, text in files.items():
            made.writestr(f"{name}.csv", text)
    return Archive(held, version=version, most=most, where="OneRoster at x")


MANIFEST = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.users,bulk\nfile.orgs,Delta\n"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"manifest": MANIFEST.replace("1.2", "1.1")}, "the zip is OneRoster 1.1, but the OneRoster Version"),
        ({"manifest": MANIFEST, "a/users": "", "b/users": ""}, "holds users.csv twice"),
        ({"users": ""}, "no manifest.csv"),
    ],
    ids=str,
)
def test_zip_that_cannot_be_understood_is_told(files: dict[str, str], told: str) -> None:
    with pytest.raises((UnusableAnswer, ConfigurationError), match=told):
        archive(**files)


def test_zip_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(UnusableAnswer, match="max_body_mb"):
        archive(manifest=MANIFEST, users="x" * 3_000_000, most=2 << 20)


def test_mode_of_a_file_is_what_the_manifest_says() -> None:
    found = archive(manifest=MANIFEST, users="", orgs="")

    assert [found.mode(name) for name in ("users", "orgs", "roles")] == ["bulk", "delta", "absent"]
    with pytest.raises(UnusableAnswer, match="not bulk, delta or absent"):
        archive(manifest=MANIFEST.replace("bulk", "some"), users="").mode("users")


def test_files_are_found_in_a_folder_and_in_any_case() -> None:
    found = archive(**{"Export/Manifest": MANIFEST, "Export/Users": "", "__MACOSX/Users": ""})

    assert found.mode("users") == "bulk"


def test_lines_are_read_by_column_whatever_the_order_with_line_breaks_in_cells() -> None:
    header = "familyName,sourcedId,givenName,identifier,agentSourcedIds,grades,userIds,metadata.x"
    text = f'\ufeff{header}\r\n"O""Neil, Jr",s1,"two\nlines",1,"p1,p2",05,"{{sisId:1}}",y\r\n\r\ns2,short\r\n'
    found = list(archive(manifest=MANIFEST, users=text, orgs="").lines("users"))

    assert found[0].cells["familyName"] == 'O"Neil, Jr'
    assert (found[0].cells["givenName"], found[0].cells["metadata.x"], found[0].fault) == ("two\nlines", "y", "")
    assert (len(found), found[1].short) == (2, True)


@pytest.mark.parametrize("header", ["", "a,b", "sourcedId,sourcedId", "﻿familyName;sourcedId"])
def test_header_that_is_no_header_is_told(header: str) -> None:
    found = archive(manifest=MANIFEST, users=f"{header}\n1,2\n", orgs="")

    with pytest.raises(UnusableAnswer, match="users.csv (lacks the column|has a column twice)"):
        list(found.lines("users"))


def test_web_page_instead_of_a_zip_is_called_one() -> None:
    with serving(csv="bulk") as sis, connected(sis) as connector:
        sis.faults.add("F21", path="zip")
        with pytest.raises(UnusableAnswer, match="web page instead of data"):
            connector.tenant()


def test_zip_that_is_not_there_any_more_is_told() -> None:
    with serving(csv="bulk") as sis, connected(sis) as connector:
        sis.vendor.switch["csv"] = ""
        with pytest.raises(NotFound, match="asked to give the file"):
            connector.tenant()


@pytest.mark.parametrize("paging", ["both", "link"])
@pytest.mark.parametrize("how", ["leaves", "comes"])
def test_list_that_changes_after_its_last_page_is_told(paging: str, how: str) -> None:
    with serving(paging=paging) as sis, connected(sis, page_size=100) as connector:
        school = school_of(connector, 110)
        pages = list(connector.pages(school))
        if how == "comes":
            sis.district.add(school=110, dcid=99_999)
        else:
            sis.district.remove(sis.district.children_in(110)[0].id)
        problems = connector.confirm(school)

    assert len(pages) == 1
    assert [problem.code for problem in problems] == (
        ["count_disagrees"] if (paging, how) != ("link", "leaves") else []
    )
