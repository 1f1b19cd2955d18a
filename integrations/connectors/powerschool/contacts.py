"""Contacts of a PowerSchool student, from the contacts API or from the fields of the student record. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from students.records import ContactRecord

from ...errors import RecordError
from ...parsing import (
    as_dict,
    as_list,
    date_or_none,
    integer,
    phone,
    plain,
    postal_code,
    required,
    text,
    yes_no,
)

LAST = 10_000
HOME, MOBILE, WORK = "home_phone", "mobile_phone", "work_phone"
PHONE_TYPES = {
    "home": HOME,
    "mobile": MOBILE,
    "cell": MOBILE,
    "cellular": MOBILE,
    "work": WORK,
    "daytime": WORK,
    "business": WORK,
}
SLOTS = (
    ("mother", "mother", "", "Mother"),
    ("father", "father", "", "Father"),
    ("emergency1", "emergency_contact_name1", "emergency_phone1", ""),
    ("emergency2", "emergency_contact_name2", "emergency_phone2", ""),
)
"""Contacts in the fields of the student record: id, field of the name, of the phone, relationship."""


class Link(msgspec.Struct, frozen=True):
    """A contact as it stands to one student. custodial: has custody, which decides who heads a household."""

    record: ContactRecord
    custodial: bool = False


def links_of(contacts: Iterable[bytes | Raw], dcid: str, today: dt.date) -> tuple[Link, ...]:
    """The contacts linked to this student on that day, by sequence, ranked from 1.

    A contact of several children lists them all; one that is inactive, or whose link has ended or not
    begun, is left out. Raises RecordError.
    """
    found: list[tuple[tuple[int, int], dict[str, Any], dict[str, Any], dict[str, Any]]] = []
    for raw in contacts:
        contact = as_dict(msgspec.json.decode(raw))
        number = integer(contact.get("contactId"), "contactId")
        if number is None:
            raise RecordError("missing_required", "contactId", "A contact has no contactId.")
        link = _link_to(contact, dcid)
        detail = _detail_of(link, today) if link is not None else None
        if link is None or detail is None or contact.get("active") is False:
            continue
        sequence = integer(link.get("sequence"), "sequence")
        found.append(((LAST if sequence is None else sequence, number), contact, link, detail))
    found.sort(key=lambda one: one[0])
    return tuple(
        Link(_record(contact, link, detail, rank, today), yes_no(detail.get("custodial"), "custodial") is True)
        for rank, (_, contact, link, detail) in enumerate(found, start=1)
    )


def slots_of(fields: Mapping[str, Any], dcid: str) -> tuple[Link, ...]:
    """The contacts named in the student record's own fields, ranked from 1; a name given twice is one."""
    found: dict[str, dict[str, Any]] = {}
    for slot, name_field, phone_field, relationship in SLOTS:
        name = plain(fields.get(name_field), name_field)
        if not name:
            continue
        known = found.setdefault(name.casefold(), {"slot": slot, "name": name, "relationship": relationship})
        if phone_field:
            known["emergency"] = True
            known["phone"] = phone(fields.get(phone_field), phone_field) or known.get("phone")
    return tuple(Link(_slot_record(one, dcid, rank)) for rank, one in enumerate(found.values(), start=1))


def head_of(links: Sequence[Link]) -> ContactRecord | None:
    """Who heads the household: lives there with custody, else lives there, else has custody, else a parent
    named in the student record; the first of them, never one who is restricted."""
    fit = [link for link in links if link.record.restricted is not True]
    at_home = [link for link in fit if link.record.lives_with is True]
    custodial = [link for link in fit if link.custodial]
    parents = [
        link for link in fit if link.record.lives_with is UNSET and link.record.relationship in ("Mother", "Father")
    ]
    both = [link for link in at_home if link.custodial]
    return next((link.record for link in (*both, *at_home, *custodial, *parents)), None)


def _link_to(contact: Mapping[str, Any], dcid: str) -> dict[str, Any] | None:
    for link in as_list(contact.get("contactStudents")):
        if plain(as_dict(link).get("dcid"), "dcid") == dcid:
            return as_dict(link)
    return None


def _detail_of(link: Mapping[str, Any], today: dt.date) -> dict[str, Any] | None:
    """What the contact is to the student on that day; {} for a link that has no details at all."""
    details = [as_dict(one) for one in as_list(link.get("studentDetails"))]
    if not details:
        return {}
    for detail in details:
        if detail.get("active") is not False and _covers(detail, today):
            return detail
    return None


