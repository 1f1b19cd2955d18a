"""A OneRoster student with demographics and agents in canonical shape, codes still the system's. Pure.

Sources: the README here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from students.records import LEFT, ContactRecord, EnrollmentRecord, Facts, Household, StudentRecord

from ...errors import RecordError
from ...parsing import UNREADABLE, as_dict, as_list, date, phone, plain, postal_code, text, yes_no
from ..base import RawRecord
from .rows import is_gone

PEOPLE_FOLLOW, AGENTS_FOLLOW = b"demographics", b"agents"
"""The parts of a raw record after which its demographics and its agents come; absent where not asked for."""
RACES = (
    "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
)  # fmt: skip
SEVERAL, HISPANIC = "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity"
GUARDIANS = ("parent", "guardian")
STATE_ID = re.compile(r"state|ssid|suid", re.IGNORECASE)
LOCAL_ID = re.compile(r"sis|local|student", re.IGNORECASE)
A_NUMBER = re.compile(r"[0-9A-Za-z]{1,20}")
METADATA: Mapping[str, str] = {
    "residence_line1": "streetAddress",
    "residence_city": "city",
    "residence_state": "state",
    "residence_postal_code": "postalCode",
    "mailing_line1": "mailingStreetAddress",
    "mailing_city": "mailingCity",
    "mailing_state": "mailingState",
    "mailing_postal_code": "mailingPostalCode",
    "home_language": "homeLanguage",
}
"""Our field → the name in ``metadata`` it is read from unless the option metadata says otherwise."""


def student_record(
    record: RawRecord, school: str, *, metadata: Mapping[str, str] = METADATA, contacts_read: bool = True
) -> StudentRecord:
    """The canonical record of a joined one. school: the sourcedId of the school read. Raises RecordError.

    A member that did not come says nothing; null and "" are blanks. Demographics and agents say nothing where
    they were not asked for, or where the student has no demographics. contacts_read: whether agents are read at
    all; where they are and this record lacks them, it says nothing of the household either.
    """
    try:
        user = as_dict(msgspec.json.decode(record.parts[0]))
        people = _part(record, PEOPLE_FOLLOW)
        agents = _agents(record)
    except UNREADABLE:
        raise RecordError("bad_text", "", "The record holds bytes that are no text.") from None
    told = as_dict(user.get("metadata"))
    contacts = agents if agents is None else [_contact(one, rank) for rank, one in enumerate(agents, start=1)]
    own: dict[str, Any] = {field: _from_metadata(told, name, field) for field, name in metadata.items()}
    named = record.facts.status != LEFT
    return StudentRecord(
        external_id=record.external_id,
        enrollment=_enrollment(record.facts, school),
        household=_household(agents or (), contacts or (), own, _phone(user, "phone"))
        if agents is not None or not contacts_read
        else Household(told=False),
        local_id=_local_id(user),
        state_id=_state_id(user),
        first_name=_name(user, "givenName", needed=named),
        middle_name=text(user.get("middleName", UNSET), "middleName"),
        last_name=_name(user, "familyName", needed=named),
        preferred_first_name=_either(user, "preferredFirstName", "preferredGivenName"),
        preferred_last_name=_either(user, "preferredLastName", "preferredFamilyName"),
        email=text(user.get("email", UNSET), "email"),
        home_phone=_phone(user, "phone"),
        mobile_phone=_phone(user, "sms"),
        contacts=UNSET if contacts is None else tuple(contacts),
        **_demographics(people),
        **own,
    )


def _part(record: RawRecord, mark: bytes) -> dict[str, Any]:
    if mark not in record.parts:
        return {}
    return as_dict(msgspec.json.decode(record.parts[record.parts.index(mark) + 1]))


def _agents(record: RawRecord) -> list[dict[str, Any]] | None:
    """The related users that are no tombstones, in the student's order; None where they were not asked for."""
    if AGENTS_FOLLOW not in record.parts:
        return None
    start = record.parts.index(AGENTS_FOLLOW) + 1
    users = [as_dict(msgspec.json.decode(part)) for part in record.parts[start:]]
    return [user for user in users if not is_gone(user.get("status"))]


def _enrollment(facts: Facts, school: str) -> EnrollmentRecord:
    if facts.status != LEFT and not facts.grade:
        raise RecordError("missing_required", "grades", "grades is missing.")
    return EnrollmentRecord(
        school=school,
        grade_level=facts.grade,
        entered=facts.entered,
        left=facts.left,
        status=facts.status,
        role=facts.role,
    )


