"""The PowerSchool sandbox: OAuth, paging, search, contacts and the untidy JSON of PowerSchool's v1."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from integrations.sandbox import District, start
from integrations.sandbox.district import Address, Contact, ContactLink
from integrations.sandbox.powerschool_json import Literal, listing, members, settle
from integrations.sandbox.powerschool_query import QueryError, matches, parse
from integrations.sandbox.server import Sandbox

ALL = "demographics,addresses,alerts,phones,school_enrollment,ethnicity_race,contact,contact_info,fees,lunch"


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A server nobody changes."""
    with start("powerschool", students=300, seed=3) as sis:
        yield sis


def token(sis: Sandbox, path: str = "/oauth/access_token") -> requests.Response:
    given = sis.credentials
    pair = (given["consumer_token"], given["consumer_secret"])
    return requests.post(
        sis.url + path,
        auth=pair,
        data={"grant_type": "client_credentials"},
        timeout=20,
        allow_redirects=False,
    )


def ask(sis: Sandbox, path: str, bearer: str | None = None, **query: Any) -> requests.Response:
    bearer = bearer or token(sis).json()["access_token"]
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    return requests.get(sis.url + path, headers=headers, params=query, timeout=20, allow_redirects=False)


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def students(sis: Sandbox, path: str = "/ws/v1/district/student", **query: Any) -> list[dict[str, Any]]:
    """Every student of a list, page after page, until a page has none."""
    found: list[dict[str, Any]] = []
    bearer = token(sis).json()["access_token"]
    for page in range(1, 100):
        got = items(ask(sis, path, bearer, page=page, **query).json()["students"].get("student"))
        if not got:
            return found
        found += got
    raise AssertionError("paging never ends")


def one(sis: Sandbox, dcid: int, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = ask(sis, f"/ws/v1/student/{dcid}", **query).json()["student"]
    return found


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", None),
        (None, None),
        ({}, None),
        ([], None),
        ({"a": "", "b": {"c": None}}, None),
        ("4805550142", 4805550142),
        ("01430", 1430),
        ("-2", -2),
        ("01430-0120", "01430-0120"),
        ("480-555-0142", "480-555-0142"),
        ("0.00", "0.00"),
        ("1" * 19, "1" * 19),
        ("٣٤", "٣٤"),
        (Literal("00"), "00"),
        (Literal(""), ""),
        ([{"a": "1"}], {"a": 1}),
        ([{"a": "1"}, {"a": ""}, {"a": "x"}], [{"a": 1}, {"a": "x"}]),
        (False, False),
        (0, 0),
    ],
)
def test_values_are_written_as_powerschool_does(value: Any, written: Any) -> None:
    assert settle(value) == written
    assert type(settle(value)) is type(written)


def test_leading_zeros_stay_when_the_switch_says_so() -> None:
    assert settle("01430", keep_zeros=True) == "01430"
    assert settle("0", keep_zeros=True) == 0


def test_a_requested_blank_is_an_empty_text_and_others_are_absent() -> None:
    assert members({"phones": {}, "alerts": None, "id": 1}, blank=["phones"]) == b'"phones":"","id":1'


