"""The Illuminate sandbox: signatures, tokens, both shapes of lists, and the untidiness of its rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from oauthlib import oauth1

from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox

DAY = "2026-11-16"


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A server nobody changes."""
    with start("illuminate", District.generate(students=300, seed=3, schools=2)) as sis:
        yield sis


def signed(sis: Sandbox, url: str, **values: Any) -> dict[str, str]:
    """The Authorization header for an address; values: of oauthlib's client."""
    keys = sis.credentials
    given = {
        "client_secret": keys["consumer_secret"],
        "resource_owner_key": keys["user_token"],
        "resource_owner_secret": keys["user_secret"],
        **values,
    }
    _, headers, _ = oauth1.Client(keys["consumer_token"], **given).sign(url)
    return {name: str(value) for name, value in headers.items()}


def address(sis: Sandbox, path: str, **query: Any) -> str:
    return f"{sis.url}/rest_server.php/Api/{path}" + (f"?{urlencode(query)}" if query else "")


def ask(sis: Sandbox, path: str, **query: Any) -> requests.Response:
    url = address(sis, path, **query)
    return requests.get(url, headers=signed(sis, url), timeout=20, allow_redirects=False)


def rows(sis: Sandbox, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every row of a list, page after page."""
    found: list[dict[str, Any]] = []
    for page in range(1, 100):
        answer = ask(sis, path, page=page, limit=1000, **query).json()
        if isinstance(answer, list):
            return answer
        found += answer["results"]
        if page >= answer["num_pages"]:
            return found
    raise AssertionError("paging never ends")


def first_site(sis: Sandbox) -> int:
    return sis.district.real_schools[0].number


@pytest.mark.parametrize("path", ["Sites/", "Sites"])
def test_signed_request_is_answered_with_and_without_the_last_slash(quiet: Sandbox, path: str) -> None:
    assert ask(quiet, path).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"client_secret": "wrong"},
        {"resource_owner_secret": "wrong"},
        {"resource_owner_key": "wrong"},
        {"resource_owner_key": None, "resource_owner_secret": None},
        {"signature_method": oauth1.SIGNATURE_HMAC_SHA256},
        {"signature_method": oauth1.SIGNATURE_PLAINTEXT},
        {"timestamp": "1000000000"},
    ],
)
def test_wrong_signature_is_refused(quiet: Sandbox, values: dict[str, Any]) -> None:
    url = address(quiet, "Sites/")
    answer = requests.get(url, headers=signed(quiet, url, **values), timeout=20)

    assert answer.status_code == 401
    assert answer.json()["error"]


def test_signature_of_another_query_is_refused(quiet: Sandbox) -> None:
    header = signed(quiet, address(quiet, "Students/", page=1))

    assert requests.get(address(quiet, "Students/", page=2), headers=header, timeout=20).status_code == 401


def test_nonce_is_good_once(quiet: Sandbox) -> None:
    url = address(quiet, "Sites/")
    header = signed(quiet, url, nonce="once", timestamp=str(int(time.time())))

    assert [requests.get(url, headers=header, timeout=20).status_code for _ in range(2)] == [200, 401]


def test_request_without_signature_is_refused(quiet: Sandbox) -> None:
    assert requests.get(address(quiet, "Sites/"), timeout=20).status_code == 401


def token(sis: Sandbox, **values: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": sis.credentials["consumer_token"],
        "client_secret": sis.credentials["consumer_secret"],
        **values,
    }
    return requests.post(f"{sis.url}/?OAuth2_AccessToken", data=form, timeout=20)


def test_token_of_client_credentials_is_good_until_it_is_revoked() -> None:
    with start("illuminate", students=30) as sis:
        given = token(sis).json()
        header = {"Authorization": f"Bearer {given['access_token']}"}
        before = requests.get(address(sis, "Sites/"), headers=header, timeout=20).status_code
        sis.vendor.revoke()
        after = requests.get(address(sis, "Sites/"), headers=header, timeout=20).status_code

    assert given["expires_in"] == 3600
    assert (before, after) == (200, 401)


@pytest.mark.parametrize("values", [{"client_secret": "wrong"}, {"grant_type": "password"}])
def test_no_token_for_wrong_credentials(quiet: Sandbox, values: dict[str, str]) -> None:
    assert token(quiet, **values).status_code == 401


def test_unknown_endpoint_is_404_in_json(quiet: Sandbox) -> None:
    answer = ask(quiet, "Pupils/")

    assert answer.status_code == 404
    assert "error" in answer.json()


def test_login_page_comes_with_200_where_access_is_not_enabled() -> None:
    with start("illuminate", students=30, api_enabled=False) as sis:
        answer = ask(sis, "Sites/")

    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")


def test_sites_are_a_bare_list_with_the_district_as_parent(quiet: Sandbox) -> None:
    found = ask(quiet, "Sites/").json()
    office = next(row for row in found if row["site_type_name"] == "DISTRICT")

    assert isinstance(found, list)
    assert office["site_id"] == 9_999_999
    assert {row["parent_site_id"] for row in found if row is not office} == {9_999_999}
    assert all(isinstance(row["zip"], int) for row in found if row["zip"])


def test_short_names_of_grades_are_numbers_or_texts(quiet: Sandbox) -> None:
    found = {row["grade_level_id"]: row["short_name"] for row in ask(quiet, "GradeLevels/").json()}

    assert (found[1], found[2], found[13], found[15]) == ("K", 1, 12, "PK")


def test_code_tables_are_lists_and_an_unknown_one_is_404(quiet: Sandbox) -> None:
    assert {row["code_key"] for row in ask(quiet, "Codes/Gender/").json()} == {"F", "M", "N", "X"}
    assert ask(quiet, "Codes/Nothing/").status_code == 404


def test_envelope_tells_page_pages_and_results(quiet: Sandbox) -> None:
    query = {"site_id": first_site(quiet), "date": DAY}
    total = len(rows(quiet, "Students/", **query))
    answer = ask(quiet, "Students/", page=2, limit=40, **query).json()

    assert answer["page"] == 2
    assert answer["num_results"] == total
    assert answer["num_pages"] == -(-total // 40)
    assert len(answer["results"]) == 40


def test_page_is_never_larger_than_the_limit_of_the_server() -> None:
    with start("illuminate", District.generate(students=60, seed=3, schools=2), page_limit=10) as sis:
        answer = ask(sis, "Students/", limit=500, site_id=first_site(sis), date=DAY).json()

    assert len(answer["results"]) == 10
    assert answer["num_pages"] > 1


def test_empty_list_has_no_pages(quiet: Sandbox) -> None:
    assert ask(quiet, "Students/", site_id=99, date=DAY).json() == {
        "page": 1,
        "num_pages": 0,
        "num_results": 0,
        "results": [],
    }


def test_lists_may_be_bare_and_paged() -> None:
    with start("illuminate", District.generate(students=60, seed=3, schools=2), shape="array") as sis:
        query = {"site_id": first_site(sis), "date": DAY, "limit": 10}
        pages = [ask(sis, "Students/", page=page, **query).json() for page in range(1, 6)]

    assert len(pages[0]) == 10
    assert pages[-1] == []


def test_leave_date_of_who_is_enrolled_is_the_end_of_the_session(quiet: Sandbox) -> None:
    found = rows(quiet, "Enrollment/", site_id=first_site(quiet), academic_year=2027)
    enrolled = {child.dcid for child in quiet.district.children_in(first_site(quiet))}
    current = [row for row in found if int(row["student_id"]) in enrolled and row["session_type_id"] == 1]

    assert all(row["leave_date"] for row in found)
    assert Counter(row["leave_date"] for row in current).most_common(1)[0][0] == "2027-06-04"


def test_ids_and_flags_come_in_several_types(quiet: Sandbox) -> None:
    found = rows(quiet, "Enrollment/", site_id=first_site(quiet), academic_year=2027)

    assert {type(row["student_id"]) for row in found} == {int, str}
    assert {type(row["is_primary_ada"]) for row in found} == {bool, int, str}
    zips = [row["primary_household"]["dwelling"] for row in rows(quiet, "Students/", site_id=first_site(quiet))]
    assert {type(one["zip"]) for one in zips if one} >= {int, str}


def test_second_enrollment_of_a_year_does_not_count_for_attendance(quiet: Sandbox) -> None:
    found: dict[int, list[dict[str, Any]]] = {}
    for school in quiet.district.real_schools:
        for row in rows(quiet, "Enrollment/", site_id=school.number, academic_year=2027):
            if row["session_type_id"] == 1:
                found.setdefault(int(row["student_id"]), []).append(row)
    twice = [sorted(own, key=lambda row: row["stu_sess_id"]) for own in found.values() if len(own) > 1]

    assert twice
    assert all(own[0]["is_primary_ada"] in (True, 1, "t") for own in twice)
    assert all(own[1]["is_primary_ada"] in (False, 0, "f") for own in twice)


def test_summer_session_is_a_row_of_its_own(quiet: Sandbox) -> None:
    found = rows(quiet, "Enrollment/", site_id=998, academic_year=2027)

    assert found
    assert {(row["session_type_id"], row["entry_date"]) for row in found} == {(2, "2027-06-14")}
    assert {row["session_type_id"] for row in rows(quiet, "Terms/", site_id=110, academic_year=2027)} == {1, 2}


def test_contacts_have_every_untidiness(quiet: Sandbox) -> None:
    found = rows(quiet, "Contacts/", site_id=first_site(quiet), date=DAY)
    households: dict[int, set[int]] = {}
    members: dict[int, set[int]] = {}
    for row in found:
        households.setdefault(row["student_id"], set()).add(row["household_id"])
        if row["is_primary_household"]:
            members.setdefault(row["household_id"], set()).add(row["student_id"])

    assert max(map(len, households.values())) == 3
    assert max(map(len, members.values())) >= 2
    assert any(row["relationship"] is None for row in found)
    assert any(row["address"] is None for row in found)
    assert any(row["emergency_order"] is None for row in found)
    pairs = Counter((row["student_id"], row["contact_id"]) for row in found)
    assert max(pairs.values()) == 2


def test_students_are_those_of_the_day() -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with start("illuminate", district) as sis:
        child = district.children_in(first_site(sis))[0]
        district.leave(child.id)
        listed = {
            day: child.dcid in [row["student_id"] for row in rows(sis, "Students/", site_id=first_site(sis), date=day)]
            for day in ("2026-09-15", "2026-10-01", "2026-10-02")
        }
        sis.vendor.switch["by_date"] = False
        everybody = rows(sis, "Students/", site_id=first_site(sis), date="2026-10-02")

    assert listed == {"2026-09-15": True, "2026-10-01": True, "2026-10-02": False}
    assert child.dcid in [row["student_id"] for row in everybody]


def test_edit_shows_once_the_cache_is_over() -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with start("illuminate", district, cache_ttl=7200) as sis:
        query = {"site_id": first_site(sis), "date": DAY}
        before = rows(sis, "Students/", **query)
        district.change(district.children_in(first_site(sis))[0].id, last_name="Changed")
        cached = rows(sis, "Students/", **query)
        sis.vendor.switch["cache_ttl"] = 0
        after = rows(sis, "Students/", **query)

    assert cached == before
    assert "Changed" in {row["last_name"] for row in after}


def test_count_can_be_wrong() -> None:
    with start("illuminate", students=40, miscounted=3) as sis:
        query = {"site_id": first_site(sis), "date": DAY}
        answer = ask(sis, "Students/", limit=1000, **query).json()

    assert answer["num_results"] == len(answer["results"]) + 3
