"""What we must hold of a district that a OneRoster provider shows, said from the district itself."""

from __future__ import annotations

from typing import Any

from integrations.sandbox import District
from integrations.sandbox.district import Address, Child, ContactLink, Enrollment
from students.codes import LANGUAGES, STATES
from tests.world import GRADES

LANGUAGE = {"00": "en", "01": "es", "02": "vi", "03": "yue", "04": "ko", "05": "fil"}
RELATIONSHIP = {
    "10": "parent", "11": "parent", "13": "guardian", "14": "guardian", "20": "other_relative", "23": "other_relative",
}  # fmt: skip
RACES = (("1", "american_indian"), ("24", "asian"), ("6", "black"), ("3", "pacific_islander"), ("7", "white"))
assert set(LANGUAGE.values()) <= set(LANGUAGES)


def told(district: District, *, version: str = "1.2", demographics: bool = True) -> dict[str, dict[str, Any]]:
    """Local id → fields, stays and contacts of every child that is active in a school of the district."""
    schools = {school.number for school in district.real_schools}
    found = {}
    for child in district.children.values():
        rows = [row for row in child.enrollments if row.status == "active" and row.school in schools]
        if rows:
            found[str(child.id)] = {
                **_fields(child, version),
                **(_people(child, version) if demographics else _nothing()),
                "stays": _stays(rows, version),
                "contacts": _contacts(child, version),
            }
    return found


def families_told(district: District, ids: set[str]) -> set[frozenset[str]]:
    """Which of the children are one family: by the first parent's or guardian's last name, and the address."""
    groups: dict[tuple[str, str], set[str]] = {}
    for local_id in ids:
        child = district.children[int(local_id)]
        parents = [link for link in _shown(child) if RELATIONSHIP.get(link.relationship) in ("parent", "guardian")]
        home = child.residence
        if not parents or not home.line1.strip():
            continue
        head = parents[0].contact
        name = (head.last_name or head.mailing_name).casefold()
        place = (home.line1.strip(), home.line2, home.city, home.state, home.postal_code, home.zip_ext)
        groups.setdefault((name, " ".join(place).casefold()), set()).add(local_id)
    return {frozenset(group) for group in groups.values()}


def _fields(child: Child, version: str) -> dict[str, Any]:
    new = version == "1.2"
    return {
        "local_id": str(child.id),
        "state_id": child.state_id,
        "first_name": child.first_name.strip(),
        "middle_name": child.middle_name.strip(),
        "last_name": child.last_name.strip(),
        "preferred_first_name": child.preferred_first_name if new else "",
        "preferred_last_name": child.preferred_last_name if new else "",
        "home_language": LANGUAGE.get(child.home_language.strip(), ""),
        "email": child.email,
        "home_phone": child.home_phone,
        "mobile_phone": child.mobile_phone,
        **_address("residence", child.residence),
        **_address("mailing", child.mailing),
    }


def _people(child: Child, version: str) -> dict[str, Any]:
    gender = {"M": "M", "F": "F"} if version == "1.1" else {"M": "M", "F": "F", "X": "X", "N": "X"}
    first = {code[:1] for code in child.races}
    return {
        "birth_date": child.birth_date,
        "gender": gender.get(child.gender, ""),
        "ethnicity": {None: "", True: "hispanic", False: "not_hispanic"}[child.hispanic],
        "races": [race for digits, race in RACES if first & set(digits)],
    }


def _nothing() -> dict[str, Any]:
    return {"birth_date": None, "gender": "", "ethnicity": "", "races": []}


def _address(which: str, address: Address) -> dict[str, str]:
    state = address.state.upper()
    return {
        f"{which}_line1": f"{address.line1} {address.line2}".strip(),
        f"{which}_line2": "",
        f"{which}_city": address.city,
        f"{which}_state": state if state in STATES else "",
        f"{which}_postal_code": address.postal_code + (f"-{address.zip_ext}" if address.zip_ext else ""),
    }


def _stays(rows: list[Enrollment], version: str) -> dict[str, tuple[str, Any, bool]]:
    """The main school is the primary one; 1.1 tells no dates."""
    main = next((row for row in rows if row.primary), rows[0])
    grade = GRADES[str(main.grade)]
    return {str(row.school): (grade, row.entered if version == "1.2" else None, row is main) for row in rows}


def _shown(child: Child) -> list[ContactLink]:
    links = sorted(child.contacts, key=lambda link: (link.order, link.sequence))
    return [link for link in links if link.contact.first_name or link.contact.last_name or link.contact.mailing_name]


def _contacts(child: Child, version: str) -> list[dict[str, Any]]:
    other = {"25": "other"} if version == "1.2" else {"25": "other_relative", "77": "other_relative"}
    return [
        {
            "first_name": link.contact.first_name,
            "last_name": link.contact.last_name or link.contact.mailing_name,
            "email": link.contact.email,
            "home_phone": link.contact.home_phone,
            "mobile_phone": link.contact.mobile_phone,
            "work_phone": "",
            "relationship": {**RELATIONSHIP, **other}.get(link.relationship, ""),
            "order": rank,
            "lives_with": False,
            "emergency": False,
            "receives_mail": False,
            "restricted": False,
        }
        for rank, link in enumerate(_shown(child), start=1)
    ]