@pytest.mark.parametrize(
    ("rows", "body"),
    [
        ([], b'{"students":{"@x":1}}'),
        ([b"{}"], b'{"students":{"@x":1,"student":{}}}'),
        ([b"{}", b"{}"], b'{"students":{"@x":1,"student":[{},{}]}}'),
    ],
)
def test_a_list_collapses_to_its_item_and_to_nothing(rows: list[bytes], body: bytes) -> None:
    assert listing("students", "student", rows, b'"@x":1') == body


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True),
        ("school_enrollment.enroll_status==a", True),
        ("school_enrollment.enroll_status==(P,A)", True),
        ("school_enrollment.enroll_status==(P,T);", False),
        ("school_enrollment.enroll_status_code==(-1,0);local_id=ge=5;local_id=lt=6", True),
        ("local_id=gt=5", False),
        ("name.last_name==VEG*", True),
        ("name.last_name==veg", False),
        ("name.last_name==(Xu,V*)", True),
        ("name.middle_name==*", False),
        ("school_enrollment.entry_date=le=2026-08-13;", True),
        ("school_enrollment.entry_date=gt=2026-08-13", False),
    ],
)
def test_a_search_finds_what_it_says(query: str, fits: bool) -> None:
    facts: dict[str, str | int | None] = {
        "local_id": 5,
        "name.last_name": "vega",
        "name.middle_name": "",
        "school_enrollment.enroll_status": "a",
        "school_enrollment.enroll_status_code": 0,
        "school_enrollment.entry_date": "2026-08-13",
    }
    assert matches(parse(query), facts) is fits


@pytest.mark.parametrize(
    "query",
    [
        "shoe_size==4",
        "local_id==x",
        "local_id",
        "name.last_name==",
        "name.last_name==(a,b",
        "name.last_name==a,b",
        "local_id=gt=(1,2)",
        "school_enrollment.entry_date==08/13/2026",
        "name.last_name==a,name.first_name==b",
    ],
)
def test_a_bad_search_is_refused(quiet: Sandbox, query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)
    answer = ask(quiet, "/ws/v1/district/student", q=query)
    assert (answer.status_code, set(answer.json())) == (400, {"message", "errors"})


@pytest.mark.parametrize("path", ["/oauth/access_token", "/oauth/access_token/"])
def test_the_same_token_comes_back_while_it_lives(quiet: Sandbox, path: str) -> None:
    first, second = token(quiet, path).json(), token(quiet).json()
    assert first["access_token"] == second["access_token"]
    assert isinstance(second["expires_in"], str)
    assert int(second["expires_in"]) <= int(first["expires_in"]) <= 2_592_000
    assert first["token_type"] == "Bearer"


def test_wrong_client_and_wrong_grant_are_refused(quiet: Sandbox) -> None:
    url, given = quiet.url + "/oauth/access_token", quiet.credentials
    pair = (given["consumer_token"], given["consumer_secret"])
    wrong = requests.post(url, auth=("x", "y"), data={"grant_type": "client_credentials"}, timeout=20)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    grant = requests.post(url, auth=pair, data={"grant_type": "password"}, timeout=20)
    assert (grant.status_code, grant.json()["error"]) == (400, "bad_request")
    query = {"grant_type": "client_credentials", "client_id": pair[0], "client_secret": pair[1]}
    assert requests.post(url, data=query, timeout=20).status_code == 401


def test_an_expired_token_is_refused_with_an_empty_body_and_a_new_one_works() -> None:
    with start("powerschool", students=100) as sis:
        old = token(sis).json()["access_token"]
        assert ask(sis, "/ws/v1/district", old).status_code == 200
        sis.vendor.revoke()
        answer = ask(sis, "/ws/v1/district", old)
        assert (answer.status_code, answer.content) == (401, b"")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert "expired" in answer.headers["WWW-Authenticate"]
        new = token(sis).json()["access_token"]
        assert new != old
        assert ask(sis, "/ws/v1/district", new).status_code == 200


def test_tokens_live_as_long_as_the_fault_says() -> None:
    with start("powerschool", students=100) as sis:
        sis.faults.add("F50", seconds=0)
        answer = token(sis).json()
        assert answer["expires_in"] == "0"
        assert ask(sis, "/ws/v1/district", answer["access_token"]).status_code == 401


def test_metadata_and_time_need_no_token_and_the_rest_does(quiet: Sandbox) -> None:
    metadata = requests.get(quiet.url + "/ws/v1/metadata", timeout=20).json()["metadata"]
    assert (metadata["student_max_page_size"], metadata["plugin_id"]) == (100, 101)
    assert metadata["sso_enabled_admin"] == "false"
    assert requests.get(quiet.url + "/ws/v1/time", timeout=20).status_code == 200
    for path in ("/ws/v1/district", "/ws/v1/district/student/count", "/ws/contacts/student/3001"):
        assert requests.get(quiet.url + path, timeout=20).status_code == 401


