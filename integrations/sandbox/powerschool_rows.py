"""A child of the district as PowerSchool's v1 student resource shows it: base, expansions and extensions.

Names and nesting follow recorded answers (tulsaschoolsdata/ps_utilities, StrongMind adapter fixtures); where
the in-product API explorer says otherwise the recordings hold. PowerSchool keeps one row per child: its main
school. A concurrent enrollment elsewhere is not seen in v1.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from integrations.sandbox.district import Address, Child, ContactLink, District, School
from integrations.sandbox.powerschool_codes import (
    DECLINED_RACE,
    ENROLL_STATUSES,
    GRADUATED_GRADE,
    GRADUATED_SCHOOL,
    LANGUAGES,
    LEFT_LETTERS,
    RACES,
    ethnicity_code,
    race_codes,
)
from integrations.sandbox.powerschool_json import Literal, member, members
from integrations.sandbox.powerschool_query import Value

_NAMESPACE = uuid.UUID("6f2c1c5e-3f0c-4d4e-9a55-0d5c8f3d7a10")


class Standing(NamedTuple):
    """Where a child stands: letter of the enroll status, grade, school, first day, day after the last."""

    letter: str
    grade: int
    school_number: int
    school_dcid: int
    entered: date | None
    exits: date | None
    entry_code: str
    exit_code: str

    @property
    def code(self) -> int:
        """The enroll status as a number."""
        return ENROLL_STATUSES[self.letter][0]


def standing(child: Child, district: District, schools: dict[int, School]) -> Standing | None:
    """The child's one PowerSchool enrollment, None when it has no row at all. `schools` is keyed by number.

    An active child has an exit date in the future: the day after the school year's last. Who left without a
    date leaves on its entry date, which is how PowerSchool keeps no-shows.
    """
    row = child.primary or next(iter(child.enrollments), None)
    if row is None:
        return None
    letter = {"active": "A", "future": "P"}.get(row.status) or LEFT_LETTERS.get(row.inactive_code, "T")
    number, grade = (GRADUATED_SCHOOL, GRADUATED_GRADE) if letter == "G" else (row.school, row.grade)
    year = row.entered.year if letter == "P" and row.entered else district.year
    exits = date(year + 1, 5, 28) if letter in "AP" else row.left or row.entered
    school = schools.get(number)
    return Standing(
        letter,
        grade,
        number,
        school.dcid if school else 0,
        row.entered,
        exits,
        row.entry_code,
        row.exit_code if letter not in "AP" else "",
    )


def facts(child: Child, where: Standing) -> dict[str, Value]:
    """What `q` searches by: values by search field, text in lower case."""
    return {
        "id": child.dcid,
        "local_id": child.id,
        "student_username": username(child).lower(),
        "name.last_name": child.last_name.lower(),
        "name.first_name": child.first_name.lower(),
        "name.middle_name": child.middle_name.lower(),
        "state_province_id": child.state_id.lower(),
        "school_enrollment.enroll_status": where.letter.lower(),
        "school_enrollment.enroll_status_code": where.code,
        "school_enrollment.entry_date": where.entered.isoformat() if where.entered else None,
    }


def student_members(
    child: Child,
    where: Standing,
    expansions: tuple[str, ...],
    extensions: tuple[str, ...],
    *,
    keep_zeros: bool,
) -> bytes:
    """The members of one student object, without its braces; unknown names are left out."""
    base = {
        "local_id": child.id,
        "student_username": username(child),
        "state_province_id": child.state_id,
        "name": {
            "first_name": child.first_name,
            "middle_name": child.middle_name,
            "last_name": child.last_name,
        },
    }
    parts = [b'"id":%d' % child.dcid, members(base, keep_zeros=keep_zeros)]
    parts += [
        member(name, build(child, where), keep_zeros=keep_zeros, blank=True)
        for name, build in EXPANSIONS.items()
        if name in expansions
    ]
    tables = [_extension(name, EXTENSIONS[name](child), child) for name in EXTENSIONS if name in extensions]
    if tables:
        parts.append(member("_extension_data", {"_table_extension": tables}, keep_zeros=keep_zeros))
    return b",".join(parts)


def username(child: Child) -> str:
    """The portal user name: the part of the e-mail address before the @; blank without one."""
    return child.email.partition("@")[0]


def dashed(digits: str) -> str:
    """Ten digits as 480-555-0142; anything else as it is."""
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}" if len(digits) == 10 else digits


def address_tree(address: Address) -> dict[str, Any]:
    """One address of v1; a blank street of an address that is not blank shows as `""` (seen, rarely)."""
    street = f"{address.line1} {address.line2}" if address.line2 else address.line1
    postal_code = f"{address.postal_code}-{address.zip_ext}" if address.zip_ext else address.postal_code
    rest = {"city": address.city, "state_province": address.state, "postal_code": postal_code}
    return {"street": street or (Literal("") if any(rest.values()) else ""), **rest}


def _demographics(child: Child, where: Standing) -> dict[str, Any]:
    # 0 is what stands there while nobody has set the year.
    unset = child.household % 5 == 0 or not 0 <= where.grade <= 12
    return {
        "gender": child.gender,
        "birth_date": child.birth_date.isoformat(),
        "district_entry_date": child.district_entered.isoformat() if child.district_entered else "",
        "projected_graduation_year": 0 if unset or where.entered is None else where.entered.year + 13 - where.grade,
    }


def _addresses(child: Child, where: Standing) -> dict[str, Any]:
    return {"physical": address_tree(child.residence), "mailing": address_tree(child.mailing)}


def _alerts(child: Child, where: Standing) -> dict[str, Any]:
    return {"medical": {"description": f"Allergies: {child.allergies}" if child.allergies else ""}}


def _phones(child: Child, where: Standing) -> dict[str, Any]:
    # Typed by hand: bare digits (a number then), with dashes, with brackets.
    shape = child.household % 3
    number = child.home_phone if shape == 0 else dashed(child.home_phone)
    if shape == 2 and len(child.home_phone) == 10:
        number = f"({child.home_phone[:3]}) {child.home_phone[3:6]}-{child.home_phone[6:]}"
    return {"main": {"number": number}}


def _school_enrollment(child: Child, where: Standing) -> dict[str, Any]:
    return {
        "enroll_status": where.letter,
        "enroll_status_description": ENROLL_STATUSES[where.letter][1],
        "enroll_status_code": where.code,
        "grade_level": where.grade,
        "entry_date": where.entered.isoformat() if where.entered else "",
        "exit_date": where.exits.isoformat() if where.exits else "",
        "school_number": where.school_number,
        "school_id": where.school_dcid,
        "entry_code": where.entry_code,
        "exit_code": where.exit_code,
        "district_of_residence": "100",
        "full_time_equivalency": {"fteid": where.school_dcid * 2, "name": "Full Time"},
    }


def _ethnicity_race(child: Child, where: Standing) -> dict[str, Any]:
    codes = race_codes(child.races)
    races = [
        {
            "district_race_code": code,
            "district_race_code_description": RACES[code].description,
            "federal_race_code_category": RACES[code].federal,
        }
        for code in codes
    ]
    federal = "" if child.hispanic is None else "YES" if child.hispanic else "NO"
    return {
        "scheduling_reporting_ethnicity": ethnicity_code(child.hispanic, codes),
        "federal_ethnicity": federal,
        "federal_race_decline_indicator": "DECLINE_TO_SPECIFY" if DECLINED_RACE in child.races else "",
        "races": races,
    }


def _contact(child: Child, where: Standing) -> dict[str, Any]:
    """The old contact fields on the student: names as "Last, First", free text."""
    links = sorted(child.contacts, key=lambda link: (link.order, link.sequence))
    found: dict[str, Any] = {}
    for place, link in enumerate([link for link in links if link.emergency][:2], start=1):
        found[f"emergency_contact_name{place}"] = _last_first(link)
        phone = link.contact.mobile_phone or link.contact.home_phone or link.contact.work_phone
        found[f"emergency_phone{place}"] = dashed(phone)
    found["guardian_email"] = next(
        (link.contact.email for link in links if link.contact.email and not link.emergency and not link.restricted),
        "",
    )
    for name, relationship in (("mother", "10"), ("father", "11")):
        found[name] = next((_last_first(link) for link in links if link.relationship == relationship), "")
    return found


def _last_first(link: ContactLink) -> str:
    contact = link.contact
    return ", ".join(part for part in (contact.last_name, contact.first_name) if part) or contact.mailing_name


def _contact_info(child: Child, where: Standing) -> dict[str, Any]:
    return {"email": child.email}


def _initial_enrollment(child: Child, where: Standing) -> dict[str, Any]:
    return {
        "district_entry_date": child.district_entered.isoformat() if child.district_entered else "",
        "district_entry_grade_level": 0,
        "school_entry_date": where.entered.isoformat() if where.entered else "",
        "school_entry_grade_level": where.grade if child.household % 2 else 0,
    }


def _schedule_setup(child: Child, where: Standing) -> dict[str, Any]:
    if where.letter == "A" and where.grade == 12:
        return {"next_school": GRADUATED_SCHOOL, "sched_next_year_grade": GRADUATED_GRADE}
    return {"sched_next_year_grade": 0}


def _nothing(child: Child, where: Standing) -> None:
    return None


def _lunch(child: Child, where: Standing) -> dict[str, Any]:
    return {**{f"balance_{place}": Literal("0.00") for place in range(1, 5)}, "lunch_id": child.id}


def _global_id(child: Child, where: Standing) -> str:
    return str(uuid.uuid5(_NAMESPACE, str(child.dcid)))


EXPANSIONS: dict[str, Callable[[Child, Standing], Any]] = {
    "demographics": _demographics,
    "addresses": _addresses,
    "alerts": _alerts,
    "phones": _phones,
    "school_enrollment": _school_enrollment,
    "ethnicity_race": _ethnicity_race,
    "contact": _contact,
    "contact_info": _contact_info,
    "initial_enrollment": _initial_enrollment,
    "schedule_setup": _schedule_setup,
    "fees": _nothing,
    "lunch": _lunch,
    "counselors": _nothing,
    "global_id": _global_id,
}


def _core_fields(child: Child) -> dict[str, str]:
    language = child.home_language.strip()
    return {"primarylanguage": LANGUAGES.get(language, language), "allergies": child.allergies}


def _district_fields(child: Child) -> dict[str, str]:
    return {
        "preferredname": child.preferred_first_name,
        "preferredlastname": child.preferred_last_name,
        "namesuffix": child.suffix,
        "mobilephone": dashed(child.mobile_phone),
    }


EXTENSIONS: dict[str, Callable[[Child], dict[str, str]]] = {
    "s_stu_x": lambda child: {},
    "c_studentlocator": lambda child: {},
    "u_students_extension": _district_fields,
    "studentcorefields": _core_fields,
}
"""Extension table to its fields; studentcorefields is PowerSchool's, u_students_extension the district's."""


def _extension(name: str, values: dict[str, str], child: Child) -> dict[str, Any]:
    """One extension table; values stay text even when numeric, `recordFound` may be false (both seen)."""
    filled = [{"name": key, "type": "String", "value": Literal(value)} for key, value in values.items() if value]
    return {"recordFound": bool(filled) and child.household % 4 != 0, "name": name, "_field": filled}
