"""Rows of Illuminate in canonical shape: values in several types, households, blanks and what is missing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from integrations.connectors.base import RawRecord
from integrations.connectors.illuminate.parse import CONTACTS_FOLLOW, student_record
from integrations.connectors.illuminate.profile import SHIPPED, as_json, profile_of
from integrations.connectors.illuminate.values import hispanic, zip_code
from integrations.errors import RecordError
from students.records import LEFT, Facts, StudentRecord

STUDENT: dict[str, Any] = {
    "student_id": 5012,
    "local_student_id": "100234",
    "state_student_id": "8123456789",
    "first_name": "Ana",
    "middle_name": "Lucia",
    "last_name": "Ortiz",
    "name_suffix": "III",
    "aka_first_name": "Anita",
    "aka_last_name": None,
    "birth_date": "2014-03-09",
    "gender": "F",
    "is_hispanic": True,
    "primary_ethnicity": "700",
    "secondary_ethnicity": "400",
    "tertiary_ethnicity": None,
    "primary_language": "01",
    "correspondence_language": "00",
    "email": "ana.ortiz@students.example.org",
    "site_id": 2,
    "grade_level_id": 5,
    "primary_household": {
        "household_id": 801,
        "household_name": "Ortiz",
        "home_phone": "(559) 555-0101",
        "dwelling": {
            "dwelling_id": 610,
            "address": "14 Elm St",
            "address2": "Apt 1",
            "city": "Fresno",
            "state": "CA",
            "zip": "93701",
        },
    },
}
ENROLLMENT: dict[str, Any] = {"student_id": 5012, "exit_code_id": 12}
CONTACT: dict[str, Any] = {
    "contact_id": 3300,
    "student_id": 5012,
    "household_id": 801,
    "is_primary_household": True,
    "contact_type_id": 1,
    "relationship": "M",
    "first_name": "Rosa",
    "last_name": "Ortiz",
    "is_primary_contact": True,
    "is_legal": True,
    "lives_with": True,
    "gets_correspondence": True,
    "emergency_order": 1,
    "home_phone": "5595550103",
    "cell_phone": "5595550102",
    "work_phone": None,
    "email": "rosa@example.org",
    "address": "14 Elm St",
    "address2": "Apt 1",
    "city": "Fresno",
    "state": "CA",
    "zip": 93701,
}
FACTS = Facts(grade="5", entered=dt.date(2025, 8, 12))


def parsed(*contacts: dict[str, Any], facts: Facts = FACTS, profile: Any = None, **values: Any) -> StudentRecord:
    """The record of STUDENT with these values (UNSET: left out) and contacts."""
    row = {name: value for name, value in {**STUDENT, **values}.items() if value is not UNSET}
    parts = (row, ENROLLMENT, "current primary")
    record = RawRecord(
        external_id="5012",
        parts=(
            *map(msgspec.json.encode, parts),
            CONTACTS_FOLLOW,
            *map(msgspec.json.encode, contacts),
        ),
        facts=facts,
    )
    return student_record(record, "2", profile=profile_of(profile or {}))


def household(**values: Any) -> dict[str, Any]:
    return {**STUDENT["primary_household"], **values}


def test_student_is_read_whole() -> None:
    record = parsed(CONTACT)

    assert record == StudentRecord(
        external_id="5012",
        local_id="100234",
        state_id="8123456789",
        enrollment=record.enrollment,
        household=record.household,
        contacts=record.contacts,
        first_name="Ana",
        middle_name="Lucia",
        last_name="Ortiz",
        suffix="III",
        preferred_first_name="Anita",
        preferred_last_name=None,
        birth_date=dt.date(2014, 3, 9),
        gender="F",
        ethnicity="true",
        races=("700", "400"),
        home_language="01",
        correspondence_language="00",
        email="ana.ortiz@students.example.org",
        home_phone="5595550101",
        residence_line1="14 Elm St",
        residence_line2="Apt 1",
        residence_city="Fresno",
        residence_state="CA",
        residence_postal_code="93701",
    )
    assert (record.enrollment.school, record.enrollment.grade_level) == ("2", "5")
    assert (record.enrollment.left, record.enrollment.exit_reason) == (None, "")


def test_contact_is_read_whole() -> None:
    contacts = parsed(CONTACT).contacts

    assert isinstance(contacts, tuple)
    (found,) = contacts
    assert (found.external_id, found.first_name, found.last_name) == ("3300", "Rosa", "Ortiz")
    assert (found.home_phone, found.mobile_phone, found.work_phone) == ("5595550103", "5595550102", None)
    assert (found.line1, found.line2, found.city, found.state) == ("14 Elm St", "Apt 1", "Fresno", "CA")
    assert (found.postal_code, found.email, found.relationship) == ("93701", "rosa@example.org", "M")
    assert (found.order, found.lives_with, found.receives_mail) == (1, True, True)
    assert (found.emergency, found.restricted) == (UNSET, UNSET)


def test_what_is_missing_is_not_told_and_what_is_null_is_blank() -> None:
    names = ("state_student_id", "gender", "is_hispanic", "primary_language", "email", "birth_date", "name_suffix")
    missing, blank = parsed(**dict.fromkeys(names, UNSET)), parsed(**dict.fromkeys(names, None))
    ours = ("state_id", "gender", "ethnicity", "home_language", "email", "birth_date", "suffix")

    assert {getattr(missing, name) for name in ours} == {UNSET}
    assert {getattr(blank, name) for name in ours} == {None}


ADDRESS = ("residence_line1", "residence_line2", "residence_city", "residence_state", "residence_postal_code")


def test_student_without_dwelling_has_a_blank_address() -> None:
    record = parsed(CONTACT, primary_household=household(dwelling=None))

    assert {getattr(record, name) for name in ADDRESS} == {None}
    assert record.home_phone == "5595550101"
    assert record.household.home_address == ""


def test_student_without_household_has_a_blank_address_and_phone() -> None:
    record = parsed(primary_household=None)

    assert {getattr(record, name) for name in (*ADDRESS, "home_phone")} == {None}


def test_household_that_is_not_sent_says_nothing() -> None:
    record = parsed(primary_household=UNSET)

    assert {getattr(record, name) for name in (*ADDRESS, "home_phone")} == {UNSET}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (93701, "93701"),
        (1430, "01430"),
        ("1430", "01430"),
        ("501", "00501"),
        ("01430", "01430"),
        ("01430-0120", "01430-0120"),
        (14300120, "01430-0120"),
        ("K1A 0B1", "K1A 0B1"),
        ("  ", None),
        (None, None),
    ],
)
def test_zip_is_padded_however_it_is_written(value: Any, code: str | None) -> None:
    assert zip_code(value, "zip") == code


@pytest.mark.parametrize("value", [501.0, 501])
def test_ids_that_are_numbers_are_texts(value: Any) -> None:
    record = parsed(local_student_id=value, state_student_id=value, primary_ethnicity=value)

    assert (record.local_id, record.state_id, record.races) == ("501", "501", ("501", "400"))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "true"), (1, "true"), ("Y", "true"), ("yes", "true"), ("t", "true"), ("true", "true"),
        (False, "false"), (0, "false"), ("N", "false"), ("0", "false"), ("f", "false"),
        (None, None), ("", None), ("H", "H"), (UNSET, UNSET),
    ],
)  # fmt: skip
def test_hispanic_is_one_of_two_codes_however_it_is_written(value: Any, code: Any) -> None:
    assert hispanic(value, "is_hispanic") == code


def test_races_are_each_once_and_empty_when_blank() -> None:
    blank = dict.fromkeys(("primary_ethnicity", "secondary_ethnicity", "tertiary_ethnicity"))

    assert parsed(secondary_ethnicity="700", tertiary_ethnicity="600").races == ("700", "600")
    assert parsed(**blank).races == ()
    assert parsed(**dict.fromkeys(blank, UNSET)).races is UNSET


@pytest.mark.parametrize("relationship", [None, "", UNSET])
def test_contact_without_relationship_is_kept(relationship: Any) -> None:
    row = {name: value for name, value in {**CONTACT, "relationship": relationship}.items() if value is not UNSET}
    contacts = parsed(row).contacts

    assert isinstance(contacts, tuple)
    assert [contact.first_name for contact in contacts] == ["Rosa"]
    assert contacts[0].relationship in (None, UNSET)


def test_contact_without_dwelling_is_kept() -> None:
    blank = dict.fromkeys(("address", "address2", "city", "state", "zip"))
    contacts = parsed({**CONTACT, **blank}).contacts

    assert isinstance(contacts, tuple)
    (found,) = contacts
    assert (found.line1, found.city, found.postal_code, found.mobile_phone) == (None, None, None, "5595550102")


def test_contact_in_three_households_is_one_and_the_primary_household_tells_of_it() -> None:
    rows = [
        {
            **CONTACT,
            "household_id": 700,
            "is_primary_household": False,
            "address": "Elsewhere",
            "emergency_order": None,
        },
        CONTACT,
        {**CONTACT, "household_id": 900, "is_primary_household": False, "address": "Third", "relationship": "O"},
    ]
    for order in (rows, rows[::-1]):
        contacts = parsed(*order).contacts
        assert isinstance(contacts, tuple)
        assert [(one.external_id, one.line1, one.relationship, one.order) for one in contacts] == [
            ("3300", "14 Elm St", "M", 1)
        ]


def test_household_that_comes_first_in_order_tells_of_a_contact_who_does_not_live_there() -> None:
    rows = [
        {**CONTACT, "household_id": household, "is_primary_household": False, "emergency_order": order, "city": city}
        for household, order, city in ((900, 2, "Second"), (950, 1, "First"), (700, None, "Third"))
    ]
    contacts = parsed(*rows).contacts

    assert isinstance(contacts, tuple)
    assert [(one.city, one.order) for one in contacts] == [("First", 1)]


def test_contacts_are_ranked_by_order_then_primary_contact_then_id() -> None:
    rows = [
        {**CONTACT, "contact_id": number, "first_name": name, "emergency_order": order, "is_primary_contact": main}
        for number, name, order, main in (
            (5, "Fifth", None, False),
            (4, "Fourth", None, False),
            (9, "Third", None, True),
            (3, "Second", 2, False),
            (8, "First", 1, False),
        )
    ]
    contacts = parsed(*rows).contacts

    assert isinstance(contacts, tuple)
    assert [one.first_name for one in contacts] == ["First", "Second", "Third", "Fourth", "Fifth"]
    assert [one.order for one in contacts] == [1, 2, 3, 4, 5]


def test_contact_who_is_nobody_is_left_out() -> None:
    nobody = {
        **CONTACT,
        "contact_id": 1,
        **dict.fromkeys(("first_name", "last_name", "home_phone", "cell_phone", "email")),
    }
    contacts = parsed(nobody, {**CONTACT, "emergency_order": 2}).contacts

    assert isinstance(contacts, tuple)
    assert [(one.external_id, one.order) for one in contacts] == [("3300", 1)]


def test_head_is_the_first_in_order_in_the_primary_household() -> None:
    away = {**CONTACT, "contact_id": 1, "first_name": "Away", "is_primary_household": False, "emergency_order": 1}
    second = {**CONTACT, "contact_id": 2, "first_name": "Second", "emergency_order": 3}
    record = parsed(second, {**CONTACT, "emergency_order": 2}, away)

    assert (record.household.head_first_name, record.household.head_last_name) == ("Rosa", "Ortiz")
    assert record.household.home_address == "14 Elm St, Apt 1, Fresno, CA, 93701"


def test_phone_of_the_household_counts_before_that_of_its_head() -> None:
    own = parsed(CONTACT, primary_household=household(home_phone=None))

    assert parsed(CONTACT).household.head_home_phone == "5595550101"
    assert own.household.head_home_phone == "5595550103"


def test_two_students_of_one_household_have_the_same_head_and_address() -> None:
    other = parsed(CONTACT, local_student_id="100235", first_name="Leo", birth_date="2016-01-02")

    assert other.household == parsed(CONTACT).household


def test_nobody_at_home_is_no_head() -> None:
    record = parsed({**CONTACT, "is_primary_household": False})

    assert (record.household.head_first_name, record.household.head_last_name) == ("", "")


def test_exit_code_is_told_of_who_left() -> None:
    gone = Facts(status=LEFT, grade="5", left=dt.date(2025, 10, 1))

    assert parsed(facts=gone).enrollment.exit_reason == "12"
    assert parsed(facts=gone).enrollment.left == dt.date(2025, 10, 1)


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"local_student_id": None}, "missing_required", "local_student_id"),
        ({"first_name": " "}, "missing_required", "first_name"),
        ({"last_name": UNSET}, "missing_required", "last_name"),
        ({"birth_date": "2014-02-30"}, "bad_date", "birth_date"),
        ({"gender": ["F"]}, "bad_type", "gender"),
        ({"first_name": "A" * 300}, "too_long", "first_name"),
        ({"first_name": "A\u0000"}, "bad_text", "first_name"),
    ],
)
def test_value_that_cannot_be_read_is_named(values: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        parsed(**values)

    assert (caught.value.code, caught.value.field) == (code, field)


def test_grade_that_is_missing_is_named() -> None:
    with pytest.raises(RecordError) as caught:
        parsed(facts=Facts(grade=""))

    assert (caught.value.code, caught.value.field) == ("missing_required", "grade_level_id")


def test_contact_without_an_id_is_named() -> None:
    with pytest.raises(RecordError) as caught:
        parsed({**CONTACT, "contact_id": None})

    assert (caught.value.code, caught.value.field) == ("missing_required", "contact_id")


def test_bytes_that_are_no_text_are_named() -> None:
    record = RawRecord(external_id="1", parts=(b'{"student_id": 1, "x": "\xff"}', b"{}", b""), facts=FACTS)
    with pytest.raises(RecordError) as caught:
        student_record(record, "2", profile=SHIPPED)

    assert caught.value.code == "bad_text"


def test_fields_of_the_profile_are_found_in_objects() -> None:
    profile = {"students": {"fields": {"gender": "demographics.sex", "zip": "home.zip"}}}
    record = parsed(profile=profile, demographics={"sex": "X"}, home=None)

    assert (record.gender, record.residence_postal_code) == ("X", None)


def test_shipped_profile_written_down_is_itself() -> None:
    assert profile_of(as_json(SHIPPED)) == dict(SHIPPED)
