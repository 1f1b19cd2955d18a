"""What we must hold of a district, said from the district itself and from what its vendor can tell of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from integrations.sandbox import District
from integrations.sandbox.district import Address, Child, ContactLink, Enrollment
from integrations.sandbox.powerschool_codes import LANGUAGES, RELATIONSHIPS, race_codes
from students.models import Enrollment as OurEnrollment
from students.models import Student, StudentContact
from students.records import LINK_FIELDS, STUDENT_FIELDS
from tests.world import CODES, GRADES

CONTACT = ("first_name", "last_name", "email", "home_phone", "mobile_phone", "work_phone")
SHOWN = tuple(name for name in STUDENT_FIELDS if name not in ("pin", "correspondence_language", "suffix"))


def told(district: District, vendor: str) -> dict[str, dict[str, Any]]:
    """Local id → fields, stays and contacts of every child that is active in a school of the district."""
    schools = {school.number for school in district.real_schools}
    found = {}
    for child in district.children.values():
        rows = [row for row in child.enrollments if row.status == "active" and row.school in schools]
        if vendor in ("powerschool", "powerschool_query"):
            rows = [row for row in rows if row is child.primary]
        if rows:
            found[str(child.id)] = {
                **_fields(child, vendor),
                "stays": _stays(rows),
                "contacts": _contacts(child, vendor),
            }
    return found


def held() -> dict[str, dict[str, Any]]:
    """The same of every current student we hold."""
    found: dict[str, dict[str, Any]] = {}
    for student in Student.objects.filter(status="current"):
        fields = {name: getattr(student, name) for name in SHOWN}
        found[student.local_id] = {**fields, "stays": {}, "contacts": []}
    stays = OurEnrollment.objects.filter(left=None).select_related("student", "school")
    for stay in stays:
        found[stay.student.local_id]["stays"][stay.school.code] = (stay.grade_level, stay.entered, stay.primary)
    links = StudentContact.objects.select_related("student", "contact").order_by("order")
    for link in links.filter(student__status="current"):
        own = {name: getattr(link.contact, name) for name in CONTACT}
        own |= {name: getattr(link, name) for name in LINK_FIELDS}
        found[link.student.local_id]["contacts"].append(own)
    return found


def families_told(district: District, vendor: str, ids: Iterable[str]) -> set[frozenset[str]]:
    """Which of the children are one family, as sets of local ids; a child without family is in none."""
    groups: dict[Any, set[str]] = defaultdict(set)
    for local_id in ids:
        child = district.children[int(local_id)]
        key = child.family_key if vendor == "aeries" else _household(child)
        if key:
            groups[key].add(local_id)
    return {frozenset(group) for group in groups.values()}


def families_held() -> set[frozenset[str]]:
    """The same of the students we hold."""
    groups: dict[int, set[str]] = defaultdict(set)
    for local_id, family in Student.objects.exclude(family=None).values_list("local_id", "family_id"):
        groups[family].add(local_id)
    return {frozenset(group) for group in groups.values()}


def _fields(child: Child, vendor: str) -> dict[str, Any]:
    codes, aeries = CODES[vendor], vendor == "aeries"
    races = child.races if aeries else race_codes(child.races)
    ours = [codes["race"].get(code) for code in races]
    language = child.home_language.strip()
    hispanic = {None: "", True: "hispanic", False: "not_hispanic"}[child.hispanic]
    return {
        "local_id": str(child.id),
        # The v1 resources of PowerSchool write it as a number; its queries as text.
        "state_id": child.state_id.lstrip("0") if vendor == "powerschool" else child.state_id,
        "first_name": child.first_name.strip(),
        "middle_name": child.middle_name.strip(),
        "last_name": child.last_name.strip(),
        "preferred_first_name": child.preferred_first_name if aeries else "",
        "preferred_last_name": child.preferred_last_name if aeries else "",
        "birth_date": child.birth_date,
        "gender": codes["gender"].get(child.gender, ""),
        "ethnicity": hispanic if aeries or hispanic else _scheduling(child),
        "races": [] if None in ours else list(dict.fromkeys(ours)),
        "home_language": codes["language"].get(language if aeries else LANGUAGES.get(language, ""), ""),
        "email": child.email,
        "home_phone": child.home_phone,
        "mobile_phone": child.mobile_phone if aeries else "",
        **_address("residence", child.residence),
        **_address("mailing", child.mailing),
    }


def _scheduling(child: Child) -> str:
    """PowerSchool's scheduling ethnicity, where the federal question is not answered."""
    return "not_hispanic" if child.races else ""


def _address(which: str, address: Address) -> dict[str, str]:
    postal_code = address.postal_code + (f"-{address.zip_ext}" if address.zip_ext else "")
    street = f"{address.line1} {address.line2}" if address.line2 else address.line1
    return {
        f"{which}_line1": street.strip(),
        f"{which}_line2": "",
        f"{which}_city": address.city,
        f"{which}_state": address.state.upper(),
        f"{which}_postal_code": postal_code,
    }


def _stays(rows: list[Enrollment]) -> dict[str, tuple[str, Any, bool]]:
    latest = max(rows, key=lambda row: (row.entered, -row.school))
    return {str(row.school): (GRADES[str(row.grade)], row.entered, row is latest) for row in rows}


def _contacts(child: Child, vendor: str) -> list[dict[str, Any]]:
    aeries = vendor == "aeries"
    links = sorted(child.contacts, key=lambda one: (one.order, one.sequence if aeries else one.contact.id))
    if aeries:
        links = [link for link in links if any(getattr(link.contact, name) for name in (*CONTACT, "mailing_name"))]
    return [_contact(link, rank, vendor) for rank, link in enumerate(links, start=1)]


def _contact(link: ContactLink, rank: int, vendor: str) -> dict[str, Any]:
    aeries, one = vendor == "aeries", link.contact
    relationship = link.relationship if aeries else RELATIONSHIPS.get(link.relationship, "")
    unnamed = not (one.first_name or one.last_name)
    return {
        **{name: getattr(one, name) for name in CONTACT},
        "last_name": one.mailing_name if unnamed else one.last_name,
        "relationship": CODES[vendor]["relationship"].get(relationship, ""),
        "order": rank,
        "lives_with": bool(link.lives_with),
        "emergency": link.emergency and not aeries,
        "receives_mail": link.receives_mail,
        "restricted": link.restricted and aeries,
    }


def _household(child: Child) -> tuple[str, str] | None:
    """Last name of who lives with the child and has custody, and the address; None when either is blank."""
    links = sorted(child.contacts, key=lambda one: (one.order, one.contact.id))
    at_home = [one for one in links if one.lives_with]
    heads = [one for one in at_home if not one.restricted] + at_home
    if not heads or not child.residence.line1:
        return None
    head = heads[0].contact
    name = head.last_name or head.mailing_name
    home = child.residence
    place = (home.line1.strip(), home.line2, home.city, home.state, home.postal_code, home.zip_ext)
    return (name.casefold(), " ".join(place).casefold()) if name else None
