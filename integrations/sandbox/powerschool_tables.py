"""The tables behind PowerSchool, as far as queries of a plugin read them, filled from a district.

Names of tables and fields are those of the official student data dictionary and of public queries
(mennotech/fsenrollment-pssync; the Self contact as holder of a student's e-mail in several districts'
exports). Tables join on Students.ID in the one and on Students.DCID in the other, and the two numbers differ.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from integrations.sandbox.district import Child, ContactLink, District, School
from integrations.sandbox.powerschool_codes import ethnicity_code, race_codes
from integrations.sandbox.powerschool_contacts import contact_tree
from integrations.sandbox.powerschool_rows import EXPANSIONS, EXTENSIONS, Standing, address_tree, standing

TABLES: dict[str, str] = {
    "schools": "dcid, school_number, name, low_grade, high_grade, abbreviation",
    "students": "dcid, id, student_number, state_studentnumber, first_name, middle_name, last_name, dob, gender, "
    "grade_level, schoolid, enroll_status, entrydate, exitdate, entrycode, exitcode, fedethnicity, ethnicity, street, "
    "city, state, zip, mailing_street, mailing_city, mailing_state, mailing_zip, home_phone, ssn, alert_medical",
    "studentcorefields": "studentsdcid, primarylanguage, allergies, whenmodified",
    "studentrace": "id, studentid, racecd",
    "sync_studentmap": "studentsdcid, studentid",
    "psm_studentcontact": "id, studentid, studentcontacttypeid, email",
    "psm_studentcontacttype": "id, name",
    "codeset": "codesetid, codetype, code, description",
    "person": "id, dcid, firstname, middlename, lastname, prefixcodesetid, suffixcodesetid, isactive",
    "studentcontactassoc": "studentcontactassocid, studentdcid, personid, contactpriorityorder",
    "studentcontactdetail": "studentcontactdetailid, studentcontactassocid, relationshiptypecodesetid, iscustodial, "
    "isemergency, liveswithflg, receivesmailflg, isactive, startdate, enddate",
    "personphonenumberassoc": "personphonenumberassocid, personid, phonenumberid, phonetypecodesetid, "
    "phonenumberpriorityorder, ispreferred, phonenumberasentered",
    "phonenumber": "phonenumberid, phonenumber, phonenumberext, issms",
    "personemailaddressassoc": "personemailaddressassocid, personid, emailaddressid, emailtypecodesetid, "
    "emailaddresspriorityorder, isprimaryemailaddress",
    "emailaddress": "emailaddressid, emailaddress",
    "personaddressassoc": "personaddressassocid, personid, personaddressid, addresstypecodesetid, "
    "addresspriorityorder, startdate, enddate",
    "personaddress": "personaddressid, street, linetwo, unit, city, statescodesetid, postalcode",
}
"""Table to its fields, as far as they are filled."""

INDEXES = (
    "students(schoolid)", "studentcontactassoc(studentdcid)", "studentcontactdetail(studentcontactassocid)",
    "studentrace(studentid)", "personphonenumberassoc(personid)", "personemailaddressassoc(personid)",
    "personaddressassoc(personid)", "phonenumber(phonenumberid)", "emailaddress(emailaddressid)",
    "personaddress(personaddressid)", "person(id)", "codeset(codesetid)", "studentcorefields(studentsdcid)",
    "sync_studentmap(studentsdcid)", "psm_studentcontact(studentid)",
)  # fmt: skip
CORE_FIELDS = EXTENSIONS["studentcorefields"]
ID_OFFSET, MAP_OFFSET = 100_000, 200_000

Filled = dict[str, list[tuple[Any, ...]]]
Link = tuple[Child, ContactLink, Standing]


class Tables:
    """The tables of one district, filled anew when it has changed. Call with the district's lock held."""

    def __init__(self, district: District) -> None:
        """Nothing is filled before the first question."""
        self.district, self._version = district, -1
        self._database = sqlite3.connect(":memory:", check_same_thread=False)

    def rows(self, sql: str, arguments: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What a select gives. sqlite3.Error when it cannot be understood."""
        if self._version != self.district.version:
            self._fill()
        return self._database.execute(sql, dict(arguments)).fetchall()

    def _fill(self) -> None:
        database, filled = self._database, _filled(self.district)
        for table, names in TABLES.items():
            marks = ",".join("?" * len(names.split(",")))
            database.execute(f"DROP TABLE IF EXISTS {table}")
            database.execute(f"CREATE TABLE {table} ({names})")
            # As in Oracle, a blank text is nothing.
            rows = ([None if value == "" else value for value in row] for row in filled[table])
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names from above
        for index in INDEXES:
            database.execute(f"CREATE INDEX {index.replace('(', '_').rstrip(')')} ON {index}")
        database.commit()
        self._version = self.district.version


def _filled(district: District) -> Filled:
    schools = {school.number: school for school in district.schools}
    filled: Filled = {table: [] for table in TABLES}
    filled["schools"] = [_school(school) for school in district.schools]
    filled["psm_studentcontacttype"] = [(1, "Self"), (2, "Mother")]
    links: dict[int, list[Link]] = {}
    for child in sorted(district.children.values(), key=lambda one: one.dcid):
        where = standing(child, district, schools)
        if where is not None:
            _add_student(filled, child, where)
            for link in child.contacts:
                links.setdefault(link.contact.id, []).append((child, link, where))
    codes = _Codes()
    for found in links.values():
        contact = found[0][1].contact
        _add_person(filled, contact_tree(contact, found, schools, year=district.year), codes)
    filled["codeset"] = [(number, kind, code, code) for (kind, code), number in codes.known.items()]
    return filled


def _school(school: School) -> tuple[Any, ...]:
    initials = "".join(word[0] for word in school.name.split())
    return school.dcid, school.number, school.name, school.low_grade, school.high_grade, initials


def _add_student(filled: Filled, child: Child, where: Standing) -> None:
    number, races = child.dcid + ID_OFFSET, race_codes(child.races)
    home, mail = address_tree(child.residence), address_tree(child.mailing)
    phone = EXPANSIONS["phones"](child, where)["main"]["number"]
    federal = None if child.hispanic is None else int(child.hispanic)
    filled["students"].append((
        child.dcid, number, child.id, child.state_id, child.first_name, child.middle_name, child.last_name,
        child.birth_date.isoformat(), child.gender, where.grade, where.school_number, where.code,
        _day(where.entered), _day(where.exits), where.entry_code, where.exit_code, federal,
        ethnicity_code(child.hispanic, races), *_address(home), *_address(mail), phone, None,
        child.allergies and f"Allergies: {child.allergies}",
    ))  # fmt: skip
    core = CORE_FIELDS(child)
    stamp = f"2025-04-25 10:17:{child.dcid % 60:02d}.24"
    filled["studentcorefields"].append((child.dcid, core["primarylanguage"], core["allergies"], stamp))
    filled["studentrace"] += [(number * 10 + place, number, code) for place, code in enumerate(races)]
    mapped = child.dcid + MAP_OFFSET
    filled["sync_studentmap"].append((child.dcid, mapped))
    mother = next((link.contact.email for link in child.contacts if link.contact.email), None)
    filled["psm_studentcontact"] += [(mapped * 2, mapped, 2, mother), (mapped * 2 + 1, mapped, 1, child.email)]


def _address(tree: Mapping[str, Any]) -> Iterable[str]:
    return (str(tree[name]) for name in ("street", "city", "state_province", "postal_code"))


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None


class _Codes:
    """The rows of the table of codes, numbered as they are met."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], int] = {}

    def number(self, kind: str, code: str | None) -> int | None:
        return self.known.setdefault((kind, code), 5001 + len(self.known)) if code else None


def _add_person(filled: Filled, tree: Mapping[str, Any], codes: _Codes) -> None:
    person = tree["contactId"]
    names = (tree["firstName"], tree["middleName"], tree["lastName"])
    kinds = (codes.number("Prefix", tree["prefix"]), codes.number("Suffix", tree["suffix"]))
    filled["person"].append((person, person + ID_OFFSET, *names, *kinds, int(tree["active"])))
    for one in tree["contactStudents"]:
        filled["studentcontactassoc"].append((one["studentContactId"], one["dcid"], person, one["sequence"]))
        filled["studentcontactdetail"] += [_detail(detail, codes) for detail in one["studentDetails"]]
    for one in tree["phones"]:
        number, kind = one["phoneNumberId"], codes.number("Phone", one["phoneType"])
        entered, preferred = one["phoneNumber"], int(one["preferred"])
        association = (one["contactsPhoneId"], person, number, kind, one["sequence"], preferred, entered)
        digits = "".join(letter for letter in entered if letter.isdigit())
        filled["personphonenumberassoc"].append(association)
        filled["phonenumber"].append((number, digits, one["extension"], int(one["sms"])))
    for place, one in enumerate(tree["emails"], start=1):
        number, kind = one["emailId"], codes.number("Email", one["type"])
        filled["personemailaddressassoc"].append(
            (one["contactEmailId"], person, number, kind, place, int(one["primary"]))
        )
        filled["emailaddress"].append((number, one["address"]))
    for one in tree["addresses"]:
        number, kind = one["addressId"], codes.number("Address", one["addressType"])
        dates = (one["startDate"], one["endDate"])
        filled["personaddressassoc"].append((one["contactsAddressId"], person, number, kind, one["sequence"], *dates))
        place_of = (one["street"], one["linetwo"], one["unit"], one["city"], codes.number("State", one["state"]))
        filled["personaddress"].append((number, *place_of, one["postalcode"]))


def _detail(detail: Mapping[str, Any], codes: _Codes) -> tuple[Any, ...]:
    flags = (detail[name] for name in ("custodial", "emergency", "livesWith", "receivesMail", "active"))
    return (
        detail["studentContactDetailId"],
        detail["studentContactId"],
        codes.number("Relationship", detail["relationship"]),
        *(int(flag) for flag in flags),
        detail["startDate"],
        detail["endDate"],
    )
