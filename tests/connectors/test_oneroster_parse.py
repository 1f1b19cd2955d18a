"""How single OneRoster users, demographics and CSV cells are understood, however providers write them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from msgspec import UNSET

from integrations.connectors.base import RawRecord
from integrations.connectors.oneroster.client import service_url
from integrations.connectors.oneroster.district import school_of, tenant_of, year_of
from integrations.connectors.oneroster.objects import role_of, user_of
from integrations.connectors.oneroster.parse import AGENTS_FOLLOW, PEOPLE_FOLLOW, student_record
from integrations.connectors.oneroster.rows import facts_at, sightings, user_row
from integrations.errors import ConfigurationError, RecordError, TenantChanged, UnusableAnswer
from students.records import ALTERNATE, CURRENT, FUTURE, LEFT, PRIMARY, Facts, StudentRecord

TODAY = dt.date(2026, 11, 16)
STUDENT: dict[str, Any] = {
    "sourcedId": "s1", "status": "active", "enabledUser": "true", "givenName": "Ana", "familyName": "Diaz",
    "identifier": "0451", "grades": ["05"],
}  # fmt: skip
PARENT: dict[str, Any] = {"sourcedId": "p1", "givenName": "Eva", "familyName": "Diaz", "phone": "(559) 200-0001"}


def role(org: str, **more: Any) -> dict[str, Any]:
    return {"roleType": "primary", "role": "student", "org": {"sourcedId": org, "type": "org"}, **more}


def user(**more: Any) -> bytes:
    return json.dumps({key: value for key, value in {**STUDENT, **more}.items() if value is not UNSET}).encode()


def record(
    people: dict[str, Any] | None = None, agents: list[dict[str, Any]] | None = None, **more: Any
) -> StudentRecord:
    """The canonical record of a student at school 110."""
    raw = user(**more)
    parts: list[bytes] = [raw, b"current primary"]
    if people is not None:
        parts += [PEOPLE_FOLLOW, json.dumps({"sourcedId": "s1", **people}).encode()]
    if agents is not None:
        parts += [AGENTS_FOLLOW, *(json.dumps(agent).encode() for agent in agents)]
    facts = facts_at(user_row(raw), "110", TODAY)
    return student_record(RawRecord(external_id="s1", parts=tuple(parts), facts=facts), "110")


def facts(school: str = "110", *, delta: bool = False, **more: Any) -> Facts:
    return facts_at(user_row(user(**more)), school, TODAY, delta=delta)


@pytest.mark.parametrize("grades", [["05"], ["05", "06"], "05", "05,06", ["05,06"], [" 05 "]])
def test_grade_is_the_first_however_the_list_is_written(grades: Any) -> None:
    assert record(grades=grades).enrollment.grade_level == "05"


@pytest.mark.parametrize("code", ["IT", "PR", "PK", "TK", "KG", "13", "PS", "UG", "Other"])
def test_grade_codes_of_the_vocabulary_come_through(code: str) -> None:
    assert record(grades=[code]).enrollment.grade_level == code


@pytest.mark.parametrize("grades", [[], None, "", [""], UNSET])
def test_student_without_a_grade_is_refused(grades: Any) -> None:
    with pytest.raises(RecordError, match="grades is missing"):
        record(grades=grades)


@pytest.mark.parametrize(("written", "ours"), [("true", "true"), (True, "true"), ("TRUE", "true"), ("False", "false")])
def test_booleans_are_read_as_text_or_as_json(written: Any, ours: str) -> None:
    found = record({"hispanicOrLatinoEthnicity": written, "asian": written, "white": "false"})

    assert found.ethnicity == ours
    assert found.races == (("asian",) if ours == "true" else ())


def test_several_races_are_told_only_where_none_is_named() -> None:
    several = {"demographicRaceTwoOrMoreRaces": "true"}

    assert record({**several, "asian": "true", "white": "true"}).races == ("asian", "white")
    assert record({**several, "asian": "false"}).races == ("demographicRaceTwoOrMoreRaces",)


def test_demographics_that_did_not_come_say_nothing() -> None:
    found = record()

    assert (found.birth_date, found.gender, found.ethnicity, found.races) == (UNSET, UNSET, UNSET, UNSET)
    assert record({"birthDate": "2015-03-07"}).races is UNSET


@pytest.mark.parametrize(("sex", "ours"), [("male", "male"), ("other", "other"), ("unspecified", None), ("", None)])
def test_sex_is_a_code_and_unspecified_is_a_blank(sex: str, ours: str | None) -> None:
    assert record({"sex": sex}).gender == ours


@pytest.mark.parametrize("written", ["2015-03-07", "2015-03-07T00:00:00.000Z"])
def test_birth_date_may_come_with_a_time(written: str) -> None:
    assert record({"birthDate": written}).birth_date == dt.date(2015, 3, 7)


def test_birth_date_that_is_none_is_refused() -> None:
    with pytest.raises(RecordError, match="birthDate is no date"):
        record({"birthDate": "03/07/2015"})


def test_absent_null_and_blank_are_told_apart() -> None:
    assert record().email is UNSET
    assert record(email=None).email is None
    assert record(email="  ").email is None


def test_local_id_is_the_identifier_else_the_user_id_of_the_sis() -> None:
    ids = [{"type": "LDAP", "identifier": "x"}, {"type": "sisId", "identifier": "77"}]

    assert record(userIds=ids).local_id == "0451"
    assert record(identifier=UNSET, userIds=ids).local_id == "77"
    assert record(identifier="").local_id is UNSET


@pytest.mark.parametrize(
    ("more", "ours"),
    [
        ({"userIds": [{"type": "stateId", "identifier": "0012"}], "userMasterIdentifier": "99"}, "0012"),
        ({"userMasterIdentifier": "1234567890"}, "1234567890"),
        ({"userMasterIdentifier": "00000bb9-0000-4000-8000-000000000000"}, UNSET),
        ({}, UNSET),
    ],
)
def test_state_id_is_the_user_id_of_the_state_else_a_master_identifier_that_is_no_guid(
    more: dict[str, Any], ours: Any
) -> None:
    assert record(**more).state_id == ours


def test_preferred_names_are_read_under_the_names_of_service_and_csv() -> None:
    assert record(preferredFirstName="Annie").preferred_first_name == "Annie"
    assert record(preferredGivenName="Annie").preferred_first_name == "Annie"
    assert record(preferredFamilyName="D").preferred_last_name == "D"


def test_address_and_language_come_from_metadata_where_they_are() -> None:
    found = record(metadata={"streetAddress": "1 Elm St", "postalCode": 1430, "homeLanguage": "spa"})

    assert (found.residence_line1, found.residence_postal_code, found.home_language) == ("1 Elm St", "01430", "spa")
    assert found.residence_city is UNSET


@pytest.mark.parametrize("metadata", [None, "", [], "text"])
def test_metadata_of_another_shape_says_nothing(metadata: Any) -> None:
    assert record(metadata=metadata).residence_line1 is UNSET


@pytest.mark.parametrize("name", ["givenName", "familyName"])
@pytest.mark.parametrize("value", [UNSET, None, " "])
def test_student_without_a_name_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RecordError, match=f"{name} is missing"):
        record(**{name: value})


def test_tombstone_without_anything_is_a_student_who_left() -> None:
    found = record(status="tobedeleted", givenName=UNSET, familyName="", grades=UNSET)

    assert (found.enrollment.status, found.first_name, found.last_name) == (LEFT, UNSET, UNSET)


def test_agents_are_contacts_in_the_order_of_the_student() -> None:
    found = record(agents=[{**PARENT, "role": "parent"}, {"sourcedId": "p2", "roles": [role("1", role="relative")]}])

    assert isinstance(found.contacts, tuple)
    assert [(c.external_id, c.relationship, c.order) for c in found.contacts] == [
        ("p1", "parent", 1),
        ("p2", "relative", 2),
    ]
    assert found.contacts[0].home_phone == "5592000001"
    assert found.contacts[1].first_name is UNSET


def test_agents_that_were_deleted_are_no_contacts() -> None:
    assert record(agents=[{**PARENT, "status": "tobedeleted"}]).contacts == ()


def test_agents_that_were_not_read_leave_contacts_and_family_alone() -> None:
    found = record()

    assert found.contacts is UNSET
    assert found.household.told is False


def test_relationship_of_a_teacher_who_is_also_a_parent_is_parent() -> None:
    agent = {**PARENT, "roles": [role("1", role="teacher"), role("1", role="parent")]}

    assert isinstance(found := record(agents=[agent]).contacts, tuple)
    assert found[0].relationship == "parent"


def test_first_parent_or_guardian_heads_the_household() -> None:
    aunt = {"sourcedId": "p2", "givenName": "Bea", "familyName": "Roe", "role": "relative"}
    found = record(agents=[aunt, {**PARENT, "role": "guardian"}], metadata={"streetAddress": "1 Elm", "city": "Ione"})

    assert (found.household.head_first_name, found.household.head_home_phone) == ("Eva", "5592000001")
    assert found.household.home_address == "1 Elm, Ione"
    assert record(agents=[aunt], phone="5591112222").household.head_home_phone == "5591112222"
    assert record(agents=[aunt]).household.head_last_name == ""


@pytest.mark.parametrize(
    ("more", "status", "left"),
    [
        ({}, CURRENT, None),
        ({"beginDate": "2026-11-16", "endDate": "2026-11-16"}, CURRENT, None),
        ({"beginDate": "2026-11-17"}, FUTURE, None),
        ({"endDate": "2026-11-15"}, LEFT, dt.date(2026, 11, 15)),
        ({"status": "tobedeleted", "endDate": "2026-11-15"}, LEFT, dt.date(2026, 11, 15)),
        ({"status": "tobedeleted"}, LEFT, None),
    ],
)
def test_role_tells_whether_the_student_is_here(more: dict[str, Any], status: str, left: dt.date | None) -> None:
    found = facts(roles=[role("110", **more)])

    assert (found.status, found.left) == (status, left)


def test_tombstone_of_a_user_is_a_leaving_with_the_end_of_its_role() -> None:
    assert facts(status="tobedeleted", roles=[role("110", endDate="2026-10-01")]).left == dt.date(2026, 10, 1)
    assert facts(status="tobedeleted", roles=[role("110", endDate="2027-06-11")]).left is None


def test_disabled_user_is_still_a_student() -> None:
    assert facts(enabledUser="false", roles=[role("110")]).status == CURRENT


def test_student_who_came_back_is_here_whatever_role_has_ended() -> None:
    found = facts(roles=[role("110", endDate="2026-09-01"), role("110", beginDate="2026-10-01")])

    assert (found.status, found.entered) == (CURRENT, dt.date(2026, 10, 1))


def test_school_that_lists_a_student_has_the_student_whatever_the_row_says() -> None:
    assert facts(role="student", orgs=[{"sourcedId": "D1"}]).status == CURRENT


@pytest.mark.parametrize(
    ("more", "main"),
    [
        ({"roles": [role("110"), role("120")], "primaryOrg": {"sourcedId": "120"}}, "120"),
        ({"roles": [role("110", roleType="secondary"), role("120")]}, "120"),
        ({"roles": [role("110"), role("120")]}, "110"),
        ({"roles": [role("110", endDate="2026-09-01"), role("120")], "primaryOrg": {"sourcedId": "110"}}, "120"),
        ({"roles": [role("110"), role("120", roleType="secondary")], "primaryOrg": {"sourcedId": "D1"}}, "110"),
        ({"role": "student", "orgs": [{"sourcedId": "120"}, {"sourcedId": "110"}]}, "120"),
    ],
)
def test_one_of_two_schools_is_the_primary_one(more: dict[str, Any], main: str) -> None:
    other = {"110": "120", "120": "110"}[main]

    assert facts(main, **more).role == PRIMARY
    assert facts(other, **more).status == LEFT or facts(other, **more).role == ALTERNATE


def test_delta_that_names_one_of_two_schools_does_not_make_it_the_primary_one() -> None:
    assert facts(delta=True, roles=[role("110")], primaryOrg={"sourcedId": "120"}).role == ALTERNATE
    assert facts(delta=True, roles=[role("110", roleType="secondary")]).role == ALTERNATE
    assert facts(delta=True, roles=[role("110")]).role == PRIMARY


def test_roles_that_are_no_students_are_no_enrollments() -> None:
    row = user_row(user(roles=[role("110", role="guardian"), role("120"), role("130", role="ext:aide")]))

    assert [sighting.school for sighting in sightings(row, TODAY)] == ["120"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[]", "bad_type"),
        (b'{"sourcedId": "a\xff"}', "bad_text"),
        (b'{"givenName": "A"}', "missing_required"),
        (b'{"sourcedId": {"x": 1}}', "bad_type"),
    ],
)
def test_row_without_a_usable_id_is_a_fault_and_no_exception(raw: bytes, code: str) -> None:
    row = user_row(raw)

    assert row.fault is not None
    assert (row.key, row.fault.code) == ("", code)


def test_sourced_id_that_came_as_a_number_is_text() -> None:
    assert user_row(b'{"sourcedId": 3001}').key == "3001"


def test_cells_of_a_user_become_the_object_of_a_service() -> None:
    cells = {
        "sourcedId": "s1", "userIds": "{sisId:1},{state Id:0 2}", "grades": "05,06", "agentSourcedIds": "p1, p2",
        "orgSourcedIds": "110,120", "preferredGivenName": "Annie", "metadata.city": "Ione", "password": "secret",
    }  # fmt: skip
    found = user_of(cells)

    assert found["userIds"] == [{"type": "sisId", "identifier": "1"}, {"type": "state Id", "identifier": "0 2"}]
    assert found["agents"] == [{"sourcedId": "p1"}, {"sourcedId": "p2"}]
    assert [org["sourcedId"] for org in found["orgs"]] == ["110", "120"]
    assert (found["grades"], found["preferredFirstName"], found["metadata"]) == (
        ["05", "06"],
        "Annie",
        {"city": "Ione"},
    )
    assert "password" not in found


def test_cells_of_a_role_become_a_role() -> None:
    found = role_of({"role": "student", "roleType": "primary", "orgSourcedId": "110", "endDate": ""})

    assert user_row(json.dumps(user_of({"sourcedId": "s1"}, [found])).encode()).stays[0].school == "110"


@pytest.mark.parametrize(
    ("url", "version", "service"),
    [
        ("https://x.org/ims/oneroster/v1p1/", "1.1", "https://x.org/ims/oneroster/v1p1"),
        ("https://x.org/ims/oneroster/v1p1/users?limit=1", "1.1", "https://x.org/ims/oneroster/v1p1"),
        (
            "https://x.org/campus/ims/oneroster/rostering/v1p2",
            "1.2",
            "https://x.org/campus/ims/oneroster/rostering/v1p2",
        ),
        ("https://x.org/export/roster.zip", "1.2", "https://x.org/export/roster.zip"),
    ],
)
def test_service_url_is_what_was_pasted_without_what_follows_it(url: str, version: str, service: str) -> None:
    assert service_url(url, version) == service


def test_service_url_of_the_other_version_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"is that of OneRoster 1.1, but the OneRoster Version is 1.2"):
        service_url("https://x.org/ims/oneroster/v1p1", "1.2")


def test_orgs_that_are_schools_are_buildings() -> None:
    def building(**org: Any) -> bool:
        return school_of({"sourcedId": "1", "name": "A", **org}, "x").building

    assert building(type="school")
    assert not building(type="department")
    assert not building(type="ext:college")
    assert not building(type="school", status="tobedeleted")


def test_tenant_is_the_district_whatever_it_is_called() -> None:
    school = {"sourcedId": "9", "type": "school", "name": "A"}

    assert tenant_of([school, {"sourcedId": "D", "type": "district", "name": "Ione"}], "x").id == "D"
    assert tenant_of([school, {"sourcedId": "L", "type": "local", "name": "Ione"}], "x").id == "L"
    assert tenant_of([school], "x").id == "school 9"
    with pytest.raises(UnusableAnswer, match="neither a district nor a school"):
        tenant_of([], "x")


def test_school_year_is_the_one_asked_for_else_the_one_of_today() -> None:
    sessions = [
        {
            "type": "schoolYear", "schoolYear": str(year + 1), "title": f"Y{year}",
            "startDate": f"{year}-07-01", "endDate": f"{year + 1}-06-30",
        }
        for year in (2025, 2026)
    ]  # fmt: skip

    assert year_of(sessions, asked=None, today=TODAY, where="x") == "Y2026"
    assert year_of(sessions, asked=2025, today=TODAY, where="x") == "Y2025"
    assert year_of(sessions, asked=None, today=dt.date(2030, 1, 1), where="x") == "Y2026"
    assert year_of([], asked=2026, today=TODAY, where="x") == ""
    with pytest.raises(TenantChanged, match="2027-2028"):
        year_of(sessions, asked=2027, today=TODAY, where="x")