def _name(user: Mapping[str, Any], field: str, *, needed: bool) -> str | None | UnsetType:
    """A name every user must have; a tombstone may come without."""
    found = text(user.get(field, UNSET), field)
    if needed and not found:
        raise RecordError("missing_required", field, f"{field} is missing.")
    return found if found is not None else UNSET


def _either(user: Mapping[str, Any], name: str, other: str) -> str | None | UnsetType:
    return text(user.get(name, user.get(other, UNSET)), name)


def _phone(user: Mapping[str, Any], field: str) -> str | None | UnsetType:
    return phone(user.get(field, UNSET), field)


def _local_id(user: Mapping[str, Any]) -> str | None | UnsetType:
    """``identifier``, else the user id whose type speaks of the SIS, the district or the student."""
    return text(user.get("identifier", UNSET), "identifier") or _user_id(user, LOCAL_ID) or UNSET


def _state_id(user: Mapping[str, Any]) -> str | None | UnsetType:
    """The user id whose type speaks of the state, else userMasterIdentifier where it is a plain number or code."""
    if found := _user_id(user, STATE_ID):
        return found
    master = plain(user.get("userMasterIdentifier"), "userMasterIdentifier")
    return master if A_NUMBER.fullmatch(master) else UNSET


def _user_id(user: Mapping[str, Any], kind: re.Pattern[str]) -> str:
    for one in map(as_dict, as_list(user.get("userIds"))):
        if kind.search(plain(one.get("type"), "userIds.type")):
            return plain(one.get("identifier"), "userIds.identifier")
    return ""


def _from_metadata(told: Mapping[str, Any], name: str, field: str) -> str | None | UnsetType:
    value = told.get(name, UNSET)
    return postal_code(value, name) if field.endswith("postal_code") else text(value, name)


def _demographics(people: Mapping[str, Any]) -> dict[str, Any]:
    """Birth date, gender, ethnicity and races; a member that did not come says nothing."""
    found: dict[str, Any] = {"birth_date": date(people.get("birthDate", UNSET), "birthDate")}
    sex = text(people.get("sex", UNSET), "sex")
    found["gender"] = None if isinstance(sex, str) and sex.lower() == "unspecified" else sex
    hispanic = yes_no(people.get(HISPANIC), HISPANIC)
    found["ethnicity"] = str(hispanic).lower() if isinstance(hispanic, bool) else UNSET
    if any(name in people for name in (*RACES, SEVERAL)):
        races = tuple(name for name in RACES if yes_no(people.get(name), name) is True)
        several = yes_no(people.get(SEVERAL), SEVERAL) is True and not races
        found["races"] = (SEVERAL,) if several else races
    return found


def _role(user: Mapping[str, Any]) -> str:
    """What a related user is called: the role of 1.1, else the first of 1.2 that speaks of a relation."""
    own = plain(user.get("role"), "role")
    roles = [plain(as_dict(one).get("role"), "role") for one in as_list(user.get("roles"))]
    named = [own] if own else [role for role in roles if role]
    related = [role for role in named if role.lower() in (*GUARDIANS, "relative") or role.startswith("ext:")]
    return next(iter((*related, *named)), "")


def _contact(user: Mapping[str, Any], rank: int) -> ContactRecord:
    return ContactRecord(
        external_id=plain(user.get("sourcedId"), "sourcedId"),
        first_name=text(user.get("givenName", UNSET), "givenName"),
        middle_name=text(user.get("middleName", UNSET), "middleName"),
        last_name=text(user.get("familyName", UNSET), "familyName"),
        email=text(user.get("email", UNSET), "email"),
        home_phone=_phone(user, "phone"),
        mobile_phone=_phone(user, "sms"),
        relationship=_role(user) or UNSET,
        order=rank,
    )


def _household(
    agents: Sequence[Mapping[str, Any]],
    contacts: Sequence[ContactRecord],
    own: Mapping[str, Any],
    home_phone: str | None | UnsetType,
) -> Household:
    """The first parent or guardian heads it; the phone is theirs, else the student's."""
    heads = [one for one, user in zip(contacts, agents, strict=True) if _role(user).lower() in GUARDIANS]
    head = next(iter(heads), None)
    street = own.get("residence_line1")
    names = ("residence_line1", "residence_line2", "residence_city", "residence_state", "residence_postal_code")
    parts = [part for name in names if (part := own.get(name)) and isinstance(part, str)]
    return Household(
        head_first_name=(head.first_name if head else None) or "",
        head_last_name=(head.last_name if head else None) or "",
        head_home_phone=(head.home_phone if head else None) or home_phone or "",
        home_address=", ".join(parts) if street else "",
    )
