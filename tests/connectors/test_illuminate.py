"""The quirks of Illuminate as a server: signing in, whom it is, the endpoint profile, where students are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec import UNSET

from integrations.connectors.illuminate.client import base_url
from integrations.connectors.registry import connector_class
from integrations.errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    UnusableAnswer,
)
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from students.records import CURRENT
from tests.connectors.illuminate_web import LISTS, ONLY, a_stay, answering, asked, one
from tests.connectors.reading import connected, one_school, read, school_of


@pytest.fixture
def sis() -> Iterator[Sandbox]:
    """Sixty ordinary children at two schools."""
    with start("illuminate", District.generate(students=60, seed=3, schools=2, messy=False)) as server:
        yield server


@pytest.mark.parametrize(
    "given",
    [
        "https://x.illuminateed.com/live",
        "https://x.illuminateed.com/live/",
        "https://x.illuminateed.com/live/rest_server.php",
        "https://x.illuminateed.com/live/rest_server.php/Api",
        " https://x.illuminateed.com/live/rest_server.php/Api/ ",
        "https://x.illuminateed.com/live/?ApiDocumentation",
    ],
)
def test_url_is_understood_however_it_was_pasted(given: str) -> None:
    assert base_url(given) == "https://x.illuminateed.com/live"


@pytest.mark.parametrize("tail", ["/rest_server.php", "/rest_server.php/Api/"])
def test_pasted_url_leads_to_the_same_lists(sis: Sandbox, tail: str) -> None:
    with connected(sis, url=sis.url + tail) as connector:
        assert len(connector.schools()) > 2


@pytest.mark.parametrize("sign_in", ["oauth1", "oauth2"])
def test_both_ways_to_sign_in_read_the_same(sis: Sandbox, sign_in: str) -> None:
    with connected(sis, options={"sign_in": sign_in}) as connector:
        assert one_school(connector, sis).problems == []

    assert sis.requests["/"] == (sign_in == "oauth2")


@pytest.mark.parametrize("missing", ["consumer_token", "consumer_secret", "user_token", "user_secret"])
def test_each_of_the_four_values_is_asked_for_by_its_label(sis: Sandbox, missing: str) -> None:
    credentials = {**sis.credentials, missing: " "}
    label = missing.replace("_", " ").title()
    with (
        pytest.raises(ConfigurationError, match=f"The {label} of Illuminate is missing"),
        connected(sis, credentials=credentials),
    ):
        pass


def test_client_credentials_need_no_user_token(sis: Sandbox) -> None:
    credentials = {name: sis.credentials[name] for name in ("consumer_token", "consumer_secret")}
    with connected(sis, credentials=credentials, options={"sign_in": "oauth2"}) as connector:
        assert connector.tenant().name


@pytest.mark.parametrize("wrong", ["consumer_token", "consumer_secret", "user_token", "user_secret"])
def test_wrong_signature_is_one_clear_sentence(sis: Sandbox, wrong: str) -> None:
    with connected(sis, credentials={**sis.credentials, wrong: "wrong"}) as connector:
        with pytest.raises(AuthenticationFailed, match="Consumer Token, Consumer Secret, User Token and User Secret"):
            connector.tenant()
        (line,) = connector.check()

    assert "API Management" in line.remedy


def test_clock_that_is_wrong_is_named_as_a_cause(sis: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: "1000000000")
    with connected(sis) as connector, pytest.raises(AuthenticationFailed, match="clock"):
        connector.tenant()


def test_wrong_client_secret_is_told(sis: Sandbox) -> None:
    credentials = {**sis.credentials, "consumer_secret": "wrong"}
    with (
        connected(sis, credentials=credentials, options={"sign_in": "oauth2"}) as connector,
        pytest.raises(AuthenticationFailed, match="Consumer Token and Consumer Secret"),
    ):
        connector.tenant()


def test_expired_token_is_renewed_once(sis: Sandbox) -> None:
    with connected(sis, options={"sign_in": "oauth2"}) as connector:
        connector.tenant()
        sis.faults.add("F17", path="/Students/", times=1)
        assert one_school(connector, sis).problems == []

    assert sis.requests["/"] == 2


def test_every_attempt_is_signed_anew(sis: Sandbox) -> None:
    sis.faults.add("F05", path="/Students/", times=1)
    with connected(sis) as connector:
        assert one_school(connector, sis).problems == []


def test_login_page_with_status_200_is_told_as_such() -> None:
    with start("illuminate", students=30, api_enabled=False) as server, connected(server) as connector:
        with pytest.raises(UnusableAnswer, match="login page"):
            connector.tenant()
        (line,) = connector.check()

    assert "Url" in line.message + line.remedy


@pytest.mark.parametrize(
    ("name", "path"),
    [("terms", "Term/"), ("students", "Pupils/"), ("enrollment", "Enrolments/"), ("contacts", "Agents/")],
)
def test_wrong_path_is_one_sentence_naming_end_point_and_option(sis: Sandbox, name: str, path: str) -> None:
    with connected(sis, options={"profile": {name: {"path": path}}}) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        with pytest.raises(ConfigurationError) as caught:
            read(connector, source)
        failed = [line for line in connector.check() if not line.ok]

    told = caught.value.message
    assert f"no end point {path}" in told
    assert f"the option profile, {name}.path" in told
    assert told.count(". ") == 1
    assert [line.name for line in failed] == [name.capitalize()]
    assert f"{name}.path" in failed[0].remedy


def test_wrong_path_of_sites_names_the_url_too(sis: Sandbox) -> None:
    with connected(sis, options={"profile": {"sites": {"path": "Schools/"}}}) as connector:
        (line,) = connector.check()

    assert "sites.path" in line.message
    assert "Url" in line.message


@pytest.mark.parametrize("name", ["students", "enrollment", "contacts"])
def test_wrong_name_of_the_student_id_is_one_sentence(sis: Sandbox, name: str) -> None:
    with connected(sis, options={"profile": {name: {"fields": {"student_id": "pupil"}}}}) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        with pytest.raises(ConfigurationError, match=f"without pupil. Correct .*{name}.fields.student_id"):
            read(connector, source)


def test_wrong_root_names_the_option(sis: Sandbox) -> None:
    with (
        connected(sis, options={"profile": {"students": {"root": "data"}}}) as connector,
        pytest.raises(UnusableAnswer, match=r"students\.path or students\.root"),
    ):
        one_school(connector, sis)


def test_profile_corrects_path_root_parameters_and_fields() -> None:
    profile = {
        "students": {
            "path": "Sites/{site_id}/Pupils/",
            "root": "rows",
            "parameters": {"date": "on", "site_id": "", "limit": "size"},
            "fields": {"student_id": "id", "first_name": "name.given", "last_name": "name.family"},
        }
    }
    row = {"id": "5012", "local_student_id": 7, "name": {"given": "Ana", "family": "Ortiz"}}
    envelope = {"page": 1, "num_pages": 1, "num_results": 1, "rows": [row]}
    with answering(**{"Sites/2/Pupils": envelope}) as web, one(web, profile=profile) as connector:
        (record,) = read(connector, ONLY).records
        canonical = connector.normalise(record, ONLY)
        (query, *_) = asked(web, "Sites/2/Pupils")

    assert (canonical.local_id, canonical.first_name, canonical.last_name) == ("7", "Ana", "Ortiz")
    assert set(query) == {"on", "size", "page"}


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ({"pupils": {}}, "no list pupils"),
        ({"students": []}, "students, must be an object"),
        ({"students": {"url": "x"}}, "no part url"),
        ({"students": {"path": ""}}, "students.path, must not be blank"),
        ({"students": {"path": "/Students/"}}, "students.path, must be a path below Api/"),
        ({"students": {"path": "../../secret"}}, "students.path, must be a path"),
        ({"students": {"path": "Students/?a=b"}}, "students.path, must be a path"),
        ({"students": {"path": "https://elsewhere.example.org/"}}, "students.path, must be a path"),
        ({"students": {"path": "S/{password}/"}}, "students.path, may hold {site_id}"),
        ({"students": {"path": 5}}, "students.path, must be a text"),
        ({"students": {"root": ""}}, "students.root"),
        ({"students": {"fields": {"shoe_size": "x"}}}, "students.fields, has no shoe_size"),
        ({"students": {"fields": {"gender": ""}}}, "students.fields.gender, must be a name"),
        ({"students": {"fields": {"student_id": "a.b"}}}, "without a dot"),
        ({"students": {"parameters": {"page": 5}}}, "students.parameters.page, must be a name"),
    ],
)
def test_profile_that_cannot_work_is_named(profile: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connector_class("illuminate").check_options({"profile": profile})

    assert told in caught.value.message
    assert "profile of Illuminate" in caught.value.message


@pytest.mark.parametrize("options", [{"profile": "x"}, {"parameters": []}, {"parameters": {"a": 1}}])
def test_options_that_are_no_objects_of_texts_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"option {next(iter(options))} "):
        connector_class("illuminate").check_options(options)


def test_parameters_are_sent_with_every_request(sis: Sandbox) -> None:
    with connected(sis, options={"parameters": {"vendor": "CALPADS"}}) as connector:
        one_school(connector, sis)

    assert {entry["query"].get("vendor") for entry in sis.truth} == {"CALPADS"}


def test_date_and_academic_year_are_always_sent(sis: Sandbox) -> None:
    with connected(sis) as connector:
        one_school(connector, sis)

    asked_for = [entry["query"] for entry in sis.truth if entry["path"].endswith(("/Students/", "/Contacts/"))]
    assert all(query["date"] and query["site_id"] for query in asked_for)
    years = {entry["query"]["academic_year"] for entry in sis.truth if entry["path"].endswith("/Enrollment/")}
    assert years == {"2027"}


def test_contacts_that_are_not_read_say_nothing(sis: Sandbox) -> None:
    with connected(sis, options={"profile": {"contacts": {"path": ""}}}) as connector:
        school = school_of(connector, sis.district.real_schools[0].number)
        (first, *_) = read(connector, school).records
        assert connector.normalise(first, school).contacts is UNSET


def test_tenant_is_the_district_site_whatever_the_year(sis: Sandbox) -> None:
    with connected(sis) as this, connected(sis, year=2025) as last:
        assert this.tenant().name == "Cedar Flat Unified District Office"
        assert this.tenant().id == last.tenant().id


def test_tenant_is_the_address_where_no_district_site_is_listed() -> None:
    with answering() as web, one(web) as connector:
        assert connector.tenant().id == f"{urlsplit(web.url).netloc}/live"


@pytest.mark.parametrize("office", [{"site_type_name": "District"}, {"site_id": 9999999}, {"site_id": "9999999"}])
def test_district_site_is_no_building(office: dict[str, Any]) -> None:
    sites = [*LISTS["Sites/"], {"site_id": 1, "site_name": "Office", "site_type_name": "Other", **office}]
    with answering(Sites=sites) as web, one(web) as connector:
        assert [school.building for school in connector.schools()] == [True, False]


def test_where_students_are_is_read_once(sis: Sandbox) -> None:
    with connected(sis) as connector:
        found = [connector.find(str(child.dcid)) for child in sis.district.active_children()[:5]]
        count = sis.requests[r"/rest_server\.php/Api/Enrollment"]
        connector.find("3001")
        assert sis.requests[r"/rest_server\.php/Api/Enrollment"] == count

    assert all(len(one) == 1 and one[0].status == CURRENT for one in found)


@pytest.mark.parametrize(("code", "settings"), [("F28", {"keep": 1}), ("F41", {}), ("F31", {"field": "student_id"})])
def test_enrollments_that_are_not_whole_tell_of_nobody(sis: Sandbox, code: str, settings: dict[str, Any]) -> None:
    sis.faults.add(code, path="/Enrollment/", times=1, **settings)
    with connected(sis) as connector, pytest.raises(IntegrationError):
        connector.find("3001")


def test_enrollment_that_cannot_be_read_tells_of_nobody() -> None:
    with (
        answering(Enrollment=[a_stay(1), a_stay(2, leave_date="soon")]) as web,
        one(web, page_size=50) as connector,
        pytest.raises(UnusableAnswer, match="cannot be relied on: leave_date"),
    ):
        connector.find("1")


def test_summer_session_elsewhere_is_no_sighting() -> None:
    district = District.generate(students=80, seed=3, schools=2, messy=False)
    with start("illuminate", district) as server, connected(server) as connector:
        found = [connector.find(str(child.dcid)) for child in district.active_children()]

    assert {len(one) for one in found} == {1}


def test_check_names_each_list_that_fails(sis: Sandbox) -> None:
    sis.faults.add("F19", path="/(Contacts|Terms)/")
    with connected(sis) as connector:
        failed = {line.name: line.message + line.remedy for line in connector.check() if not line.ok}

    assert "Contacts" in failed
    assert all("API Management" in told for told in failed.values())


def test_check_shows_the_grade_levels_to_compare(sis: Sandbox) -> None:
    with connected(sis) as connector:
        (line,) = [line for line in connector.check() if line.name == "Grade levels"]

    assert "1 is K, 2 is 1" in line.message
