"""The quirks of rows that PowerSchool's queries give, each on rows composed for it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec import UNSET

from integrations.connectors.base import RawRecord
from integrations.connectors.powerschool_query import plugin
from integrations.connectors.powerschool_query.client import base_url
from integrations.connectors.powerschool_query.parse import allergy_codes, parts_of, student_record
from integrations.connectors.powerschool_query.rows import cells, dates_passed, owner, roster_row
from integrations.errors import RecordError
from students.records import CURRENT, FUTURE, LEFT, ContactRecord, StudentRecord

TODAY = dt.date(2026, 10, 5)
STUDENT: dict[str, Any] = {
    "_name": "students",
    "_id": 4101,
    "dcid": "4101",
    "student_number": "0200417",
    "state_studentnumber": "0077004181",
    "first_name": "Marisol",
    "last_name": "Vega ",
    "dob": "2014-03-09",
    "gender": "F",
    "grade_level": "0",
    "schoolid": "101",
    "enroll_status": "0",
    "entrydate": "2026-08-04",
    "exitdate": "2027-05-22",
    "fedethnicity": "1",
    "ethnicity": "W",
    "street": "18 Quarry Rd ",
    "city": "Ashburnham",
    "state": "MA",
    "zip": "01430",
    "home_phone": "(480) 555-0142",
    "primarylanguage": "Spanish",
}
CONTACT: dict[str, Any] = {
    "studentdcid": "4101",
    "studentcontactassocid": "71",
    "personid": "9001",
    "contactpriorityorder": "1",
    "firstname": "Ana",
    "lastname": "VEGA",
    "personactive": "1",
    "prefix": "Ms",
    "relationship": "Mother",
    "iscustodial": "1",
    "isemergency": "0",
    "liveswithflg": "1",
    "receivesmailflg": "1",
    "isactive": "1",
}
Others = Mapping[str, Sequence[Mapping[str, Any]]]


def raw(row: Mapping[str, Any]) -> bytes:
    """A row as it comes: without what is None."""
    return json.dumps({name: value for name, value in row.items() if value is not None}).encode()


def parsed(others: Others | None = None, **changed: Any) -> StudentRecord:
    """The canonical record of STUDENT with these columns changed and these rows of other queries."""
    row = roster_row(raw({**STUDENT, **changed}))
    assert row.facts is not None, row.fault
    rows = {name: tuple(map(raw, found)) for name, found in (others or {}).items()}
    return student_record(
        RawRecord(external_id=row.student, parts=parts_of(row.raw, rows, b"0"), facts=row.facts), "101", today=TODAY
    )


def contacts_of(*rows: Mapping[str, Any], **others: Sequence[Mapping[str, Any]]) -> tuple[ContactRecord, ...]:
    """The contacts of a student with these rows: of the contacts, and of phones, emails and addresses by keyword."""
    names = {"phones": plugin.PHONES, "emails": plugin.CONTACT_EMAILS, "addresses": plugin.ADDRESSES}
    found = parsed({plugin.CONTACTS: rows, **{names[name]: given for name, given in others.items()}}).contacts
    assert isinstance(found, tuple)
    return found


def test_columns_become_fields() -> None:
    found = parsed()

    assert found.external_id == "4101"
    assert (found.local_id, found.state_id) == ("0200417", "0077004181")
    assert (found.first_name, found.middle_name, found.last_name) == ("Marisol", None, "Vega")
    assert (found.birth_date, found.gender, found.home_language) == (dt.date(2014, 3, 9), "F", "Spanish")
    assert (found.residence_line1, found.residence_postal_code) == ("18 Quarry Rd", "01430")
    assert found.mailing_line1 is None
    assert found.home_phone == "4805550142"
    assert (found.enrollment.school, found.enrollment.grade_level) == ("101", "0")


def test_rows_that_come_grouped_or_in_capitals_or_with_table_names_are_the_same() -> None:
    core = {"primarylanguage": STUDENT["primarylanguage"]}
    own = {name: value for name, value in STUDENT.items() if not name.startswith("_") and name not in core}
    grouped = {"id": 4101, "name": "students", "tables": {"students": own, "studentcorefields": core}}
    variants = [
        grouped,
        {**own, **core},
        {name.upper(): value for name, value in {**own, **core}.items()},
        {f"students.{name}": value for name, value in {**own, **core}.items()},
    ]
    for variant in variants:
        row = roster_row(raw(variant))
        assert row.facts is not None
        record = RawRecord(external_id=row.student, parts=parts_of(row.raw, {}, b"0"), facts=row.facts)
        assert student_record(record, "101", today=TODAY) == parsed()


def test_numbers_instead_of_text_are_the_same() -> None:
    numbers = {name: int(STUDENT[name]) for name in ("dcid", "grade_level", "schoolid", "enroll_status")}

    assert parsed(**numbers) == parsed()


@pytest.mark.parametrize("name", ["dob", "entrydate", "exitdate"])
@pytest.mark.parametrize("moment", [" 00:00:00.0", " 10:17:37.24", "T00:00:00"])
def test_dates_with_a_time_of_day_are_dates(name: str, moment: str) -> None:
    assert parsed(**{name: STUDENT[name] + moment}) == parsed()


@pytest.mark.parametrize(
    ("code", "status", "left"),
    [("0", CURRENT, None), ("-1", FUTURE, None), *((code, LEFT, dt.date(2027, 5, 22)) for code in "1234")],
)
def test_status_decides_whether_the_exit_date_is_a_leaving(code: str, status: str, left: dt.date | None) -> None:
    found = parsed(enroll_status=code, exitcode="T1").enrollment

    assert (found.status, found.left) == (status, left)
    assert found.exit_reason == ("T1" if status == LEFT else "")


@pytest.mark.parametrize(
    ("federal", "district", "code"), [("1", "W", "1"), ("0", "H", "0"), (None, "H", "H"), (None, None, None)]
)
def test_ethnicity_is_the_federal_answer_else_the_districts_code(
    federal: str | None, district: str | None, code: str | None
) -> None:
    assert parsed(fedethnicity=federal, ethnicity=district).ethnicity == code


def test_races_keep_their_order_each_once() -> None:
    rows = [{"studentdcid": "4101", "raceid": str(place), "racecd": code} for place, code in enumerate(("WH", "AS "))]

    assert parsed({plugin.RACES: [*rows, rows[0], {"studentdcid": "4101"}]}).races == ("WH", "AS")
    assert parsed({plugin.RACES: []}).races == ()


def test_what_was_not_asked_says_nothing_and_what_has_no_row_is_blank() -> None:
    nothing = parsed()
    asked = parsed({name: [] for name in (plugin.EMAILS, plugin.CONTACTS, plugin.ALLERGIES)})

    assert (nothing.email, nothing.contacts, nothing.allergies, nothing.races) == (UNSET,) * 4
    assert (asked.email, asked.contacts, asked.allergies) == (None, (), ())


def test_the_first_email_that_is_one_counts() -> None:
    rows = [{"email": None}, {"email": " Mixed.Case@Example.ORG "}, {"email": "late@example.org"}]

    assert parsed({plugin.EMAILS: [{"studentdcid": "4101", **row} for row in rows]}).email == "Mixed.Case@Example.ORG"


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ("Peanut", ("Peanut",)),
        ("Peanut, Tree nuts", ("Peanut", "Tree nuts")),
        ("bee stings; LATEX / unknown berry", ("bee stings", "LATEX", "unknown berry")),
        ("Eggs\r\nMilk\n\nSoy,", ("Eggs", "Milk", "Soy")),
        (" ,; /", ()),
        ("Peanut, peanut, Peanut", ("Peanut", "peanut")),
        ("N/A", ("N/A",)),
        ("n/a; milk/eggs", ("n/a", "milk", "eggs")),
        ("Acetaminophen/aspirin", ("Acetaminophen", "aspirin")),
        ("x" * 5000 + "," + "y" * 300, ("x" * 5000, "y" * 300)),
    ],
)
def test_allergy_text_is_one_code_between_separators_and_nothing_is_cut(told: str, codes: tuple[str, ...]) -> None:
    assert allergy_codes(told) == codes
    assert parsed({plugin.ALLERGIES: [{"studentdcid": "4101", "allergies": told}]}).allergies == codes


def test_contact_has_what_the_rows_of_the_person_say() -> None:
    phones = [
        {"personid": "9001", "phonenumberasentered": "480-555-0199", "phonetype": "Mobile", "ispreferred": "0"},
        {
            "personid": "9001", "phonenumber": "4805550142", "phonenumberext": "12", "phonetype": "Home",
            "ispreferred": "1",
        },
        {"personid": "9002", "phonenumber": "4805550100", "phonetype": "Work"},
    ]  # fmt: skip
    emails = [
        {"personid": "9001", "emailaddress": "second@example.org", "emailaddresspriorityorder": "1"},
        {"personid": "9001", "emailaddress": "first@example.org", "isprimaryemailaddress": "1"},
    ]
    addresses = [
        {"personid": "9001", "street": "PO Box 1", "addresstype": "Mailing", "addresspriorityorder": "1"},
        {"personid": "9001", "street": "1 Old Rd", "addresstype": "Home", "enddate": "2020-01-01"},
        {
            "personid": "9001", "street": "2 New Rd", "linetwo": "Apt 4", "unit": "B", "city": "Tempe", "state": "AZ",
            "postalcode": "85281", "addresstype": "Home", "addresspriorityorder": "2",
        },
    ]  # fmt: skip

    (one,) = contacts_of(CONTACT, phones=phones, emails=emails, addresses=addresses)

    assert (one.external_id, one.prefix, one.first_name, one.last_name) == ("9001", "Ms", "Ana", "VEGA")
    assert (one.home_phone, one.mobile_phone, one.work_phone) == ("4805550142 x12", "4805550199", None)
    assert one.email == "first@example.org"
    assert (one.line1, one.line2, one.city, one.state, one.postal_code) == (
        "2 New Rd",
        "Apt 4 B",
        "Tempe",
        "AZ",
        "85281",
    )
    assert (one.relationship, one.order) == ("Mother", 1)
    assert (one.lives_with, one.emergency, one.receives_mail, one.restricted) == (True, False, True, UNSET)


def test_phone_of_another_type_is_the_home_phone_where_there_is_none() -> None:
    (one,) = contacts_of(CONTACT, phones=[{"personid": "9001", "phonenumber": "4805550101", "phonetype": "Fax"}])

    assert one.home_phone == "4805550101"


@pytest.mark.parametrize(
    "gone",
    [{"isactive": "0"}, {"personactive": "0"}, {"enddate": "2026-10-04"}, {"startdate": "2026-10-06 00:00:00.0"}],
)
def test_link_that_does_not_hold_today_is_left_out(gone: dict[str, str]) -> None:
    assert contacts_of({**CONTACT, **gone}) == ()
    assert len(contacts_of({**CONTACT, "startdate": "2026-10-05", "enddate": "2026-10-05"})) == 1


def test_link_with_a_history_is_what_it_is_today() -> None:
    past = {**CONTACT, "relationship": "Guardian", "enddate": "2024-07-31"}

    assert [one.relationship for one in contacts_of(past, {**CONTACT, "startdate": "2024-08-01"})] == ["Mother"]


def test_link_without_details_holds() -> None:
    names = ("studentdcid", "personid", "firstname", "lastname")

    (one,) = contacts_of({name: CONTACT[name] for name in names})
    assert (one.relationship, one.lives_with, one.emergency) == (UNSET, UNSET, UNSET)


def test_contacts_are_ranked_by_priority_then_person() -> None:
    rows = [("9", "3"), ("10", "2"), ("8", "2"), ("7", None)]
    found = contacts_of(*({**CONTACT, "personid": person, "contactpriorityorder": place} for person, place in rows))

    assert [(one.external_id, one.order) for one in found] == [("8", 1), ("10", 2), ("9", 3), ("7", 4)]


def test_person_linked_twice_is_one_contact() -> None:
    rows = [
        {**CONTACT, "contactpriorityorder": place, "relationship": what}
        for place, what in (("2", "Aunt"), ("1", "Mother"))
    ]

    assert [(one.external_id, one.relationship) for one in contacts_of(*rows)] == [("9001", "Mother")]


def test_head_of_household_lives_there_with_custody() -> None:
    rows = [
        {**CONTACT, "personid": "1", "contactpriorityorder": "1", "lastname": "Away", "liveswithflg": "0"},
        {**CONTACT, "personid": "2", "contactpriorityorder": "2", "lastname": "Lodger", "iscustodial": "0"},
        {**CONTACT, "personid": "3", "contactpriorityorder": "3", "lastname": "Home"},
    ]

    assert parsed({plugin.CONTACTS: rows}).household.head_last_name == "Home"
    assert parsed({plugin.CONTACTS: rows[:2]}).household.head_last_name == "Lodger"
    assert parsed({plugin.CONTACTS: rows[:1]}).household.head_last_name == "Away"
    assert parsed().household.head_last_name == ""
    assert parsed().household.home_address == "18 Quarry Rd, Ashburnham, MA, 01430"
    assert parsed(street=None).household.home_address == ""


@pytest.mark.parametrize("name", ["student_number", "first_name", "last_name", "grade_level"])
def test_missing_column_that_must_be_there_is_named(name: str) -> None:
    with pytest.raises(RecordError, match=name) as caught:
        parsed(**{name: None})

    assert caught.value.code == "missing_required"


def test_contact_without_a_person_is_refused() -> None:
    with pytest.raises(RecordError, match="personid"):
        contacts_of({**CONTACT, "personid": None})


@pytest.mark.parametrize("row", [{"dcid": None}, {"dcid": "x"}, {"dcid": "0"}, {"enroll_status": None}])
def test_row_without_its_keys_has_a_fault(row: dict[str, Any]) -> None:
    assert roster_row(raw({**STUDENT, **row})).fault is not None


def test_row_of_bytes_that_are_no_text_keeps_its_student() -> None:
    row = roster_row(raw(STUDENT).replace(b"Marisol", b"Mar\xff"))

    assert row.student == "4101"
    record = RawRecord(external_id="4101", parts=parts_of(row.raw, {}, b"0"), facts=row.facts)  # type: ignore[arg-type]
    with pytest.raises(RecordError, match="no text"):
        student_record(record, "101", today=TODAY)


@pytest.mark.parametrize("row", [{"studentdcid": "7"}, {"DCID": 7}, {"tables": {"students": {"dcid": "7"}}}])
def test_owner_of_a_row_is_its_student(row: dict[str, Any]) -> None:
    assert owner(raw(row)) == "7"


@pytest.mark.parametrize("row", [{}, {"studentdcid": None}, {"studentdcid": "0"}, {"tables": {}}])
def test_row_of_nobody_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        owner(raw(row))


def test_cells_are_lower_case_and_without_table() -> None:
    assert cells(b'{"Students.DCID": "1", "_id": 2}') == {"dcid": "1", "_id": 2}


def test_a_date_that_passes_changes_the_record() -> None:
    rows = [raw({"startdate": "2026-10-06", "enddate": "2026-12-31 00:00:00.0"})]
    days = [dt.date(2026, 10, 5), dt.date(2026, 10, 6), dt.date(2026, 12, 31), dt.date(2027, 1, 1)]

    assert [dates_passed(rows, day) for day in days] == [0, 1, 1, 2]


@pytest.mark.parametrize("tail", ["", "/", "/admin", "/admin/home.html", "/ws/schema/query", "/ws/v1", "?x=1"])
def test_pasted_address_becomes_the_server(tail: str) -> None:
    assert base_url(f" https://d.powerschool.com{tail}") == "https://d.powerschool.com"
