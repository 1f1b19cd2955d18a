"""The rows of Illuminate's lists, from the district.

Sites as documented; column names of students and enrollments as in public import layouts and warehouse sources; that
they come as these JSON objects is the recommended contract, not the vendor's word. The untidiness is what public
clients met: numbers as text and text as numbers, blanks as null, households that multiply contacts.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from integrations.sandbox.district import Address, Child, Contact, ContactLink, District, Enrollment, School
from integrations.sandbox.illuminate_codes import (
    DISTRICT_SITE,
    GRADE_IDS,
    NORMAL,
    OTHER_GRADE,
    RELATIONSHIPS,
    SUMMER,
    academic_year,
    code_id,
    session,
    session_id,
)

SUMMER_SITE = 998
SITE_TYPES = {"district_office": "DISTRICT", "summer": "Summer"}
UNLISTED = ("inactive", "graduated")


class Stay(NamedTuple):
    """One row of Enrollment: a child in a session of a site, both days included."""

    child: Child
    number: int
    site: int
    year: int
    kind: int
    grade: int
    entered: date
    left: date
    primary: bool
    exit_code: str

    def holds(self, day: date) -> bool:
        """Whether the child is enrolled on a day."""
        return self.entered <= day <= self.left


def listed_sites(district: District) -> list[School]:
    """What Sites lists: all but the places children are only filed under."""
    return [school for school in district.schools if school.kind not in UNLISTED]


def site_row(school: School, *, loose: bool) -> dict[str, Any]:
    """One site; the zip is a number, as in the vendor's example, unless values are strict."""
    office = school.kind == "district_office"
    home = school.address
    zip_code: Any = int(home.postal_code) if loose and home.postal_code.isdigit() else home.postal_code or None
    return {
        "site_id": DISTRICT_SITE if office else school.number,
        "site_name": school.name,
        "state_school_id": 10_621_660_000_000 + school.number,
        "start_grade_level_id": GRADE_IDS.get(school.low_grade, OTHER_GRADE),
        "end_grade_level_id": GRADE_IDS.get(school.high_grade, OTHER_GRADE),
        "site_type_name": SITE_TYPES.get(school.kind) or ("High" if school.low_grade > 8 else "Elementary"),
        "address": home.line1 or None,
        "address2": home.line2 or None,
        "city": home.city or None,
        "state": home.state or None,
        "zip": zip_code,
        "local_site_code": None,
        "num_hours": None,
        "num_weeks": None,
        "parent_site_id": None if office else DISTRICT_SITE,
    }


def stays(child: Child, *, summer: bool) -> list[Stay]:
    """A child's rows: leave_date is the end of the session where nobody left, the day of entry for a no-show.

    Only the first main row of a year counts for attendance, as where a move was entered by hand. summer: some
    children go to the summer session, most of them at the summer site.
    """
    found: list[Stay] = []
    main: set[int] = set()
    for place, row in enumerate(child.enrollments, start=1):
        if row.entered is None:
            continue
        year = academic_year(row.entered)
        primary = row.primary and year not in main
        main |= {year} if row.primary else set()
        found.append(_stay(child, row, child.dcid * 10 + place, year, primary=primary))
    current = child.primary
    if summer and current is not None and current.status == "active" and child.dcid % 11 == 3:
        year = academic_year(current.entered or date(2000, 1, 1))
        site = SUMMER_SITE if child.dcid % 22 == 3 else current.school
        first, last = session(year, SUMMER)
        found.append(Stay(child, child.dcid * 10, site, year, SUMMER, current.grade, first, last, True, ""))
    return found


def _stay(child: Child, row: Enrollment, number: int, year: int, *, primary: bool) -> Stay:
    entered = row.entered or session(year)[0]
    left = session(year)[1]
    if row.status == "left":
        left = row.left or entered
    return Stay(child, number, row.school, year, NORMAL, row.grade, entered, left, primary, row.exit_code)


def enrollment_row(stay: Stay, *, loose: bool) -> dict[str, Any]:
    """One row of Enrollment; with loose values some ids come as text and the flag as 1 or "t"."""
    text = loose and stay.child.dcid % 6 == 1
    primary: Any = stay.primary
    if loose and stay.child.dcid % 6 == 3:
        primary = int(stay.primary)
    elif text:
        primary = "t" if stay.primary else "f"
    student: Any = str(stay.child.dcid) if text else stay.child.dcid
    grade = GRADE_IDS.get(stay.grade, OTHER_GRADE)
    return {
        "stu_sess_id": stay.number,
        "student_id": student,
        "local_student_id": str(stay.child.id),
        "session_id": session_id(stay.site, stay.year, stay.kind),
        "site_id": str(stay.site) if text else stay.site,
        "academic_year": stay.year,
        "session_type_id": stay.kind,
        "grade_level_id": str(grade) if text else grade,
        "entry_date": stay.entered.isoformat(),
        "leave_date": stay.left.isoformat(),
        "is_primary_ada": primary,
        "attendance_program_id": None,
        "entry_code_id": code_id("EntryCodes", "E155"),
        "exit_code_id": code_id("ExitCodes", stay.exit_code) if stay.exit_code else None,
        "track_number": None,
    }


