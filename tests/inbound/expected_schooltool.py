"""What `export_roster` must print of a district behind a SchoolTool roster feed, computed from the district itself."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from integrations.sandbox import District
from integrations.sandbox.district import Address, Child, Contact, ContactLink, Enrollment
from tests.world import CODES, GRADES

LANGUAGES = {"00": "en", "01": "es", "02": "vi", "03": "yue", "04": "ko", "05": "fil"}
RACES = {"1": "american_indian", "2": "asian", "3": "pacific_islander", "4": "asian", "6": "black", "7": "white"}
RELATIONSHIPS = CODES["aeries"]["relationship"]


def exported(district: District) -> list[dict[str, Any]]:
    """The rows of `export_roster --format json`."""
    schools = {school.number for school in district.real_schools}
    stays = {
        child.id: [row for row in child.enrollments if row.status == "active" and row.school in schools]
        for child in district.children.values()
    }
    enrolled = sorted((child for child in district.children.values() if stays[child.id]), key=lambda one: str(one.id))
    families = _families(enrolled)
    return [_row(child, stays[child.id], families.get(child.id), district.year) for child in enrolled]


def _row(child: Child, stays: list[Enrollment], family: str | None, year: int) -> dict[str, Any]:
    (main,) = [stay for stay in stays if stay.primary]
    row = {
        "local_id": str(child.id),
        "state_id": child.state_id,
        "first_name": child.first_name.strip(),
        "middle_name": child.middle_name.strip(),
        "last_name": child.last_name.strip(),
        "birth_date": child.birth_date.isoformat(),
        "gender": {"N": "X"}.get(child.gender, child.gender),
        "ethnicity": {None: "", True: "hispanic", False: "not_hispanic"}[child.hispanic],
        "races": list(dict.fromkeys(RACES[code[0]] for code in child.races if code[0] in RACES)),
        "grade_level": GRADES[str(main.grade)],
        "home_language": LANGUAGES.get(child.home_language.strip(), ""),
        "home_phone": child.home_phone,
        **_address(child.residence),
        "pin": "",
        "family": family,
        "status": "current",
        "enrollments": _sorted(
            {
                "school": str(stay.school),
                "academic_year": f"{year}-{year + 1}",
                "grade_level": GRADES[str(main.grade)],
                "entered": stay.entered.isoformat() if stay.entered else None,
                "left": None,
                "primary": stay is main,
            }
            for stay in stays
        ),
        "contacts": _sorted(_contact(link, rank) for rank, link in enumerate(_links(child), start=1)),
        "allergies": [],
    }
    return {name: None if value == "" else value for name, value in row.items()}


def _address(home: Address) -> dict[str, str]:
    if not home.line1:
        return {f"residence_{part}": "" for part in ("line1", "line2", "city", "state", "postal_code")}
    return {
        "residence_line1": home.line1.strip(),
        "residence_line2": home.line2,
        "residence_city": home.city,
        "residence_state": home.state.upper(),
        "residence_postal_code": home.postal_code + (f"-{home.zip_ext}" if home.zip_ext else ""),
    }


def _links(child: Child) -> list[ContactLink]:
    """The contacts that say anything, by order, then as the feed lists them."""
    told = [link for link in child.contacts if _last_name(link.contact) or link.contact.mobile_phone]
    return sorted(told, key=lambda link: link.order)


def _contact(link: ContactLink, rank: int) -> dict[str, Any]:
    one = link.contact
    row = {
        "first_name": one.first_name,
        "last_name": _last_name(one),
        "relationship": RELATIONSHIPS.get(link.relationship),
        "order": rank,
        "home_phone": one.home_phone,
        "mobile_phone": one.mobile_phone,
        "work_phone": None,
        "email": one.email,
    }
    return {name: value or None for name, value in row.items()}


def _families(children: list[Child]) -> dict[int, str]:
    """Child → the lowest local id of its family: one last name of the head, one home address."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for child in children:
        links = sorted(child.contacts, key=lambda one: (one.order, one.sequence))
        head = next((one.contact for one in links if one.lives_with and not one.restricted), None)
        home = (head.address if head and head.address.line1 else child.residence) if head else None
        if head and _last_name(head) and home and home.line1:
            place = (home.line1.strip(), home.line2, home.city, home.state, home.postal_code, home.zip_ext)
            groups[_last_name(head).casefold(), " ".join(place).casefold()].append(child.id)
    return {child: min(map(str, group)) for group in groups.values() for child in group}


def _last_name(one: Contact) -> str:
    return one.last_name or one.mailing_name


def _sorted(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is not None, value or 0) for value in row.values()])