@pytest.mark.parametrize(("level", "status"), [("NONE", 403), ("READ", 200), ("FULL", 200)])
def test_the_plugin_level_decides_on_v1_and_not_on_the_token(level: str, status: int) -> None:
    with start("powerschool", students=100, access_level=level) as sis:
        assert token(sis).status_code == 200
        answer = ask(sis, "/ws/v1/district")
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["errorMessage"]["message"]
        assert requests.get(sis.url + "/ws/v1/metadata", timeout=20).status_code == 200


def test_the_district_shows_the_code_lists_asked_for(quiet: Sandbox) -> None:
    plain = ask(quiet, "/ws/v1/district").json()["district"]
    assert "district_race_codes" not in plain
    assert "district_race_codes" in plain["@expansions"].split(", ")
    found = ask(
        quiet,
        "/ws/v1/district",
        expansions="district_race_codes,scheduling_reporting_ethnicities,test_setup,zzz",
    ).json()["district"]
    races = {item["code"]: item for item in found["district_race_codes"]["district_race_code"]}
    assert races["FI"]["federal_race_category_description"] == "Asian"
    ethnicities = found["scheduling_reporting_ethnicities"]["scheduling_reporting_ethnicity"]
    assert "H" in {item["code"] for item in ethnicities}
    assert found["test_setup"] == ""
    assert "zzz" not in found


def test_schools_are_listed_and_counted_without_graduated_students(quiet: Sandbox) -> None:
    found = ask(quiet, "/ws/v1/district/school").json()["schools"]["school"]
    assert ask(quiet, "/ws/v1/school").json()["schools"]["school"] == found
    for path in ("/ws/v1/district/school/count", "/ws/v1/school/count"):
        assert ask(quiet, path).json() == {"resource": {"count": len(found)}}
    numbers = [school["school_number"] for school in found]
    assert 0 in numbers
    assert 999999 not in numbers
    real = quiet.district.real_schools[0]
    single = ask(quiet, f"/ws/v1/school/{real.dcid}").json()["school"]
    assert (single["id"], single["school_number"], single["name"]) == (real.dcid, real.number, real.name)
    assert ask(quiet, "/ws/v1/school/999123").status_code == 404


def test_paging_gives_every_student_once_and_ends_without_an_item_key(quiet: Sandbox) -> None:
    found = students(quiet)
    count = ask(quiet, "/ws/v1/district/student/count", expansions=ALL).json()["resource"]["count"]
    assert len({student["id"] for student in found}) == len(found) == count
    assert count > 300
    beyond = ask(quiet, "/ws/v1/district/student", page=90).json()
    assert set(beyond["students"]) == {"@expansions", "@extensions"}


def test_names_of_expansions_come_even_without_rows(quiet: Sandbox) -> None:
    body = ask(quiet, "/ws/v1/district/student", pagesize=1, q="local_id==0").json()["students"]
    assert "school_enrollment" in body["@expansions"].split(", ")
    assert "studentcorefields" in body["@extensions"].split(",")
    assert " " not in body["@extensions"]


def test_a_single_student_is_a_bare_object(quiet: Sandbox) -> None:
    body = ask(quiet, "/ws/v1/district/student", pagesize=1).json()["students"]
    assert isinstance(body["student"], dict)


