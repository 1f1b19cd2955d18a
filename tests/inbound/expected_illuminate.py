"""What `export_roster` must print of a district behind Illuminate, computed from the district itself."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from integrations.sandbox import District
from integrations.sandbox.district import Child, ContactLink, Enrollment
from tests.world import CODES, GRADES

OURS = CODES["illuminate"]
RELATIONSHIPS = {
    "10": "mother", "11": "father", "13": "stepmother", "14": "stepfather", "20": "grandparent",
    "23": "other_relative", "25": "other",
}  # fmt: skip
REACHED_BY = ("first_name", "last_name", "mailing_name", "home_phone", "mobile_phone", "work_phone", "email")


def exported(district: District) -> list[dict[str, Any]]:
    """The rows of all current students, by local id."""
    schools = {school.number for school in district.real_schools}
    stays = {
        child.id: [row for row in child.enrollments if row.status == "active" and row.school in schools]
        for child in district.children.values()
    }
    current = [district.children[number] for number in sorted(stays) if stays[number]]
    families = _families(current)
    return [_row(child, stays[child.id], families.get(child.id), district.year) for child in current]


def _row(child: Child, rows: list[Enrollment], family: str | None, year: int) -> dict[str, Any]:
    home = child.residence
    races = [OURS["race"].get(code) for code in child.races]
    stays = [_stay(child, row, year) for row in rows]
    main = max(stays, key=lambda stay: (stay["primary"], stay["entered"], stay["school"]))
    return {
        "local_id": str(child.id),
        "state_id": child.state_id or None,
        "first_name": child.first_name.strip(),
        "middle_name": child.middle_name.strip() or None,
        "last_name": child.last_name.strip(),
        "birth_date": child.birth_date.isoformat(),
        "gender": OURS["gender"].get(child.gender),
        "ethnicity": {None: None, True: "hispanic", False: "not_hispanic"}[child.hispanic],
        "races": [] if None in races else list(dict.fromkeys(races)),
        "grade_level": main["grade_level"],
        "home_language": OURS["language"].get(child.home_language.strip()),
        "home_phone": child.home_phone or None,
        "residence_line1": home.line1.strip() or None,
        "residence_line2": home.line2 or None if home.line1 else None,
        "residence_city": home.city or None,
        "residence_state": home.state.upper() or None,
        "residence_postal_code": _postal_code(home.postal_code, home.zip_ext),
        "pin": None,
        "family": family,
        "status": "current",
        "enrollments": sorted(stays, key=_in_order),
        "contacts": sorted(_contacts(child), key=_in_order),
        "allergies": [],
    }


def _stay(child: Child, row: Enrollment, year: int) -> dict[str, Any]:
    """Attendance counts in the first main row of the year, in a school entered later it does not."""
    first = next(one for one in child.enrollments if one.primary)
    assert row.entered
    return {
        "school": str(row.school),
        "academic_year": f"{year}-{year + 1}",
        "grade_level": GRADES[str(row.grade)],
        "entered": row.entered.isoformat(),
        "left": None,
        "primary": row is first,
    }


def _contacts(child: Child) -> list[dict[str, Any]]:
    """Everyone with a name or a way to be reached, once, in the order of the district."""
    return [_contact(child, link, rank) for rank, link in enumerate(_told(child), start=1)]


def _told(child: Child) -> list[ContactLink]:
    return [link for link in _links(child) if any(getattr(link.contact, name) for name in REACHED_BY)]


def _links(child: Child) -> list[ContactLink]:
    return sorted(child.contacts, key=lambda link: (link.order, link.sequence))


def _contact(child: Child, link: ContactLink, rank: int) -> dict[str, Any]:
    one = link.contact
    unrelated = child.household % 7 == 4 and link is _links(child)[-1]
    return {
        "first_name": one.first_name or None,
        "last_name": _last_name(link) or None,
        "relationship": None if unrelated else RELATIONSHIPS.get(link.relationship),
        "order": rank,
        "home_phone": one.home_phone or None,
        "mobile_phone": one.mobile_phone or None,
        "work_phone": one.work_phone or None,
        "email": one.email or None,
    }


def _last_name(link: ContactLink) -> str:
    one = link.contact
    return one.last_name or ("" if one.first_name else one.mailing_name)


def _families(children: list[Child]) -> dict[int, str]:
    """Child → the lowest local id of its family: the same last name of who heads the home, the same address."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for child in children:
        head = next((link for link in _told(child) if link.lives_with), None)
        home = child.residence
        if head is not None and _last_name(head) and home.line1:
            place = (home.line1.strip(), home.line2, home.city, home.state, home.postal_code, home.zip_ext)
            groups[_last_name(head).casefold(), " ".join(place).casefold()].append(child.id)
    return {number: min(map(str, group)) for group in groups.values() for number in group}


def _postal_code(code: str, extension: str) -> str | None:
    return f"{code}-{extension}" if extension else code or None


def _in_order(row: dict[str, Any]) -> list[Any]:
    return [(value is not None, value or 0) for value in row.values()]
