"""The OneRoster sandbox: both versions, both ways to sign in, pages, filters, errors, and the zip."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from oauthlib import oauth1

from integrations.sandbox import District, start
from integrations.sandbox.oneroster_filter import FilterError, parse
from integrations.sandbox.server import Sandbox

COLLECTIONS = ("academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users")
VIEWS = {"schools": "orgs", "students": "users", "teachers": "users", "terms": "academicSessions"}
Ask = Callable[..., requests.Response]


@contextmanager
def serving(**switches: Any) -> Iterator[Sandbox]:
    with start("oneroster", District.generate(students=40, seed=3, schools=2, messy=False), **switches) as sis:
        yield sis


def token(sis: Sandbox, **form: str) -> requests.Response:
    pair = (sis.credentials["consumer_token"], sis.credentials["consumer_secret"])
    url = sis.options["token_url"]
    return requests.post(url, auth=pair, data={"grant_type": "client_credentials", **form}, timeout=20)


def asking(sis: Sandbox, **form: str) -> Ask:
    """Asks with a token, or signed where there are none."""
    if not sis.options["token_url"]:
        return lambda path, **query: signed(sis, path, **query)
    headers = {"Authorization": f"Bearer {token(sis, **form).json()['access_token']}"}
    return lambda path, **query: requests.get(sis.url + path, headers=headers, params=query, timeout=20)


def signed(sis: Sandbox, path: str, method: str = "HMAC-SHA256", **query: Any) -> requests.Response:
    given = sis.credentials
    signer = oauth1.Client(given["consumer_token"], given["consumer_secret"], signature_method=method)
    url = requests.Request("GET", sis.url + path, params=query).prepare().url or ""
    return requests.get(url, headers=signer.sign(url)[1], timeout=20)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A server nobody changes."""
    with serving() as sis:
        yield sis


@pytest.mark.parametrize("switches", [{}, {"version": "1.1"}, {"version": "1.1", "auth": "oauth1"}], ids=str)
def test_every_collection_view_and_single_is_there(switches: dict[str, Any]) -> None:
    with serving(**switches) as sis:
        ask = asking(sis)
        for name in (*COLLECTIONS, *VIEWS):
            body = ask(f"/{name}", limit=1).json()
            row = body[VIEWS.get(name, name)][0]
            assert {"sourcedId", "status", "dateLastModified"} <= row.keys()
            assert ask(f"/{name}/{requests.utils.quote(row['sourcedId'], safe='')}").status_code == 200
        for inner in ("students", "teachers", "classes", "courses", "enrollments", "terms"):
            assert ask(f"/schools/110/{inner}").status_code == 200


def test_sub_collections_hold_what_belongs_to_their_parent(quiet: Sandbox) -> None:
    ask = asking(quiet)
    room = ask("/schools/110/classes", limit=1).json()["classes"][0]
    pupils = {user["sourcedId"] for user in ask(f"/classes/{room['sourcedId']}/students").json()["users"]}
    grade = [
        str(c.dcid) for c in quiet.district.children_in(110) if room["sourcedId"] == f"C110-{c.enrollments[0].grade}"
    ]
    inside = ask(f"/schools/110/classes/{room['sourcedId']}/enrollments").json()["enrollments"]

    assert pupils == set(grade)
    assert {one["user"]["sourcedId"] for one in inside} == {*grade, "T110"}
    assert ask(f"/students/{grade[0]}/classes").json()["classes"] == [room]
    assert room in ask(f"/courses/{room['course']['sourcedId']}/classes").json()["classes"]
    assert room in ask(f"/terms/{room['terms'][0]['sourcedId']}/classes").json()["classes"]
    assert ask("/schools/nowhere/students").status_code == 404


def test_users_of_1_2_have_roles_and_of_1_1_one_role_with_orgs(quiet: Sandbox) -> None:
    with serving(version="1.1") as old:
        one = asking(old)("/students", limit=1).json()["users"][0]
    two = asking(quiet)("/students", limit=1).json()["users"][0]

    assert (one["role"], one["orgs"][0]["type"]) == ("student", "org")
    assert "roles" not in one
    assert two["roles"][0]["roleType"] == "primary"
    assert not {"role", "orgs"} & two.keys()
    assert "password" not in {**one, **two}


@pytest.mark.parametrize("name", ["onerosterv1p2rostersservice_openapi3_v1p0", "imsorv1p2_rostering_openapi3_v1p0"])
def test_discovery_answers_to_both_its_names_without_a_token(quiet: Sandbox, name: str) -> None:
    assert requests.get(f"{quiet.url}/discovery/{name}.json", timeout=20).json()["openapi"]