def test_the_largest_page_is_the_default_and_a_larger_one_refused_or_cut() -> None:
    with start("powerschool", students=100, student_max_page_size=30) as sis:
        assert len(ask(sis, "/ws/v1/district/student").json()["students"]["student"]) == 30
        assert ask(sis, "/ws/v1/district/student", pagesize=31).status_code == 400
        sis.vendor.switch["strict_page_size"] = False
        assert len(ask(sis, "/ws/v1/district/student", pagesize=31).json()["students"]["student"]) == 30
        assert requests.get(sis.url + "/ws/v1/metadata", timeout=20).json()["metadata"]["student_max_page_size"] == 30
        for wrong in ({"page": 0}, {"pagesize": "x"}, {"pagesize": 0}):
            assert ask(sis, "/ws/v1/district/student", **wrong).status_code == 400


def test_the_schools_of_active_students_add_up_to_the_district(quiet: Sandbox) -> None:
    wanted = sorted(child.dcid for child in quiet.district.active_children())
    asked = students(quiet, q="school_enrollment.enroll_status==A")
    assert sorted(student["id"] for student in asked) == wanted
    per_school = [
        student["id"]
        for school in quiet.district.real_schools
        for student in students(quiet, f"/ws/v1/school/{school.dcid}/student")
    ]
    assert sorted(per_school) == wanted


def test_statuses_follow_the_enrollment_of_the_child() -> None:
    with start("powerschool", district=District.generate(100, messy=False)) as sis:
        district, ids = sis.district, [child.id for child in sis.district.active_children()]
        district.leave(ids[0], on=date(2026, 10, 2), code="T")
        district.leave(ids[1], on=date(2026, 10, 2), code="G")
        district.leave(ids[2], code="I")
        coming = district.add(status="future", school=district.real_schools[0].number, grade=0)
        seen = {}
        for child_id in (*ids[:4], coming.id):
            row = one(sis, district.child(child_id).dcid, expansions="school_enrollment")["school_enrollment"]
            seen[child_id] = row
        letters = [(row["enroll_status"], row["enroll_status_code"]) for row in seen.values()]
        assert letters == [("T", 2), ("G", 3), ("I", 1), ("A", 0), ("P", -1)]
        assert seen[ids[0]]["exit_date"] == "2026-10-02"
        assert (seen[ids[1]]["school_number"], seen[ids[1]]["grade_level"]) == (999999, 99)
        assert seen[ids[3]]["exit_date"] == "2027-05-28"
        assert seen[coming.id]["grade_level"] == 0
        school = district.real_schools[0]
        assert (seen[coming.id]["school_id"], seen[coming.id]["school_number"]) == (
            school.dcid,
            school.number,
        )
        path = f"/ws/v1/school/{school.dcid}/student/count"
        assert ask(sis, path, q="school_enrollment.enroll_status==p").json()["resource"]["count"] == 1


def test_expansions_blank_single_and_numeric_values_look_as_recorded() -> None:
    with start("powerschool", district=District.generate(100, messy=False)) as sis:
        district = sis.district
        child = district.active_children()[0]
        district.change(
            child.id,
            household=3,
            home_phone="4805550142",
            state_id="0077004181",
            races=["205", "201"],
            hispanic=True,
            residence=Address("18 Quarry Rd ", "", "Tempe", "AZ", "01430"),
            mailing=Address("", "", "Tempe", "AZ", "85280", "0044"),
            middle_name="",
            allergies="",
        )
        found = one(sis, child.dcid, expansions=ALL)
        assert found["local_id"] == child.id
        assert found["state_province_id"] == 77004181
        assert "middle_name" not in found["name"]
        assert found["phones"]["main"]["number"] == 4805550142
        assert found["addresses"]["physical"] == {
            "street": "18 Quarry Rd ",
            "city": "Tempe",
            "state_province": "AZ",
            "postal_code": 1430,
        }
        assert found["addresses"]["mailing"]["street"] == ""
        assert found["addresses"]["mailing"]["postal_code"] == "85280-0044"
        assert found["ethnicity_race"]["races"]["district_race_code"] == "AS"
        assert found["ethnicity_race"]["federal_ethnicity"] == "YES"
        assert found["ethnicity_race"]["scheduling_reporting_ethnicity"] == "H"
        assert (found["alerts"], found["fees"]) == ("", "")
        assert found["lunch"]["balance_1"] == "0.00"
        district.change(
            child.id,
            home_phone="",
            races=["700", "600"],
            hispanic=None,
            gender="",
            residence=Address(),
            mailing=Address(),
            email="",
        )
        blank = one(sis, child.dcid, expansions=ALL)
        assert [blank[name] for name in ("phones", "addresses", "contact_info")] == ["", "", ""]
        assert "gender" not in blank["demographics"]
        assert "student_username" not in blank
        assert "federal_ethnicity" not in blank["ethnicity_race"]
        assert blank["ethnicity_race"]["scheduling_reporting_ethnicity"] == "M"
        assert [race["district_race_code"] for race in blank["ethnicity_race"]["races"]] == ["WH", "BL"]
        assert "phones" not in one(sis, child.dcid)
        sis.vendor.switch["keep_leading_zeros"] = True
        assert one(sis, child.dcid)["state_province_id"] == "0077004181"


