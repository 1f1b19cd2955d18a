"""The quirks of Aeries' records, each on a payload composed for it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from integrations.connectors.aeries.client import base_url
from integrations.connectors.aeries.parse import CONTACTS_FOLLOW, student_record
from integrations.connectors.aeries.rows import best_first, contact_keys, facts_reader, student_row
from integrations.connectors.base import Connection, RawRecord
from integrations.errors import (
    RecordError,
)
from students.records import ALTERNATE, CURRENT, FUTURE, LEFT, PRIMARY, UNLISTED, Facts, StudentRecord

STUDENT: dict[str, Any] = {
    "StudentID": 41000017,
    "CorrespondenceLanguageCode": "01",
    "SchoolCode": 110,
    "StudentNumber": 873,
    "StateStudentID": "0041000017",
    "LastName": "Ortega-Lund",
    "FirstName": "Marisol",
    "MiddleName": "",
    "FirstNameAlias": "Mari",
    "Gender": "F",
    "Grade": -1,
    "Birthdate": "2021-10-04T00:00:00",
    "ParentGuardianName": "M/M A Lund",
    "HomePhone": "5595550142",
    "StudentMobilePhone": "",
    "ResidenceAddress": "2210 Alder Ct #4",
    "ResidenceAddressCity": "Cedar Flat",
    "ResidenceAddressState": "Ca ",
    "ResidenceAddressZipCode": "93601",
    "ResidenceAddressZipExt": "2204",
    "EthnicityCode": "Y",
    "RaceCode1": "700",
    "RaceCode2": " 400",
    "RaceCode3": "",
    "RaceCode4": "",
    "RaceCode5": "",
    "SchoolEnterDate": "2025-08-14T00:00:00",
    "SchoolLeaveDate": None,
    "AttendanceProgramCodePrimary": "",
    "InactiveStatusCode": "",
    "FamilyKey": 2047,
    "HomeLanguageCode": "01",
    "StudentEmailAddress": "",
}
CONTACT: dict[str, Any] = {
    "StudentID": 41000017,
    "SequenceNumber": 1,
    "MiscCode": "",
    "MailTagCode": "A",
    "MailingName": "Dana Ortega",
    "FirstName": "Dana",
    "LastName": "Ortega",
    "Address": "2210 Alder Ct #4",
    "AddressZipCode": "93601",
    "RelationshipToStudentCode": "10",
    "LivesWithStudentIndicator": "Y",
    "RedFlag": False,
    "HomePhone": "5595550143",
    "WorkPhone": "(559) 555-0144",
    "WorkPhoneExt": "12",
    "CellPhone": "",
    "ContactOrder": 1,
    "Comments": "Court order 12-345",
}


def raw(value: dict[str, Any]) -> Raw:
    """An object as it comes in an answer."""
    return Raw(json.dumps(value).encode())


def record_of(*contacts: dict[str, Any], student: dict[str, Any] | None = None, **values: Any) -> StudentRecord:
    """The canonical record of the student with changed values; contacts are read when there are any."""
    merged = {**(STUDENT if student is None else student), **values}
    parts: list[bytes | Raw] = [raw(merged)]
    if contacts:
        parts += [CONTACTS_FOLLOW, *(raw({**CONTACT, **contact}) for contact in contacts)]
    facts = student_row(raw({**STUDENT, **values}), facts_reader(Connection(url="")), "110").facts
    record = RawRecord(external_id="41000017", parts=tuple(parts), facts=facts or Facts())
    return student_record(record, "110", pin=False)


def facts_of(connection: Connection | None = None, **values: Any) -> Facts | None:
    """The facts of the student with changed values."""
    return student_row(raw({**STUDENT, **values}), facts_reader(connection or Connection(url="")), "110").facts


@pytest.mark.parametrize(
    "pasted",
    [
        "https://d.example.org/aeries",
        "https://d.example.org/aeries/",
        " https://d.example.org/aeries/api ",
        "https://d.example.org/aeries/api/v5/",
        "https://d.example.org/aeries/API/v5/schools",
        "https://d.example.org/aeries/api/v3/schools/?cert=abc",
    ],
)
def test_pasted_addresses_become_the_base(pasted: str) -> None:
    assert base_url(pasted) == "https://d.example.org/aeries"


@pytest.mark.parametrize(
    ("code", "status"), [("", CURRENT), (" ", CURRENT), ("*", FUTURE), ("N", LEFT), ("X", LEFT), (" I", LEFT)]
)
def test_inactive_status_code_alone_decides_the_status(code: str, status: str) -> None:
    facts = facts_of(InactiveStatusCode=code, SchoolLeaveDate="2026-01-09T00:00:00")

    assert facts is not None
    assert facts.status == status
    assert facts.left == (dt.date(2026, 1, 9) if status == LEFT else None)


def test_inactive_row_without_leave_date_has_left_on_no_date() -> None:
    facts = facts_of(InactiveStatusCode="N", SchoolLeaveDate="0001-01-01T00:00:00")

    assert facts == Facts(status=LEFT, grade="-1", entered=dt.date(2025, 8, 14))


@pytest.mark.parametrize("values", [{"InactiveStatusCode": None}, {"StudentID": 0}, {"StudentID": None}])
def test_row_that_cannot_be_judged_has_a_fault(values: dict[str, Any]) -> None:
    row = student_row(raw({**STUDENT, **values}), facts_reader(Connection(url="")), "110")

    assert row.facts is None
    assert row.fault is not None
    assert row.student == ("41000017" if "InactiveStatusCode" in values else "")


@pytest.mark.parametrize(
    ("program", "role"), [("", PRIMARY), (" ", PRIMARY), ("S", ALTERNATE), ("S ", ALTERNATE), ("T", UNLISTED)]
)
def test_program_code_decides_the_role_blanks_trimmed(program: str, role: str) -> None:
    lists = Connection(url="", primary_codes=frozenset({""}), alternate_codes=frozenset({"S"}))
    facts = facts_of(lists, AttendanceProgramCodePrimary=program)

    assert facts is not None
    assert (facts.program, facts.role) == (program.strip(), role)


def test_missing_program_code_is_a_fault_only_where_it_decides() -> None:
    student = {key: value for key, value in STUDENT.items() if key != "AttendanceProgramCodePrimary"}
    lists = Connection(url="", primary_codes=frozenset({""}))

    assert student_row(raw(student), facts_reader(Connection(url="")), "110").facts is not None
    assert student_row(raw(student), facts_reader(lists), "110").fault is not None


@pytest.mark.parametrize("student_id", [41000017.0, "41000017", "041000017"])
def test_id_of_another_type_is_the_same_student(student_id: Any) -> None:
    row = student_row(raw({**STUDENT, "StudentID": student_id}), facts_reader(Connection(url="")), "110")

    assert row.student == "41000017"
    assert contact_keys(raw({**CONTACT, "StudentID": student_id})) == ("41000017", 1)


def test_active_row_counts_before_pre_enrolled_before_left_then_the_latest() -> None:
    reader = facts_reader(Connection(url=""))
    rows = [
        student_row(raw({**STUDENT, "StudentNumber": number, **values}), reader, "110")
        for number, values in enumerate(
            (
                {"InactiveStatusCode": "N", "SchoolEnterDate": "2025-12-01T00:00:00"},
                {"InactiveStatusCode": "*"},
                {"SchoolEnterDate": "2025-08-14T00:00:00"},
                {"SchoolEnterDate": "2025-11-01T00:00:00"},
            )
        )
    ]

    assert [row.number for row in best_first(rows)] == [3, 2, 1, 0]


def test_every_field_is_read() -> None:
    record = record_of()

    assert record == StudentRecord(
        external_id="41000017",
        enrollment=record.enrollment,
        household=record.household,
        local_id="41000017",
        state_id="0041000017",
        first_name="Marisol",
        middle_name=None,
        last_name="Ortega-Lund",
        preferred_first_name="Mari",
        birth_date=dt.date(2021, 10, 4),
        gender="F",
        ethnicity="Y",
        races=("700", "400"),
        home_language="01",
        correspondence_language="01",
        email=None,
        home_phone="5595550142",
        mobile_phone=None,
        residence_line1="2210 Alder Ct #4",
        residence_city="Cedar Flat",
        residence_state="Ca",
        residence_postal_code="93601-2204",
    )
    assert record.enrollment.grade_level == "-1"
    assert record.enrollment.entered == dt.date(2025, 8, 14)


def test_absent_keys_say_nothing() -> None:
    few = {"StudentID": 41000017, "InactiveStatusCode": "", "Grade": 3}
    record = record_of(student=few)

    assert {name for name in record.__struct_fields__ if getattr(record, name) is not UNSET} == {
        "external_id",
        "local_id",
        "enrollment",
        "household",
    }


def test_blank_races_are_no_races() -> None:
    assert record_of(RaceCode1="", RaceCode2=" ").races == ()


def test_older_spelling_of_the_correspondence_language_is_read() -> None:
    student = {key: value for key, value in STUDENT.items() if key != "CorrespondenceLanguageCode"}

    assert record_of(student=student, CorrespondanceLanguageCode="02").correspondence_language == "02"


@pytest.mark.parametrize("birthdate", [None, "", "0001-01-01T00:00:00", "1900-01-01T00:00:00"])
def test_dates_that_stand_for_none_are_none(birthdate: str | None) -> None:
    assert record_of(Birthdate=birthdate).birth_date is None


def test_state_id_and_zip_sent_as_numbers_get_their_zeros_back() -> None:
    record = record_of(StateStudentID=41000017, ResidenceAddressZipCode=1234, ResidenceAddressZipExt="")

    assert (record.state_id, record.residence_postal_code) == ("0041000017", "01234")


@pytest.mark.parametrize(("key", "family"), [(0, ""), ("0", ""), (None, ""), (2047, "2047")])
def test_family_key_zero_is_no_family(key: Any, family: str) -> None:
    assert record_of(FamilyKey=key).household.family_key == family


def test_household_is_the_students_own_record_when_contacts_are_not_read() -> None:
    household = record_of().household

    assert (household.head_first_name, household.head_last_name) == ("M/M A", "Lund")
    assert household.head_home_phone == "5595550142"
    assert household.home_address == "2210 Alder Ct #4, Cedar Flat, Ca, 93601-2204"


@pytest.mark.parametrize(
    ("contacts", "head"),
    [
        (({"ContactOrder": 2}, {"SequenceNumber": 5, "ContactOrder": 1, "FirstName": "Kim"}), "Kim"),
        (({"SequenceNumber": 6, "FirstName": "Kim"}, {"SequenceNumber": 5}), "Dana"),
        (
            (
                {"LivesWithStudentIndicator": "N"},
                {"SequenceNumber": 2, "ContactOrder": 3, "FirstName": "Kim"},
            ),
            "Kim",
        ),
        (({"RedFlag": True}, {"SequenceNumber": 2, "FirstName": "Kim"}), "Kim"),
        (({"MiscCode": "R"}, {"SequenceNumber": 2, "FirstName": "Kim"}), "Kim"),
        (({"LivesWithStudentIndicator": ""},), "Dana"),
        (({"LivesWithStudentIndicator": "", "RelationshipToStudentCode": "99"},), ""),
        (({"RedFlag": True},), ""),
    ],
)
def test_head_of_household_lives_there_first_in_order_and_is_never_restricted(
    contacts: tuple[dict[str, Any], ...], head: str
) -> None:
    assert record_of(*contacts).household.head_first_name == head


def test_contact_is_read_and_its_comments_never() -> None:
    (contact,) = record_of({}).contacts or ()

    assert contact.external_id == "41000017-1"
    assert (contact.first_name, contact.last_name) == ("Dana", "Ortega")
    assert (contact.home_phone, contact.mobile_phone, contact.work_phone) == (
        "5595550143",
        None,
        "5595550144 x12",
    )
    assert (contact.lives_with, contact.receives_mail, contact.restricted) == (True, True, False)
    assert b"Court" not in msgspec.json.encode(contact)


def test_contacts_with_equal_orders_are_ranked_by_sequence() -> None:
    orders = ((6, 4), (1, 1), (5, 4), (4, 3))
    record = record_of(*({"SequenceNumber": s, "ContactOrder": o} for s, o in orders))

    assert isinstance(record.contacts, tuple)
    assert [(c.external_id, c.order) for c in record.contacts] == [
        ("41000017-1", 1),
        ("41000017-4", 2),
        ("41000017-5", 3),
        ("41000017-6", 4),
    ]


def test_contact_with_a_mailing_name_only_keeps_it_and_one_that_says_nothing_is_left_out() -> None:
    nothing = dict.fromkeys(("FirstName", "LastName", "MailingName", "HomePhone", "WorkPhone", "CellPhone"), "")
    record = record_of({"FirstName": "", "LastName": ""}, {**nothing, "SequenceNumber": 2, "ContactOrder": 4})

    assert isinstance(record.contacts, tuple)
    assert [(c.first_name, c.last_name, c.order) for c in record.contacts] == [(None, "Dana Ortega", 1)]


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"Birthdate": "02/29/2015"}, "bad_date", "Birthdate"),
        ({"Birthdate": "2023-02-29T00:00:00"}, "bad_date", "Birthdate"),
        ({"LastName": ["x"]}, "bad_type", "LastName"),
        ({"LastName": "a\x00"}, "bad_text", "LastName"),
        ({"LastName": "x" * 300}, "too_long", "LastName"),
        ({"Grade": ""}, "missing_required", "Grade"),
    ],
)
def test_value_that_cannot_be_stored_is_a_record_error(values: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        record_of(**values)

    assert (caught.value.code, caught.value.field) == (code, field)


def test_bytes_that_are_no_text_are_a_record_error() -> None:
    spoilt = Raw(bytes(raw(STUDENT)).replace(b"Ortega", b"\xff\xfe\x80"))
    record = RawRecord(external_id="1", parts=(spoilt,), facts=Facts())

    with pytest.raises(RecordError, match="no text"):
        student_record(record, "110", pin=False)