def test_pages_tell_total_and_links(quiet: Sandbox) -> None:
    answer = asking(quiet)("/students", limit=15, offset=15)
    links = {name: link["url"] for name, link in answer.links.items()}

    assert answer.headers["X-Total-Count"] == "40"
    assert sorted(links) == ["first", "last", "next", "prev"]
    assert "offset=30" in links["next"]
    assert links["next"].startswith(quiet.url)
    assert "next" not in asking(quiet)("/students", limit=15, offset=30).links
    assert len(asking(quiet)("/users").json()["users"]) <= 100


@pytest.mark.parametrize(("paging", "sent"), [("link", {"Link"}), ("count", {"X-Total-Count"}), ("none", set())])
def test_providers_differ_in_how_they_tell_the_end(paging: str, sent: set[str]) -> None:
    with serving(paging=paging) as sis:
        headers = asking(sis)("/students", limit=5).headers
        assert {"Link", "X-Total-Count"} & set(headers) == sent


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "many"])
def test_impossible_limit_is_refused(quiet: Sandbox, limit: str) -> None:
    answer = asking(quiet)("/students", limit=limit)

    assert answer.status_code == 400
    assert answer.json()["imsx_codeMajor"] == "failure"


def test_clamp_gives_fewer_rows_and_a_link_that_fits() -> None:
    with serving(clamp=7) as sis:
        answer = asking(sis)("/students", limit=1000)
        assert len(answer.json()["users"]) == 7
        assert "offset=7" in answer.links["next"]["url"]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("status='active'", True),
        ("familyName='O''Neil'", True),
        ("familyName~'neil'", True),
        ("familyName='neil'", False),
        ("givenName='X' OR role='student'", True),
        ("givenName='X' AND role='student'", False),
        ("dateLastModified>'2026-07-01'", True),
        ("dateLastModified>='2026-08-01T00:00:00Z'", True),
        ("dateLastModified>'2026-08-01T00:00:00.000Z'", False),
        ("orgs.sourcedId='110'", True),
        ("grades='05,06'", False),
        ("grades~'05,06'", True),
        ("enabledUser='true'", True),
        ("email!='x'", True),
    ],
)
def test_filter_is_understood(text: str, fits: bool) -> None:
    row = {
        "status": "active", "familyName": "O'Neil", "role": "student", "givenName": "Al", "grades": ["05"],
        "dateLastModified": "2026-08-01T00:00:00.000Z", "orgs": [{"sourcedId": "110"}], "enabledUser": True,
    }  # fmt: skip

    assert parse(text)(row) is fits


@pytest.mark.parametrize("text", ["status", "a='b'AND c='d'", "a='1' AND b='2' AND c='3'", "(a='1')", "a='it's'"])
def test_bad_filter_is_refused(quiet: Sandbox, text: str) -> None:
    answer = asking(quiet)("/users", filter=text)

    with pytest.raises(FilterError):
        parse(text)
    assert answer.status_code == 400
    assert "invalid_filter_field" in answer.text


def test_sort_and_fields_are_kept(quiet: Sandbox) -> None:
    users = asking(quiet)("/students", sort="familyName", orderBy="desc", fields="sourcedId,familyName").json()["users"]

    assert [user["familyName"] for user in users] == sorted((user["familyName"] for user in users), reverse=True)
    assert {frozenset(user) for user in users} == {frozenset({"sourcedId", "familyName"})}


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_errors_are_written_as_the_version_has_it(wrapped: bool, version: str) -> None:
    with serving(wrapped=wrapped, version=version) as sis:
        answer = asking(sis)("/users/nobody")
        body = answer.json()["imsx_StatusInfo"] if wrapped else answer.json()

    assert answer.status_code == 404
    assert body["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"] == "unknownobject"
    assert ("imsx_messageRefIdentifier" in body) == (version == "1.1")


def test_token_takes_credentials_raw_encoded_or_in_the_form(quiet: Sandbox) -> None:
    given, url = quiet.credentials, quiet.options["token_url"]
    form = {"grant_type": "client_credentials"}
    key, secret = given["consumer_token"], given["consumer_secret"]
    encoded = "%" + f"{ord(key[0]):02X}" + key[1:]

    assert requests.post(url, auth=(encoded, secret), data=form, timeout=20).status_code == 200
    body = {**form, "client_id": key, "client_secret": secret}
    assert requests.post(url, data=body, timeout=20).json()["expires_in"] == 3600
    assert requests.post(url, auth=(key, "no"), data=form, timeout=20).json() == {"error": "invalid_client"}
    assert requests.post(url, auth=(key, secret), data={}, timeout=20).status_code == 400
    assert token(quiet, scope="https://example.org/none").json() == {"error": "invalid_scope"}