def test_extensions_hold_text_and_collapse_and_unknown_ones_are_ignored() -> None:
    with start("powerschool", district=District.generate(100, messy=False)) as sis:
        child = sis.district.active_children()[0]
        sis.district.change(child.id, home_language="01", allergies="")
        assert "_extension_data" not in one(sis, child.dcid, extensions="u_nothing")
        table = one(sis, child.dcid, extensions="studentcorefields,u_nothing")["_extension_data"]["_table_extension"]
        assert table["name"] == "studentcorefields"
        assert table["_field"] == {"name": "primarylanguage", "type": "String", "value": "Spanish"}
        sis.district.change(child.id, home_language="85", allergies="Tree nuts, Penicillin")
        two = one(sis, child.dcid, extensions="studentcorefields,s_stu_x")["_extension_data"]["_table_extension"]
        fields = {field["name"]: field["value"] for field in two[1]["_field"]}
        assert fields == {"primarylanguage": "85", "allergies": "Tree nuts, Penicillin"}


def test_an_unknown_student_is_not_found(quiet: Sandbox) -> None:
    answer = ask(quiet, "/ws/v1/student/1")
    assert (answer.status_code, set(answer.json())) == (404, {"errorMessage"})


def test_a_change_shows_at_once_and_nowhere_else() -> None:
    with start("powerschool", students=120) as sis:
        before = {row["id"]: row for row in students(sis, expansions=ALL)}
        changed = sis.district.change_percent(10)
        after = {row["id"]: row for row in students(sis, expansions=ALL)}
        differing = {dcid for dcid in before if before[dcid] != after[dcid]}
        assert differing == {sis.district.child(child_id).dcid for child_id in changed}
        gone = sis.district.remove(changed[0])
        assert gone.dcid not in {row["id"] for row in students(sis)}
        assert ask(sis, f"/ws/v1/student/{gone.dcid}").status_code == 404
        count = ask(sis, "/ws/v1/district/student/count").json()["resource"]["count"]
        assert count == len(before) - 1


def test_a_contact_of_siblings_is_one_contact_with_all_of_them() -> None:
    with start("powerschool", district=District.generate(100, messy=False)) as sis:
        district = sis.district
        shared = Contact(id=7801, first_name="Ana", last_name="Vega", home_phone="4805550142", email="ana@example.org")
        link: dict[str, Any] = {
            "sequence": 1,
            "order": 1,
            "relationship": "10",
            "lives_with": True,
            "receives_mail": True,
        }
        twins = [district.add(contacts=[ContactLink(shared, **link)]) for _ in range(2)]
        answers = [ask(sis, f"/ws/contacts/student/{child.dcid}").json() for child in twins]
        assert answers[0] == answers[1]
        (found,) = answers[0]
        assert (found["contactId"], found["middleName"], found["active"]) == (7801, None, True)
        assert found["phones"][0]["phoneNumber"] == "(480) 555-0142"
        assert {item["dcid"] for item in found["contactStudents"]} == {child.dcid for child in twins}
        detail = found["contactStudents"][0]["studentDetails"][-1]
        assert (detail["relationship"], detail["livesWith"], detail["endDate"]) == ("Mother", True, None)
        assert found["contactStudents"][0]["studentNumber"] == str(twins[0].id)
        district.change_contact(7801, first_name="Anita")
        assert ask(sis, "/ws/contacts/contact/7801").json()["firstName"] == "Anita"
        several = ask(sis, "/ws/contacts/contacts", contactids="7801,9001,1").json()
        assert [item["contactId"] for item in several] == [7801, 9001]


