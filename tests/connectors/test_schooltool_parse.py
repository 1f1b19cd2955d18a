"""A student of a SchoolTool roster feed in canonical shape: every untidy value the contract allows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from integrations.connectors.base import RawRecord
from integrations.connectors.schooltool.file import header_fault
from integrations.connectors.schooltool.parse import student_record
from integrations.connectors.schooltool.rows import student_row
from integrations.errors import RecordError
from students.records import ALTERNATE, CURRENT, LEFT, PRIMARY, StudentRecord

TODAY = dt.date(2026, 11, 16)
HOME = {"line1": "1 Oak St", "line2": None, "city": "Ilion", "state": "NY", "zip": "01357"}
STAY = {"buildingId": "HS01", "entryDate": "2026-09-03", "exitDate": None, "primary": True}
MOTHER = {
    "contactId": "C1", "order": 1, "relationshipCode": "MOTH", "headOfHousehold": True, "livesWith": True,
    "firstName": "Ana", "lastName": "Ruiz", "homePhone": "315-555-0101", "cellPhone": None, "email": "",
    "address": HOME,
}  # fmt: skip
STUDENT: dict[str, Any] = {
    "studentId": "0042", "stateId": "0012345678", "lastName": "Ruiz", "firstName": "Leo", "middleName": None,
    "suffix": None, "preferredName": "Lee", "birthDate": "2015-03-07", "genderCode": "X", "hispanic": "Y",
    "raceCodes": ["W", "I", "W"], "gradeCode": "05", "homeLanguageCode": "SPA", "enrollments": [STAY], "address": HOME,
    "homePhone": "(315) 555-0100", "householdId": "7", "contacts": [MOTHER], "modified": "2026-09-01T00:00:00Z",
}  # fmt: skip


def record(school: str = "HS01", **changed: Any) -> RawRecord:
    """The raw record of the student with these values; a value of ... leaves the key out."""
    told = {name: value for name, value in {**STUDENT, **changed}.items() if value is not ...}
    raw = json.dumps(told).encode()
    row = student_row(raw, today=TODAY)
    if row.fault:
        raise row.fault
    stay = next(one for one in row.stays if one.building == school)
    return RawRecord(external_id=row.student, parts=(raw, stay.raw), facts=stay.facts)


def parsed(school: str = "HS01", **changed: Any) -> StudentRecord:
    """The canonical record."""
    return student_record(record(school, **changed), school)


def fault(**changed: Any) -> tuple[str, str]:
    """Code and field a record is refused with."""
    with pytest.raises(RecordError) as caught:
        parsed(**changed)
    return caught.value.code, caught.value.field


def test_a_whole_record_is_read() -> None:
    found = parsed()
    assert (found.external_id, found.local_id, found.state_id) == ("0042", "0042", "0012345678")
    assert (found.first_name, found.middle_name, found.last_name, found.suffix) == ("Leo", None, "Ruiz", None)
    assert (found.preferred_first_name, found.birth_date, found.gender) == ("Lee", dt.date(2015, 3, 7), "X")
    assert (found.ethnicity, found.races, found.home_language) == ("Y", ("W", "I"), "SPA")
    assert (found.home_phone, found.residence_line1, found.residence_line2) == ("3155550100", "1 Oak St", None)
    assert (found.residence_city, found.residence_state, found.residence_postal_code) == ("Ilion", "NY", "01357")
    assert (found.mailing_line1, found.email, found.pin) == (UNSET, UNSET, UNSET)
    assert (found.enrollment.school, found.enrollment.grade_level) == ("HS01", "05")
    assert (found.enrollment.entered, found.enrollment.left) == (dt.date(2026, 9, 3), None)
    assert (found.enrollment.status, found.enrollment.role) == (CURRENT, PRIMARY)


@pytest.mark.parametrize("code", ["PKH", "PKF", "KH", "KF", "01", "12", "13", "14"])
def test_grade_codes_stay_as_they_are(code: str) -> None:
    assert parsed(gradeCode=code).enrollment.grade_level == code


def test_what_is_left_out_says_nothing_and_null_is_a_blank() -> None:
    keys = ("stateId", "middleName", "homePhone", "raceCodes", "address", "contacts", "genderCode")
    absent, null = parsed(**dict.fromkeys(keys, ...)), parsed(**dict.fromkeys(keys))
    assert (absent.state_id, absent.home_phone, absent.races, absent.contacts) == (UNSET, UNSET, UNSET, UNSET)
    assert (absent.residence_line1, absent.residence_postal_code, absent.gender) == (UNSET, UNSET, UNSET)
    assert (null.state_id, null.home_phone, null.races, null.contacts) == (None, None, (), ())
    assert (null.residence_line1, null.residence_postal_code, null.gender) == (None, None, None)


@pytest.mark.parametrize(("value", "found"), [(12345678, "0012345678"), ("12345678", "12345678"), (" 1 ", "1")])
def test_zeros_a_number_has_lost_come_back_to_the_state_id(value: Any, found: str) -> None:
    assert parsed(stateId=value).state_id == found


def test_a_postal_code_sent_as_a_number_gets_its_zero_back() -> None:
    assert parsed(address={**HOME, "zip": 1357}).residence_postal_code == "01357"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"gradeCode": ""}, ("missing_required", "gradeCode")),
        ({"gradeCode": ...}, ("missing_required", "gradeCode")),
        ({"birthDate": "03/07/2015"}, ("bad_date", "birthDate")),
        ({"birthDate": "2023-02-29"}, ("bad_date", "birthDate")),
        ({"raceCodes": "W"}, ("bad_type", "raceCodes")),
        ({"address": "1 Oak St"}, ("bad_type", "address")),
        ({"contacts": {}}, ("bad_type", "contacts")),
        ({"contacts": [{**MOTHER, "contactId": None}]}, ("missing_required", "contacts.contactId")),
        ({"lastName": ["Ruiz"]}, ("bad_type", "lastName")),
        ({"lastName": "Ru\0iz"}, ("bad_text", "lastName")),
        ({"enrollments": []}, ("missing_required", "enrollments")),
        ({"enrollments": None}, ("missing_required", "enrollments")),
        ({"enrollments": ["HS01"]}, ("bad_type", "enrollments")),
        ({"enrollments": "HS01"}, ("bad_type", "enrollments")),
        ({"enrollments": [{**STAY, "buildingId": None}]}, ("missing_required", "enrollments.buildingId")),
        ({"enrollments": [{**STAY, "exitDate": "soon"}]}, ("bad_date", "enrollments.exitDate")),
        ({"studentId": 42}, ("bad_type", "studentId")),
        ({"studentId": None}, ("missing_required", "studentId")),
        ({"studentId": "4\n2"}, ("bad_text", "studentId")),
    ],
)
def test_a_record_that_cannot_be_read_says_which_field(changed: dict[str, Any], told: tuple[str, str]) -> None:
    assert fault(**changed) == told


@pytest.mark.parametrize(
    ("exit_date", "status", "left"),
    [
        (None, CURRENT, None),
        ("2027-06-25", CURRENT, None),
        ("2026-11-16", CURRENT, None),
        ("2026-11-15", LEFT, dt.date(2026, 11, 15)),
    ],
)
def test_only_an_exit_date_that_has_passed_ends_an_enrollment(
    exit_date: str | None, status: str, left: dt.date | None
) -> None:
    found = parsed(enrollments=[{**STAY, "exitDate": exit_date}]).enrollment
    assert (found.status, found.left, found.exit_reason) == (status, left, "exit date" if left else "")


def stays(*enrollments: dict[str, Any]) -> dict[str, tuple[str, str, dt.date | None]]:
    """Building → status, role, entered, of a student with these enrollments."""
    row = student_row(json.dumps({**STUDENT, "enrollments": [{**STAY, **one} for one in enrollments]}), today=TODAY)  # type: ignore[arg-type]
    return {one.building: (one.facts.status, one.facts.role, one.facts.entered) for one in row.stays}


def test_one_enrollment_a_building_counts_the_current_then_the_primary_then_the_latest() -> None:
    assert stays(
        {"entryDate": "2026-09-03", "exitDate": "2026-10-01"},
        {"entryDate": "2026-10-20", "primary": False},
        {"entryDate": "2026-10-10"},
        {"buildingId": "MS02", "primary": False},
    ) == {
        "HS01": (CURRENT, PRIMARY, dt.date(2026, 10, 10)),
        "MS02": (CURRENT, ALTERNATE, dt.date(2026, 9, 3)),
    }


@pytest.mark.parametrize("primary", [False, None, "N"])
def test_the_latest_is_primary_where_none_is_marked(primary: Any) -> None:
    found = stays({"primary": primary}, {"buildingId": "MS02", "primary": primary, "entryDate": "2026-10-01"})
    assert {building: role for building, (_, role, _) in found.items()} == {"HS01": ALTERNATE, "MS02": PRIMARY}


def test_contacts_come_by_order_each_once_and_the_empty_one_not_at_all() -> None:
    father = {**MOTHER, "contactId": "C2", "order": 1, "firstName": "Max", "headOfHousehold": False}
    nobody = {"contactId": "C3", "order": 0, "firstName": "", "lastName": None}
    found = parsed(contacts=[{**MOTHER, "order": 5}, father, nobody, {**father, "order": 9}]).contacts
    assert isinstance(found, tuple)
    assert [(one.external_id, one.order) for one in found] == [("C2", 1), ("C1", 2)]
    mother = found[1]
    assert (mother.first_name, mother.relationship, mother.lives_with, mother.email) == ("Ana", "MOTH", True, None)
    assert (mother.home_phone, mother.mobile_phone, mother.work_phone) == ("3155550101", None, UNSET)
    assert (mother.line1, mother.postal_code) == ("1 Oak St", "01357")


def test_the_household_is_that_of_its_head() -> None:
    found = parsed().household
    assert (found.head_first_name, found.head_last_name, found.head_home_phone) == ("Ana", "Ruiz", "3155550101")
    assert (found.home_address, found.family_key) == ("1 Oak St, Ilion, NY, 01357", "")
    without = parsed(contacts=[{**MOTHER, "headOfHousehold": False}]).household
    assert (without.head_first_name, without.head_last_name, without.head_home_phone) == ("", "", "")
    assert without.home_address == "1 Oak St, Ilion, NY, 01357"
    homeless = parsed(contacts=[{**MOTHER, "address": None}], address=None).household
    assert (homeless.head_last_name, homeless.home_address) == ("Ruiz", "")
    assert [parsed(contacts=told).household.told for told in ([MOTHER], [], None, ...)] == [True, True, True, False]


def test_bytes_that_are_no_text_are_a_fault_of_one_record() -> None:
    raw = json.dumps(STUDENT).encode().replace(b"Ruiz", b"Ru\xffz", 1)
    with pytest.raises(RecordError) as caught:
        student_record(msgspec.structs.replace(record(), parts=(raw, b"{}")), "HS01")
    assert caught.value.code == "bad_text"
    row = student_row(b'{"studentId":"7","enrollments":[{"buildingId":"\xff"}]}', today=TODAY)
    assert (row.student, row.fault and row.fault.code) == ("7", "bad_text")


HEADER = [
    "schoolYear", "studentId", "lastName", "firstName", "birthDate", "gradeCode", "enrollments.buildingId",
    "enrollments.entryDate", "enrollments.primary",
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "less", "told"),
    [
        (["stateId", "contacts.1.firstName", "contacts.12.address.zip", "building.name"], "", ""),
        ([], "studentId", "it lacks studentId"),
        (["stateID"], "", "it has 'stateID', which is not known (is it stateId?)"),
        (["contacts.0.firstName"], "", "it has 'contacts.0.firstName', which is not known"),
        (["studentId"], "", "it has 'studentId' twice"),
        ([""], "-", "it has '', which is not known"),
    ],
)
def test_a_wrong_header_is_told_name_by_name(more: list[str], less: str, told: str) -> None:
    found = header_fault([name for name in (*HEADER, *more) if name != less])
    assert found == told if not told else found.startswith(told)
