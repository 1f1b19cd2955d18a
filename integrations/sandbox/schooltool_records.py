"""Renders the district as records of the "SchoolTool roster URL, version 1".

The layout is the console's own contract (docs/connectors/schooltool.md); SchoolTool's is not public. The code
letters of race and the grades PKH and PKF follow New York's state reporting, the others are invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from integrations.sandbox.district import Address, Child, ContactLink, District, Enrollment, School

GRADES = {-2: "PKH", -1: "PKF", 0: "KF"}
RACES = {"100": "I", "400": "A", "600": "B", "700": "W"}
LANGUAGES = {"00": "ENG", "01": "SPA", "02": "VIE", "03": "YUE", "04": "KOR", "05": "FIL", "85": "QAA"}
RELATIONSHIPS = {
    "10": "MOTH", "11": "FATH", "13": "SMTH", "14": "SFTH", "20": "GPAR", "23": "OREL", "25": "OTHR",
}  # fmt: skip
LISTED = ("school", "transfer", "summer", "district_office")


@dataclass(frozen=True, slots=True)
class Style:
    """How to render: `back` counts school years before the district's own; `ended` lists ended enrollments too.

    `contacts` False leaves their key out.
    """

    back: int = 0
    ended: bool = False
    contacts: bool = True
    changed: Mapping[int, datetime] = field(default_factory=dict, compare=False)

    def day(self, day: date | None) -> str | None:
        """A day of the school year shown."""
        if day is None:
            return None
        return day.replace(year=day.year - self.back, day=min(day.day, 28)).isoformat() if self.back else str(day)


def grade_code(child: Child, grade: int) -> str:
    """PKH, PKF, KF (KH for some households), 01 to 12."""
    if grade == 0 and child.household % 5 == 2:
        return "KH"
    return GRADES.get(grade, f"{grade:02d}")


def race_codes(races: Iterable[str]) -> list[str]:
    """The state's five letters, each once; a race not stated has none."""
    letters = [RACES.get(code) or {"2": "A", "3": "P"}.get(code[:1]) for code in races]
    return list(dict.fromkeys(letter for letter in letters if letter))


def building(school: School, district: District) -> dict[str, Any]:
    """One building; the code of the district office ends in 0000."""
    number = 0 if school.kind == "district_office" else school.number % 10_000
    return {
        "buildingId": str(school.number),
        "bedsCode": f"{26160000 + district.seed % 10_000:08d}{number:04d}",
        "name": school.name,
        "lowGrade": GRADES.get(school.low_grade, f"{school.low_grade:02d}"),
        "highGrade": GRADES.get(school.high_grade, f"{school.high_grade:02d}"),
    }


def listed(district: District) -> list[School]:
    """The buildings the feed lists: those in use, the district office among them."""
    return [school for school in district.schools if school.kind in LISTED and school.active]


def enrolled(district: District, style: Style) -> list[tuple[Child, list[Enrollment]]]:
    """The children the feed holds, by id, with the enrollments it tells of each."""
    found = []
    for number in sorted(district.children):
        child = district.children[number]
        rows = [row for row in child.enrollments if _told(row, style)]
        if rows:
            found.append((child, rows))
    return found


def student(child: Child, rows: list[Enrollment], style: Style) -> dict[str, Any]:
    """One record of a child with all its enrollments and contacts."""
    main = next((row for row in rows if row.primary), rows[0])
    changed = style.changed.get(child.id) or datetime(main.entered.year if main.entered else 2026, 7, 1, tzinfo=UTC)
    return {
        "studentId": str(child.id),
        "stateId": child.state_id or None,
        "lastName": child.last_name,
        "firstName": child.first_name,
        "middleName": child.middle_name or None,
        "suffix": child.suffix or None,
        "preferredName": child.preferred_first_name or None,
        "birthDate": child.birth_date.isoformat(),
        "genderCode": "X" if child.gender == "N" else child.gender or None,
        "hispanic": None if child.hispanic is None else "Y" if child.hispanic else "N",
        "raceCodes": race_codes(child.races),
        "gradeCode": grade_code(child, main.grade - style.back),
        "homeLanguageCode": LANGUAGES.get(child.home_language.strip()),
        "enrollments": [_enrollment(row, style) for row in rows],
        "address": _address(child.residence),
        "homePhone": _phone(child.home_phone),
        "householdId": str(child.household) if child.household else None,
        **(
            {"contacts": [_contact(link, head=link is head_of(child)) for link in child.contacts]}
            if style.contacts
            else {}
        ),
        "modified": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def head_of(child: Child) -> ContactLink | None:
    """The first contact by order who lives with the child and is not restricted."""
    links = sorted(child.contacts, key=lambda one: (one.order, one.sequence))
    return next((one for one in links if one.lives_with and not one.restricted), None)


def _told(row: Enrollment, style: Style) -> bool:
    if not -2 <= row.grade - style.back <= 12:
        return False
    return row.status == "active" or (style.ended and row.status == "left" and row.left is not None)


def _enrollment(row: Enrollment, style: Style) -> dict[str, Any]:
    """An enrollment; some schools enter the last day of the year ahead."""
    ahead = date(row.entered.year + 1, 6, 25) if row.entered and row.student_number % 6 == 5 else None
    return {
        "buildingId": str(row.school),
        "entryDate": style.day(row.entered),
        "exitDate": style.day(row.left if row.status == "left" else ahead),
        "primary": row.primary,
        "homeroom": f"H{row.student_number % 30}" if row.student_number % 4 else None,
    }


def _contact(link: ContactLink, *, head: bool) -> dict[str, Any]:
    one = link.contact
    return {
        "contactId": str(one.id),
        "order": link.order,
        "relationshipCode": RELATIONSHIPS.get(link.relationship, link.relationship),
        "headOfHousehold": head,
        "livesWith": bool(link.lives_with),
        "firstName": one.first_name,
        "lastName": one.last_name or one.mailing_name,
        "homePhone": _phone(one.home_phone),
        "cellPhone": _phone(one.mobile_phone),
        "email": one.email or None,
        "address": _address(one.address),
    }


def _address(address: Address) -> dict[str, Any] | None:
    if not address.line1:
        return None
    zip_code = f"{address.postal_code}-{address.zip_ext}" if address.zip_ext else address.postal_code
    return {
        "line1": address.line1,
        "line2": address.line2 or None,
        "city": address.city,
        "state": address.state,
        "zip": zip_code,
    }


def _phone(number: str) -> str | None:
    """With the hyphens people write."""
    return f"{number[:3]}-{number[3:6]}-{number[6:]}" if len(number) == 10 else number or None