def test_a_student_without_contacts_gives_no_content() -> None:
    with start("powerschool", district=District.generate(100, messy=False)) as sis:
        child = sis.district.add(contacts=[])
        answer = ask(sis, f"/ws/contacts/student/{child.dcid}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert ask(sis, "/ws/contacts/student/1").status_code == 404
        assert ask(sis, "/ws/contacts/contact/1").status_code == 404
        assert ask(sis, "/ws/contacts/contacts", contactids="x").status_code == 400


def test_an_ended_relationship_stands_beside_the_one_of_today(quiet: Sandbox) -> None:
    rows = [
        contact
        for child in quiet.district.active_children()[:60]
        for contact in ask(quiet, f"/ws/contacts/student/{child.dcid}").json()
    ]
    details = [item["studentDetails"] for contact in rows for item in contact["contactStudents"]]
    histories = [found for found in details if len(found) > 1]
    assert histories
    assert all(found[0]["endDate"] < date.today().isoformat() and found[-1]["endDate"] is None for found in histories)


def test_maintenance_sends_every_request_to_the_vendors_page() -> None:
    with start("powerschool", students=100) as sis:
        bearer = token(sis).json()["access_token"]
        sis.vendor.switch["maintenance"] = True
        metadata = requests.get(sis.url + "/ws/v1/metadata", timeout=20, allow_redirects=False)
        for answer in (ask(sis, "/ws/v1/district", bearer), token(sis), metadata):
            assert answer.status_code == 302
            assert answer.headers["Location"] == "https://message.powerschool.com/?server=127.0.0.1"
        sis.vendor.switch["maintenance"] = False
        sis.faults.add("F20", to="maintenance", times=1)
        location = ask(sis, "/ws/v1/district", bearer).headers["Location"]
        assert location.startswith("https://message.powerschool.com/?server=")


def test_faults_spoil_only_what_they_name() -> None:
    with start("powerschool", students=120) as sis:
        school = sis.district.real_schools[0]
        bearer = token(sis).json()["access_token"]
        sis.faults.add("F19", school=school.number)
        assert ask(sis, f"/ws/v1/school/{school.dcid}/student", bearer).status_code == 403
        assert ask(sis, "/ws/v1/district/student", bearer).status_code == 200
        sis.faults.clear()
        sis.faults.add("F43", by=2)
        true = len(students(sis))
        assert ask(sis, "/ws/v1/district/student/count", bearer).json()["resource"]["count"] == true + 2
        sis.faults.clear()
        sis.faults.add("F45", school=school.number)
        body = ask(sis, f"/ws/v1/school/{school.dcid}/student", bearer).json()
        assert "student" not in body["students"]
        sis.faults.clear()
        sis.faults.add("F17", times=1)
        assert ask(sis, "/ws/v1/district", bearer).status_code == 401
        assert ask(sis, "/ws/v1/district").status_code == 200


def test_credentials_stay_out_of_the_log() -> None:
    with start("powerschool", students=100) as sis:
        ask(sis, "/ws/v1/district/student", pagesize=5)
        assert sis.truth[-1]["rows"] == 5
        log = str(sis.truth)
        assert sis.credentials["consumer_secret"] not in log
        assert token(sis).json()["access_token"] not in log