def student_row(child: Child, stay: Stay, *, loose: bool) -> dict[str, Any]:
    """One row of Students, for a student at a site."""
    races = [*child.races, None, None, None]
    residence = {
        "household_id": home_household(child),
        "household_name": child.last_name.strip() or None,
        "home_phone": child.home_phone or None,
        "dwelling": dwelling(child.residence, 60_000 + child.household, loose=loose),
    }
    return {
        "student_id": child.dcid,
        "local_student_id": str(child.id),
        "state_student_id": child.state_id or None,
        "school_student_id": None,
        "first_name": child.first_name,
        "middle_name": child.middle_name or None,
        "last_name": child.last_name,
        "name_suffix": child.suffix or None,
        "aka_first_name": child.preferred_first_name or None,
        "aka_last_name": child.preferred_last_name or None,
        "birth_date": child.birth_date.isoformat(),
        "gender": child.gender or None,
        "is_hispanic": child.hispanic,
        "primary_ethnicity": races[0],
        "secondary_ethnicity": races[1],
        "tertiary_ethnicity": races[2],
        "primary_language": child.home_language or None,
        "correspondence_language": child.correspondence_language or None,
        "english_proficiency": None,
        "birth_city": "Fresno",
        "birth_state": "CA",
        "birth_country": "US",
        "lunch_id": child.id,
        "email": child.email or None,
        "site_id": stay.site,
        "grade_level_id": GRADE_IDS.get(stay.grade, OTHER_GRADE),
        "academic_year": stay.year,
        "school_enter_date": stay.entered.isoformat(),
        "district_enter_date": child.district_entered.isoformat() if child.district_entered else None,
        "exit_date": None,
        "primary_household": residence,
        "last_modified": f"{date(stay.year - 1, 7, 2) + timedelta(days=child.revision)} 04:11:09",
    }


def dwelling(home: Address, number: int, *, loose: bool) -> dict[str, Any] | None:
    """An address as an object, None where there is none; every second zip is a number, without its zeros."""
    if not home.line1:
        return None
    return {
        "dwelling_id": number,
        "address": home.line1,
        "address2": home.line2 or None,
        "city": home.city,
        "state": home.state or None,
        "zip": _zip(home, number if loose else 1),
    }


def _zip(home: Address, number: int) -> Any:
    if home.zip_ext:
        return f"{home.postal_code}-{home.zip_ext}"
    return int(home.postal_code) if number % 2 == 0 and home.postal_code.isdigit() else home.postal_code or None


def home_household(child: Child) -> int:
    """The household siblings live in."""
    return 10_000 + child.household


def contact_rows(child: Child, *, loose: bool) -> list[dict[str, Any]]:
    """The rows of a child's contacts, one for each household in which a contact stands to the child.

    Who does not live with the child has a household of its own. The first contact of some children stands in a
    further one too, which with a second parent elsewhere makes three. One in seven of the second contacts has no
    relationship, one in eight no order.
    """
    found: list[dict[str, Any]] = []
    links = sorted(child.contacts, key=lambda link: (link.order, link.sequence))
    first_at_home = next((link for link in links if link.lives_with), None)
    for link in links:
        household = home_household(child) if link.lives_with else 500_000 + link.contact.id
        row = _contact_row(child, link, household, loose=loose)
        row["is_primary_contact"] = link is first_at_home
        found.append(row)
    if loose and links and child.household % 5 == 2:
        other = Address("77 Elsewhere Rd", "", "Fresno", "CA", "93701", "")
        again = {**_contact_row(child, links[0], 700_000 + links[0].contact.id, loose=loose), **_place(other, 1)}
        again |= {"is_primary_household": False, "lives_with": False, "emergency_order": None}
        found.insert(0, again)
    if loose and len(found) > 1:
        if child.household % 7 == 4:
            found[-1]["relationship"] = None
        if child.household % 8 == 6:
            found[-1]["emergency_order"] = None
    return found


def _contact_row(child: Child, link: ContactLink, household: int, *, loose: bool) -> dict[str, Any]:
    one = link.contact
    numbers = {contact.contact.id: place for place, contact in enumerate(_in_order(child), start=1)}
    return {
        "contact_id": one.id,
        "student_id": child.dcid,
        "local_student_id": str(child.id),
        "household_id": household,
        "is_primary_household": household == home_household(child),
        "contact_type_id": 2 if link.emergency else 1,
        "relationship": RELATIONSHIPS.get(link.relationship, (link.relationship,))[0],
        "first_name": one.first_name or None,
        "last_name": _last_name(one) or None,
        "is_primary_contact": False,
        "is_legal": not link.restricted and not link.emergency,
        "lives_with": link.lives_with,
        "gets_correspondence": link.receives_mail,
        "emergency_order": numbers[one.id],
        "home_phone": one.home_phone or None,
        "cell_phone": one.mobile_phone or None,
        "work_phone": one.work_phone or None,
        "email": one.email or None,
        **_place(one.address, one.id if loose else 1),
    }


def _in_order(child: Child) -> list[ContactLink]:
    return sorted(child.contacts, key=lambda link: (link.order, link.sequence))


def _last_name(one: Contact) -> str:
    return one.last_name or ("" if one.first_name else one.mailing_name)


def _place(home: Address, number: int) -> dict[str, Any]:
    """An address as members of a row, all null for a contact without a dwelling."""
    return {
        "address": home.line1 or None,
        "address2": home.line2 or None,
        "city": home.city or None,
        "state": home.state or None,
        "zip": _zip(home, number) if home.postal_code else None,
    }