def test_scope_decides_what_may_be_read(quiet: Sandbox) -> None:
    prefix = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
    core, people = (
        asking(quiet, scope=prefix + one) for one in ("roster-core.readonly", "roster-demographics.readonly")
    )

    assert [core(path).status_code for path in ("/users", "/schools/110/students", "/demographics")] == [200, 403, 403]
    assert [people(path).status_code for path in ("/users", "/demographics")] == [403, 200]


def test_revoked_token_is_refused(quiet: Sandbox) -> None:
    with serving() as sis:
        ask = asking(sis)
        sis.vendor.revoke()
        assert ask("/orgs").status_code == 401


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_signature_of_either_kind_is_checked(method: str) -> None:
    with serving(version="1.1", auth="oauth1") as sis:
        assert signed(sis, "/students", method, filter="familyName='O''Neil & Co'", limit=5).status_code == 200
        sis.vendor.switch["signatures"] = ("HMAC-SHA512",)
        assert signed(sis, "/orgs", method).status_code == 401


def test_nonce_is_good_once_and_the_query_is_part_of_the_signature() -> None:
    with serving(version="1.1", auth="oauth1") as sis:
        given = sis.credentials
        url = f"{sis.url}/orgs?limit=1"
        headers = oauth1.Client(given["consumer_token"], given["consumer_secret"]).sign(url)[1]
        answers = [requests.get(url, headers=headers, timeout=20).status_code for _ in range(2)]
        other = oauth1.Client(given["consumer_token"], given["consumer_secret"]).sign(url)[1]

        assert answers == [200, 401]
        assert requests.get(f"{sis.url}/orgs?limit=2", headers=other, timeout=20).status_code == 401


def test_left_child_is_a_tombstone_that_status_active_leaves_out() -> None:
    with serving() as sis:
        child = sis.district.children_in(110)[0]
        sis.district.leave(child.id)
        ask = asking(sis)
        assert ask(f"/users/{child.dcid}").json()["user"]["status"] == "tobedeleted"
        assert ask("/students", limit=1).headers["X-Total-Count"] == "40"
        assert ask("/students", limit=1, filter="status='active'").headers["X-Total-Count"] == "39"
        since = "dateLastModified>'2026-08-01T00:00:00.000Z'"
        assert [u["sourcedId"] for u in ask("/users", filter=since).json()["users"]] == [str(child.dcid)]


@pytest.mark.parametrize(("booleans", "written"), [("string", "true"), ("json", True), ("upper", "TRUE")])
def test_booleans_are_written_as_the_provider_likes(booleans: str, written: Any) -> None:
    with serving(booleans=booleans) as sis:
        row = asking(sis)("/demographics", limit=40).json()["demographics"][0]
        assert written in row.values()


@pytest.mark.parametrize(("empties", "written"), [("omit", "absent"), ("null", None), ("blank", "")])
def test_empty_members_are_written_as_the_provider_likes(empties: str, written: Any) -> None:
    with serving(empties=empties) as sis:
        users = asking(sis)("/students", limit=40).json()["users"]
        assert written in [user.get("middleName", "absent") for user in users]


def tables(sis: Sandbox) -> dict[str, list[list[str]]]:
    headers = {"Authorization": f"Bearer {token(sis).json()['access_token']}"}
    content = requests.get(sis.url, headers=headers, timeout=20).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: list(csv.reader(io.StringIO(archive.read(name).decode()))) for name in archive.namelist()}


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_whole_zip_holds_everybody_with_blank_status(version: str) -> None:
    with serving(csv="bulk", version=version) as sis:
        found = tables(sis)

    manifest = dict(found["manifest.csv"])
    assert (manifest["oneroster.version"], manifest["file.users"], manifest["file.results"]) == (
        version,
        "bulk",
        "absent",
    )
    assert ("roles.csv" in found) == (version == "1.2")
    assert ("role" in found["users.csv"][0]) == (version == "1.1")
    assert len(found["demographics.csv"]) == 41
    assert {row[1] for row in found["users.csv"][1:]} == {""}


def test_delta_holds_what_changed_and_its_tombstones() -> None:
    with serving(csv="delta", csv_since="2026-08-01T00:00:00Z") as sis:
        one, other = sis.district.children_in(110)[:2]
        sis.district.change(one.id, last_name="Changed")
        sis.district.leave(other.id)
        found = tables(sis)

    assert {(row[0], row[1]) for row in found["users.csv"][1:]} == {
        (str(one.dcid), "active"),
        (str(other.dcid), "tobedeleted"),
    }
    assert found["orgs.csv"][1:] == []


def test_switch_that_does_not_exist_is_named() -> None:
    with pytest.raises(TypeError, match="no switch versions"):
        start("oneroster", students=10, versions="1.2")
