"""The invented district as OneRoster objects: orgs, sessions, courses, classes, users, enrollments, demographics.

Names, types and required members are those of the 1EdTech OneRoster 1.1 and 1.2 rostering information models.
What the standard has no place for (address, home language) stands in `metadata`, whose names are ours. Inferred:
a class for each grade of a school; that the role at a school a child has left stays with its end date.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from integrations.sandbox.district import Address, Child, Contact, ContactLink, District, Enrollment, School

Row = dict[str, Any]
SERVICE = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
ISSUER = "https://roster.example.org"
BEGINNING = datetime(2026, 8, 1, tzinfo=UTC)
GRADES = {-2: "PR", -1: "TK", 0: "KG", **{number: f"{number:02d}" for number in range(1, 13)}}
PLAIN_GRADES = {-2: "PR", -1: "TK", 0: "K", **{number: str(number) for number in range(1, 13)}}
SEXES = {"M": "male", "F": "female", "X": "other", "N": "other"}
FLAGS = (
    "americanIndianOrAlaskaNative",
    "asian",
    "blackOrAfricanAmerican",
    "nativeHawaiianOrOtherPacificIslander",
    "white",
)
LANGUAGES = {"00": "eng", "01": "spa", "02": "vie", "03": "yue", "04": "kor", "05": "fil"}
ROLES = {"10": "parent", "11": "parent", "13": "guardian", "14": "guardian", "20": "relative", "23": "relative"}
COLLECTIONS = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments", "demographics")


class Style(NamedTuple):
    """What differs from provider to provider; see the switches of the server."""

    version: str = "1.2"
    grades: str = "ceds"
    state_id: str = "userIds"


def user_id(contact: Contact) -> str:
    """The sourcedId of a contact; some hold a slash and an at sign, which are allowed."""
    return f"P/{contact.id}@home" if contact.id % 10 == 3 else f"P{contact.id}"


def role_of(link: ContactLink, version: str) -> str:
    """What a contact is called: one of the roles of the standard, in 1.2 also an extension."""
    other = "ext:other" if link.relationship == "25" else "ext:unlisted"
    return ROLES.get(link.relationship, other if version == "1.2" else "relative")


def race_flag(calpads: str) -> str:
    """The member of demographics that a CALPADS race sets, "" for a declined one."""
    known = {"100": FLAGS[0], "400": FLAGS[1], "600": FLAGS[2], "700": FLAGS[4]}
    return known.get(calpads) or {"2": FLAGS[1], "3": FLAGS[3]}.get(calpads[:1], "")


def build(district: District, style: Style) -> dict[str, dict[str, Row]]:
    """Collection → sourcedId → object, whose absent members are None and whose booleans are bool."""
    found: dict[str, dict[str, Row]] = {name: {} for name in COLLECTIONS}
    maker = _Maker(district, style, found)
    for school in district.schools:
        maker.org(school)
    maker.calendar()
    for child in district.children.values():
        maker.child(child)
    for child in district.children.values():
        maker.grown_ups(child)
    return found


class _Maker:
    def __init__(self, district: District, style: Style, found: dict[str, dict[str, Row]]) -> None:
        self.district, self.style, self.found = district, style, found
        self.year, self.top = f"{district.year + 1}", f"D{district.seed}"
        self.orgs = {school.number for school in district.schools}
        self.households: dict[int, list[str]] = {}
        for child in district.children.values():
            self.households.setdefault(child.household, []).append(str(child.dcid))

    def put(
        self, collection: str, sourced_id: str, *, deleted: bool = False, revision: int = 0, **members: Any
    ) -> None:
        moment = (BEGINNING + timedelta(minutes=revision)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        head = {"sourcedId": sourced_id, "status": "tobedeleted" if deleted else "active", "dateLastModified": moment}
        self.found[collection][sourced_id] = head | members

    def ref(self, kind: str, sourced_id: str) -> Row:
        collection = {"class": "classes"}.get(kind, f"{kind}s")
        href = f"{ISSUER}{SERVICE[self.style.version]}/{collection}/{sourced_id}"
        return {"href": href, "sourcedId": sourced_id, "type": kind}

    def org(self, school: School) -> None:
        if not self.found["orgs"]:
            schools = [self.ref("org", str(one.number)) for one in self.district.schools]
            self.put("orgs", self.top, name=self.district.name, type="district", identifier="10C001", children=schools)
        kind = "department" if school.kind == "district_office" else "school"
        self.put(
            "orgs", str(school.number), deleted=not school.active, name=school.name, type=kind,
            identifier=f"06{school.dcid:010d}", parent=self.ref("org", self.top),
        )  # fmt: skip

    def calendar(self) -> None:
        """This school year with its two semesters, and the year before."""
        for year in (self.district.year - 1, self.district.year):
            key, title = f"Y{year + 1}", f"{year}-{year + 1}"
            days = (f"{year}-07-01", f"{year}-12-31", f"{year + 1}-01-01", f"{year + 1}-06-30")
            self._session(key, f"School year {title}", "schoolYear", days[0], days[3], year, parent=None)
            self._session(f"{key}-1", f"Fall {title}", "semester", days[0], days[1], year, parent=key)
            self._session(f"{key}-2", f"Spring {title}", "semester", days[2], days[3], year, parent=key)

    def _session(
        self, key: str, title: str, kind: str, starts: str, ends: str, year: int, *, parent: str | None
    ) -> None:
        above = self.ref("academicSession", parent) if parent else None
        self.put(
            "academicSessions", key, title=title, type=kind, startDate=starts, endDate=ends,
            schoolYear=f"{year + 1}", parent=above,
        )  # fmt: skip

    def child(self, child: Child) -> None:
        """A student with demographics and enrollments; in 1.1 nobody who only comes next year."""
        one_role = self.style.version == "1.1"
        rows = [row for row in child.enrollments if row.school in self.orgs]
        current = [row for row in rows if row.status != "left"]
        if not rows or (one_role and current and all(row.status == "future" for row in current)):
            return
        key, gone = str(child.dcid), not current
        shown = [row for row in rows if row.status != "left" or row.left or gone]
        self.put(
            "users", key, deleted=gone, revision=child.revision, **_person(child, self.style),
            **(self._orgs(current or shown) if one_role else self._roles(child, shown)),
            agents=[self.ref("user", user_id(link.contact)) for link in _in_order(child)] or None,
            grades=[self._grades[(child.primary or rows[-1]).grade]],
            metadata=_metadata(child),
        )  # fmt: skip
        self.put("demographics", key, deleted=gone, revision=child.revision, **_demographics(child, self.style))
        for row in shown:
            self._class(row)
            self._enrollment(child, row, "student", deleted=row.status == "left")

    @property
    def _grades(self) -> dict[int, str]:
        return GRADES if self.style.grades == "ceds" else PLAIN_GRADES

    def _orgs(self, rows: list[Enrollment]) -> Row:
        here = [row for row in rows if row.status == "active"] or rows
        first = sorted(here, key=lambda row: not row.primary)
        return {"role": "student", "orgs": [self.ref("org", str(row.school)) for row in first]}

    def _roles(self, child: Child, rows: list[Enrollment]) -> Row:
        roles = [
            {
                "roleType": "primary" if row.primary else "secondary",
                "role": "student",
                "org": self.ref("org", str(row.school)),
                "beginDate": row.entered.isoformat() if row.entered else None,
                "endDate": row.left.isoformat() if row.left else None,
            }
            for row in rows
        ]
        main = child.primary
        shown = self.ref("org", str(main.school)) if main and main.school in self.orgs else None
        return {"roles": roles, "primaryOrg": shown}

    def _class(self, row: Enrollment) -> None:
        key, grade = f"C{row.school}-{row.grade}", self._grades[row.grade]
        if key in self.found["classes"]:
            return
        course, teacher = f"K{row.grade}", f"T{row.school}"
        self.put(
            "courses", course, title=f"Grade {grade}", courseCode=grade, grades=[grade], org=self.ref("org", self.top),
            schoolYear=self.ref("academicSession", f"Y{self.year}"),
        )  # fmt: skip
        self.put(
            "classes", key, title=f"Homeroom {grade}", classType="homeroom", course=self.ref("course", course),
            school=self.ref("org", str(row.school)), terms=[self.ref("academicSession", f"Y{self.year}-1")],
            grades=[grade],
        )  # fmt: skip
        self._grown_up(teacher, "teacher", str(row.school), givenName="Terry", familyName=f"Teacher {row.school}")
        self.put(
            "enrollments", f"E{teacher}-{key}", user=self.ref("user", teacher), role="teacher", primary=True,
            school=self.ref("org", str(row.school)), **_in_class(self.ref("class", key)),
        )  # fmt: skip

    def _enrollment(self, child: Child, row: Enrollment, role: str, *, deleted: bool) -> None:
        key = f"C{row.school}-{row.grade}"
        self.put(
            "enrollments", f"E{child.dcid}-{key}", deleted=deleted, revision=child.revision,
            user=self.ref("user", str(child.dcid)), role=role, primary=row.primary,
            beginDate=row.entered.isoformat() if row.entered else None,
            endDate=row.left.isoformat() if row.left else None,
            school=self.ref("org", str(row.school)), **_in_class(self.ref("class", key)),
        )  # fmt: skip

    def grown_ups(self, child: Child) -> None:
        """The contacts of a child as users; one of whom nothing is known is referred to, but no user."""
        school = str(child.primary.school) if child.primary else self.top
        for link in child.contacts:
            one = link.contact
            key = user_id(one)
            if key in self.found["users"] or not (one.first_name or one.last_name or one.mailing_name):
                continue
            self._grown_up(
                key, role_of(link, self.style.version), school,
                givenName=one.first_name, familyName=one.last_name or one.mailing_name,
                email=one.email or None, phone=one.home_phone or None, sms=one.mobile_phone or None,
                agents=[self.ref("user", dcid) for dcid in self.households[child.household]],
            )  # fmt: skip

    def _grown_up(self, key: str, role: str, school: str, **members: Any) -> None:
        org = self.ref("org", school)
        roles: dict[str, Any] = {"roles": [{"roleType": "primary", "role": role, "org": org}]}
        where: dict[str, Any] = roles if self.style.version == "1.2" else {"role": role, "orgs": [org]}
        self.put("users", key, username=key, enabledUser=True, **where, **members)


def _in_class(ref: Row) -> dict[str, Any]:
    return {"class": ref}


def _in_order(child: Child) -> list[ContactLink]:
    return sorted(child.contacts, key=lambda link: (link.order, link.sequence))


def _person(child: Child, style: Style) -> Row:
    ids = [{"type": "sisId", "identifier": str(child.id)}]
    if child.state_id and style.state_id == "userIds":
        ids.append({"type": "stateId", "identifier": child.state_id})
    found: Row = {
        "username": f"s{child.id}",
        "userIds": ids,
        "enabledUser": child.status == "active" and child.household % 8 != 0,
        "givenName": child.first_name,
        "familyName": child.last_name,
        "middleName": child.middle_name or None,
        "identifier": str(child.id),
        "email": child.email or None,
        "phone": child.home_phone or None,
        "sms": child.mobile_phone or None,
    }
    if style.version == "1.2":
        found["userMasterIdentifier"] = (
            child.state_id or None if style.state_id == "master" else f"{child.dcid:08x}-0000-4000-8000-000000000000"
        )
        found["preferredFirstName"] = child.preferred_first_name or None
        found["preferredLastName"] = child.preferred_last_name or None
    return found


def _demographics(child: Child, style: Style) -> Row:
    flags = {race_flag(code) for code in child.races} - {""}
    sex = SEXES.get(child.gender, "unspecified")
    return {
        "birthDate": child.birth_date.isoformat(),
        "sex": sex if style.version == "1.2" or sex in ("male", "female") else None,
        **{flag: flag in flags for flag in FLAGS},
        "demographicRaceTwoOrMoreRaces": len(flags) > 1,
        "hispanicOrLatinoEthnicity": child.hispanic,
    }


def _metadata(child: Child) -> Row:
    found = _address("", child.residence) | _address("mailing", child.mailing)
    language = child.home_language.strip()
    found["homeLanguage"] = LANGUAGES.get(language, language)
    return {name: value for name, value in found.items() if value}


def _address(which: str, address: Address) -> Row:
    values = {
        "streetAddress": f"{address.line1} {address.line2}".strip(),
        "city": address.city,
        "state": address.state,
        "postalCode": address.postal_code + (f"-{address.zip_ext}" if address.zip_ext else ""),
    }
    return {(which + name[:1].upper() + name[1:] if which else name): value for name, value in values.items()}
