"""The quirks of PowerSchool's records, each on a payload composed for it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from integrations.connectors.base import RawRecord
from integrations.connectors.powerschool.client import base_url
from integrations.connectors.powerschool.parse import CONTACTS_FOLLOW, student_record
from integrations.connectors.powerschool.rows import dates_passed, in_order, student_row
from integrations.errors import (
    RecordError,
)
from students.records import CURRENT, FUTURE, LEFT, StudentRecord

TODAY = dt.date(2026, 10, 5)
STUDENT: dict[str, Any] = {
    "id": 4101,
    "local_id": 200417,
    "state_province_id": 7700418123,
    "name": {"first_name": "Marisol", "last_name": "Vega "},
    "demographics": {"gender": "F", "birth_date": "2014-03-09", "projected_graduation_year": 2032},
    "addresses": {
        "physical": {"street": "18 Quarry Rd ", "city": "Tempe", "state_province": "AZ", "postal_code": 5281},
        "mailing": {
            "street": "PO Box 44",
            "city": "Tempe",
            "state_province": "AZ",
            "postal_code": "85280-0044",
        },
    },
    "phones": {"main": {"number": 4805550142}},
    "school_enrollment": {
        "enroll_status": "A",
        "grade_level": 0,
        "entry_date": "2026-08-04",
        "exit_date": "2027-05-22",
        "school_number": 101,
        "school_id": 53,
    },
    "ethnicity_race": {
        "scheduling_reporting_ethnicity": "H",
        "federal_ethnicity": "YES",
        "races": {"district_race_code": "WH", "federal_race_code_category": "White"},
    },
    "contact_info": {"email": "mvega17@example.org"},
    "_extension_data": {
        "_table_extension": {
            "recordFound": False,
            "name": "studentcorefields",
            "_field": {"name": "primarylanguage", "type": "String", "value": "Spanish"},
        }
    },
}
CONTACT: dict[str, Any] = {
    "contactId": 7,
    "firstName": "Ana",
    "middleName": None,
    "lastName": "Vega",
    "active": True,
    "emails": [
        {"primary": False, "address": "old@example.org"},
        {"primary": True, "address": "Ana@example.org"},
    ],
    "phones": [
        {"sequence": 2, "preferred": False, "phoneType": "Mobile", "phoneNumber": "480-555-0199"},
        {"sequence": 1, "preferred": False, "phoneType": "Home", "phoneNumber": "(480) 555-0143"},
        {"sequence": 3, "preferred": True, "phoneType": "Cell", "phoneNumber": "480.555.0144"},
        {"sequence": 4, "phoneType": "Daytime", "phoneNumber": "4805550145", "extension": "9"},
    ],
    "addresses": [
        {"sequence": 1, "addressType": "Mailing", "street": "PO Box 44", "city": "Tempe", "state": "AZ"},
        {"sequence": 2, "addressType": "Home", "street": "18 Quarry Rd", "unit": "4", "postalcode": "85281"},
        {"sequence": 0, "addressType": "Home", "street": "9 Old St", "endDate": "2020-01-01"},
    ],
    "contactStudents": [
        {"sequence": 1, "dcid": 4199, "studentDetails": [{"relationship": "Aunt", "active": True}]},
        {
            "sequence": 2,
            "dcid": 4101,
            "restrictions": [],
            "studentDetails": [
                {"relationship": "Guardian", "active": True, "endDate": "2024-07-31"},
                {
                    "relationship": "Mother",
                    "active": True,
                    "startDate": "2024-08-01",
                    "custodial": True,
                    "livesWith": True,
                    "emergency": False,
                    "receivesMail": True,
                },
            ],
        },
    ],
}


def raw(value: Any) -> Raw:
    """A value as it comes in an answer."""
    return Raw(json.dumps(value).encode())


def linked(contact_id: int = 7, sequence: int = 2, *, link: dict[str, Any] | None = None, **detail: Any) -> Raw:
    """The contact with another id and sequence, its link and the detail of today changed."""
    to_student = CONTACT["contactStudents"][1]
    details = [{**to_student["studentDetails"][1], **detail}]
    changed = {**to_student, "sequence": sequence, "studentDetails": details, **(link or {})}
    return raw({**CONTACT, "contactId": contact_id, "firstName": f"C{contact_id}", "contactStudents": [changed]})


def record_of(*contacts: Raw, drop: tuple[str, ...] = (), today: dt.date = TODAY, **values: Any) -> StudentRecord:
    """The canonical record of the student with changed members; contacts are read when there are any."""
    student = {key: value for key, value in {**STUDENT, **values}.items() if key not in drop}
    parts = (raw(student), CONTACTS_FOLLOW, b"0", *contacts) if contacts else (raw(student),)
    row = student_row(raw(student))
    assert row.facts is not None
    return student_record(RawRecord(external_id="4101", parts=parts, facts=row.facts), "101", today=today)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://d.example.org",
        "https://d.example.org/",
        "https://d.example.org/ws/v1/",
        "https://d.example.org/admin/home.html?x=1",
        " https://d.example.org/admin ",
    ],
)
def test_pasted_addresses_become_the_base(pasted: str) -> None:
    assert base_url(pasted) == "https://d.example.org"


def test_every_field_is_read() -> None:
    record = record_of()

    assert record == StudentRecord(
        external_id="4101",
        enrollment=record.enrollment,
        household=record.household,
        local_id="200417",
        state_id="7700418123",
        first_name="Marisol",
        middle_name=None,
        last_name="Vega",
        birth_date=dt.date(2014, 3, 9),
        gender="F",
        ethnicity="YES",
        races=("WH",),
        home_language="Spanish",
        email="mvega17@example.org",
        home_phone="4805550142",
        residence_line1="18 Quarry Rd",
        residence_city="Tempe",
        residence_state="AZ",
        residence_postal_code="05281",
        mailing_line1="PO Box 44",
        mailing_city="Tempe",
        mailing_state="AZ",
        mailing_postal_code="85280-0044",
    )
    assert record.enrollment.grade_level == "0"
    assert record.enrollment.entered == dt.date(2026, 8, 4)


@pytest.mark.parametrize(
    ("letter", "status"),
    [("A", CURRENT), ("a", CURRENT), ("P", FUTURE), ("T", LEFT), ("G", LEFT), ("H", LEFT), ("I", LEFT)],
)
def test_enroll_status_decides_and_an_exit_date_to_come_is_no_leaving(letter: str, status: str) -> None:
    enrollment = {**STUDENT["school_enrollment"], "enroll_status": letter}
    record = record_of(school_enrollment=enrollment)

    assert record.enrollment.status == status
    assert record.enrollment.left == (dt.date(2027, 5, 22) if status == LEFT else None)


@pytest.mark.parametrize("id_", [4101, 4101.0, "4101"])
@pytest.mark.parametrize("grade", [-2, 0, "0", 99])
def test_ids_and_grades_may_be_numbers_or_text(id_: Any, grade: Any) -> None:
    enrollment = {**STUDENT["school_enrollment"], "grade_level": grade}
    row = student_row(raw({**STUDENT, "id": id_, "school_enrollment": enrollment}))

    assert (row.student, row.school) == ("4101", "101")
    assert row.facts is not None
    assert row.facts.grade == str(grade)


@pytest.mark.parametrize("enrollment", ["", None, {}, {"school_number": 101}])
def test_student_without_a_status_is_rejected_not_taken_for_active(enrollment: Any) -> None:
    row = student_row(raw({**STUDENT, "school_enrollment": enrollment}))

    assert row.facts is None
    assert row.fault is not None
    assert row.student == "4101"


@pytest.mark.parametrize("empty", ["", {}])
def test_empty_expansions_are_blanks_and_missing_ones_say_nothing(empty: Any) -> None:
    expansions = ("addresses", "phones", "contact_info", "ethnicity_race", "demographics")
    blank = record_of(**dict.fromkeys(expansions, empty))
    silent = record_of(drop=(*expansions, "_extension_data"))

    for name in (
        "residence_line1",
        "mailing_city",
        "home_phone",
        "email",
        "ethnicity",
        "gender",
        "birth_date",
    ):
        assert getattr(blank, name) is None
        assert getattr(silent, name) is UNSET
    assert (blank.races, silent.races) == ((), UNSET)
    assert silent.home_language is UNSET


def test_blank_leaf_of_an_expansion_is_a_blank() -> None:
    record = record_of(addresses={"physical": {"street": "", "city": "Tempe"}}, demographics={"gender": "F"})

    assert (record.residence_line1, record.residence_city, record.residence_state) == (None, "Tempe", None)
    assert record.mailing_line1 is None
    assert record.birth_date is None


@pytest.mark.parametrize(
    ("found", "ethnicity"),
    [
        ({"federal_ethnicity": "NO", "scheduling_reporting_ethnicity": "W"}, "NO"),
        ({"scheduling_reporting_ethnicity": "W"}, "W"),
        ({"scheduling_reporting_ethnicity": 4}, "4"),
        ({}, None),
    ],
)
def test_ethnicity_is_the_federal_answer_else_the_districts_code(found: dict[str, Any], ethnicity: object) -> None:
    assert record_of(ethnicity_race=found).ethnicity == ethnicity


def test_races_are_a_list_in_order() -> None:
    races = [{"district_race_code": "AS"}, {"district_race_code": "BL"}, {"district_race_code": "AS"}]

    assert record_of(ethnicity_race={"races": races}).races == ("AS", "BL")


@pytest.mark.parametrize(
    ("tables", "language"),
    [
        (
            [{"name": "u_x", "_field": []}, {"name": "studentcorefields", "_field": [{"name": "allergies"}]}],
            None,
        ),
        ({"name": "StudentCoreFields", "_field": [{"name": "primaryLanguage", "value": "es"}]}, "es"),
        ({"name": "u_x", "_field": {"name": "primarylanguage", "value": "es"}}, UNSET),
    ],
)
def test_language_comes_from_the_core_fields_however_they_are_nested(tables: Any, language: object) -> None:
    assert record_of(_extension_data={"_table_extension": tables}).home_language == language


@pytest.mark.parametrize(
    ("values", "field"),
    [({"name": {"first_name": "Ana"}}, "name.last_name"), ({"local_id": ""}, "local_id")],
)
def test_student_without_what_it_must_have_is_a_record_error(values: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordError) as caught:
        record_of(**values)

    assert (caught.value.code, caught.value.field) == ("missing_required", field)


def test_contact_is_read_as_it_stands_today_to_this_student() -> None:
    (contact,) = record_of(raw(CONTACT)).contacts or ()

    assert (contact.external_id, contact.first_name, contact.relationship) == ("7", "Ana", "Mother")
    assert contact.email == "Ana@example.org"
    assert (contact.home_phone, contact.mobile_phone) == ("4805550143", "4805550144")
    assert contact.work_phone == "4805550145 x9"
    assert (contact.line1, contact.line2, contact.postal_code) == ("18 Quarry Rd", "4", "85281")
    assert (contact.lives_with, contact.emergency, contact.receives_mail) == (True, False, True)
    assert contact.restricted is False
    assert contact.order == 1


@pytest.mark.parametrize(
    ("today", "relationship"),
    [(dt.date(2024, 7, 31), "Guardian"), (dt.date(2024, 8, 1), "Mother"), (dt.date(2030, 1, 1), "Mother")],
)
def test_link_of_the_day_counts(today: dt.date, relationship: str) -> None:
    (contact,) = record_of(raw(CONTACT), today=today).contacts or ()

    assert contact.relationship == relationship


@pytest.mark.parametrize(
    "contact",
    [
        linked(endDate="2026-10-04"),
        linked(startDate="2026-10-06"),
        linked(active=False),
        linked(link={"dcid": 4102}),
        raw({**CONTACT, "active": False}),
        raw({**CONTACT, "contactStudents": []}),
    ],
)
def test_contact_without_a_link_of_today_is_left_out(contact: Raw) -> None:
    assert record_of(contact).contacts == ()


def test_contacts_are_ranked_by_sequence_then_id() -> None:
    record = record_of(linked(9, 2), linked(8, 2), linked(7, 1))

    assert isinstance(record.contacts, tuple)
    assert [(contact.external_id, contact.order) for contact in record.contacts] == [
        ("7", 1),
        ("8", 2),
        ("9", 3),
    ]


@pytest.mark.parametrize(
    ("contacts", "head"),
    [
        ((linked(1, 1, custodial=False), linked(2, 2)), "C2"),
        ((linked(1, 1, livesWith=False), linked(2, 2, custodial=False)), "C2"),
        ((linked(1, 1, livesWith=False, custodial=False), linked(2, 2, livesWith=False)), "C2"),
        ((linked(1, 1, link={"restrictions": [{"x": 1}]}), linked(2, 2)), "C2"),
        ((linked(1, 1, livesWith=False, custodial=False),), ""),
    ],
)
def test_head_of_household_lives_there_with_custody(contacts: tuple[Raw, ...], head: str) -> None:
    assert record_of(*contacts).household.head_first_name == head


def test_fields_of_the_student_record_give_contacts_when_asked_for() -> None:
    fields = {
        "mother": "Vega, Ana",
        "father": "Luis Vega",
        "emergency_contact_name1": "Vega, Ana",
        "emergency_phone1": "480-555-0143",
        "emergency_contact_name2": "Brandt, Jo",
        "emergency_phone2": 4805550144,
    }
    contacts = record_of(contact=fields).contacts

    assert isinstance(contacts, tuple)
    assert [(c.external_id, c.first_name, c.last_name, c.relationship, c.emergency) for c in contacts] == [
        ("4101-mother", "Ana", "Vega", "Mother", True),
        ("4101-father", "Luis", "Vega", "Father", False),
        ("4101-emergency2", "Jo", "Brandt", UNSET, True),
    ]
    assert [c.home_phone for c in contacts] == ["4805550143", UNSET, "4805550144"]
    assert record_of(contact="").contacts == ()


def test_date_that_passes_changes_the_fingerprint_of_a_contact_and_nothing_else_does() -> None:
    contacts = [raw(CONTACT)]
    days = (dt.date(2024, 7, 31), dt.date(2024, 8, 1), dt.date(2024, 8, 2), dt.date(2030, 1, 1))

    assert [dates_passed(contacts, day) for day in days] == [1, 3, 3, 3]


def test_contacts_are_in_order_of_their_id() -> None:
    assert [bytes(one) for one in in_order([raw({"contactId": 12}), raw({"contactId": 7})])] == [
        b'{"contactId": 7}',
        b'{"contactId": 12}',
    ]