def _covers(dated: Mapping[str, Any], today: dt.date) -> bool:
    begins, ends = date_or_none(dated.get("startDate")), date_or_none(dated.get("endDate"))
    return (begins is None or begins <= today) and (ends is None or today <= ends)


def _record(
    contact: Mapping[str, Any],
    link: Mapping[str, Any],
    detail: Mapping[str, Any],
    rank: int,
    today: dt.date,
) -> ContactRecord:
    def told(holder: Mapping[str, Any], name: str) -> str | None | UnsetType:
        return text(holder.get(name, UNSET), name)

    return ContactRecord(
        external_id=required(contact["contactId"], "contactId"),
        first_name=told(contact, "firstName"),
        middle_name=told(contact, "middleName"),
        last_name=told(contact, "lastName"),
        prefix=told(contact, "prefix"),
        suffix=told(contact, "suffix"),
        email=_email(contact),
        **_phones(contact),
        **_address(contact, today),
        relationship=told(detail, "relationship"),
        order=rank,
        lives_with=yes_no(detail.get("livesWith"), "livesWith"),
        emergency=yes_no(detail.get("emergency"), "emergency"),
        receives_mail=yes_no(detail.get("receivesMail"), "receivesMail"),
        restricted=bool(as_list(link.get("restrictions"))),
    )


def _email(contact: Mapping[str, Any]) -> str | None | UnsetType:
    """The primary address, else the first."""
    if "emails" not in contact:
        return UNSET
    found = [as_dict(one) for one in as_list(contact["emails"])]
    found.sort(key=lambda one: one.get("primary") is not True)
    return next((address for one in found if (address := text(one.get("address"), "address"))), None)


def _phones(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Home, mobile and work phone by type, the preferred first; a phone of another type as home phone."""
    if "phones" not in contact:
        return {}
    found: dict[str, Any] = dict.fromkeys((HOME, MOBILE, WORK))
    others: list[Any] = []
    for one in sorted((as_dict(one) for one in as_list(contact["phones"])), key=_phone_place):
        number = phone(one.get("phoneNumber"), "phoneNumber")
        extension = plain(one.get("extension"), "extension")
        shown = f"{number} x{extension}" if number and extension else number
        field = PHONE_TYPES.get(plain(one.get("phoneType"), "phoneType").lower())
        if field is None:
            others.append(shown)
        elif not found[field]:
            found[field] = shown
    found[HOME] = found[HOME] or next((shown for shown in others if shown), None)
    return found


def _phone_place(one: Mapping[str, Any]) -> tuple[bool, int]:
    sequence = integer(one.get("sequence"), "sequence")
    return one.get("preferred") is not True, LAST if sequence is None else sequence


def _address(contact: Mapping[str, Any], today: dt.date) -> dict[str, Any]:
    """The home address of the day, else another."""
    if "addresses" not in contact:
        return {}
    found = [one for one in map(as_dict, as_list(contact["addresses"])) if _covers(one, today)]
    found.sort(key=_address_place)
    one = found[0] if found else {}
    second = " ".join(part for part in (plain(one.get("linetwo"), "linetwo"), plain(one.get("unit"), "unit")) if part)
    return {
        "line1": text(one.get("street"), "street"),
        "line2": second or None,
        "city": text(one.get("city"), "city"),
        "state": text(one.get("state"), "state"),
        "postal_code": postal_code(one.get("postalcode"), "postalcode"),
    }


def _address_place(one: Mapping[str, Any]) -> tuple[bool, int]:
    sequence = integer(one.get("sequence"), "sequence")
    return plain(one.get("addressType"), "addressType").lower() != "home", LAST if sequence is None else sequence


def _slot_record(one: Mapping[str, Any], dcid: str, rank: int) -> ContactRecord:
    last, _, first = one["name"].partition(",")
    if not first:
        first, _, last = one["name"].rpartition(" ")
    return ContactRecord(
        external_id=f"{dcid}-{one['slot']}",
        first_name=first.strip() or None,
        last_name=last.strip() or None,
        home_phone=one.get("phone", UNSET),
        relationship=one["relationship"] or UNSET,
        order=rank,
        emergency=one.get("emergency", False),
    )
