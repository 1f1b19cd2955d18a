"""Contacts of a student from the rows of four queries: links, phones, e-mail addresses, addresses. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from students.records import ContactRecord

from ...errors import RecordError
from ...parsing import date_or_none, integer, phone, plain, postal_code, text, yes_no
from .rows import day

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

Cells = Mapping[str, Any]


class Link(msgspec.Struct, frozen=True):
    """A contact as it stands to one student. custodial: has custody, which decides who heads a household."""

    record: ContactRecord
    custodial: bool = False


def links_of(
    contacts: Iterable[Cells],
    *,
    phones: Iterable[Cells],
    emails: Iterable[Cells],
    addresses: Iterable[Cells],
    today: dt.date,
) -> tuple[Link, ...]:
    """The contacts of one student on that day, by priority, ranked from 1.

    contacts: the columns of each link, once for each time span of it. A person who is inactive, or whose link
    has ended, not begun or is not active, is left out; one linked twice is one contact. Raises RecordError.
    """
    found: dict[str, tuple[int, int, Cells]] = {}
    for one in contacts:
        number = integer(one.get("personid"), "personid")
        if number is None:
            raise RecordError("missing_required", "personid", "A contact has no personid.")
        place = _place(one, "contactpriorityorder")
        if _holds(one, today) and place < found.get(str(number), (LAST + 1,))[0]:
            found[str(number)] = (place, number, one)
    numbers, mails, places = _by_person(phones), _by_person(emails), _by_person(addresses)
    ranked = sorted(found.items(), key=lambda item: item[1][:2])
    return tuple(
        Link(
            _record(
                person,
                one,
                rank,
                {
                    **_phones(numbers.get(person, ())),
                    **_address([place for place in places.get(person, ()) if _covers(place, today)]),
                    "email": _email(mails.get(person, ())),
                },
            ),
            yes_no(one.get("iscustodial"), "iscustodial") is True,
        )
        for rank, (person, (_, _, one)) in enumerate(ranked, start=1)
    )


def head_of(links: Sequence[Link]) -> ContactRecord | None:
    """Who heads the household: the first who lives there with custody, else lives there, else has custody."""
    at_home = [link for link in links if link.record.lives_with is True]
    both = [link for link in at_home if link.custodial]
    custodial = [link for link in links if link.custodial]
    return next((link.record for link in (*both, *at_home, *custodial)), None)


def _holds(one: Cells, today: dt.date) -> bool:
    """Whether this time span of a link is the one of the day; a link without any always holds."""
    off = any(yes_no(one.get(name), name) is False for name in ("personactive", "isactive"))
    return not off and _covers(one, today)


def _covers(dated: Cells, today: dt.date) -> bool:
    begins, ends = (date_or_none(day(dated.get(name))) for name in ("startdate", "enddate"))
    return (begins is None or begins <= today) and (ends is None or today <= ends)


def _place(one: Cells, name: str) -> int:
    found = integer(one.get(name), name)
    return LAST if found is None else found


def _by_person(rows: Iterable[Cells]) -> dict[str, list[Cells]]:
    found: dict[str, list[Cells]] = {}
    for one in rows:
        found.setdefault(plain(one.get("personid"), "personid"), []).append(one)
    return found


def _record(person: str, one: Cells, rank: int, reached: Mapping[str, Any]) -> ContactRecord:
    def told(name: str) -> Any:
        return text(one.get(name), name)

    return ContactRecord(
        external_id=person,
        first_name=told("firstname"),
        middle_name=told("middlename"),
        last_name=told("lastname"),
        prefix=told("prefix"),
        suffix=told("suffix"),
        relationship=told("relationship") or UNSET,
        order=rank,
        lives_with=yes_no(one.get("liveswithflg"), "liveswithflg"),
        emergency=yes_no(one.get("isemergency"), "isemergency"),
        receives_mail=yes_no(one.get("receivesmailflg"), "receivesmailflg"),
        **reached,
    )


def _email(rows: Sequence[Cells]) -> str | None:
    """The address marked as primary, else the first by priority."""

    def place(one: Cells) -> tuple[bool, int]:
        primary = yes_no(one.get("isprimaryemailaddress"), "isprimaryemailaddress") is True
        return not primary, _place(one, "emailaddresspriorityorder")

    found = (plain(one.get("emailaddress"), "emailaddress") for one in sorted(rows, key=place))
    return next((address for address in found if address), None)


def _phones(rows: Sequence[Cells]) -> dict[str, Any]:
    """Home, mobile and work phone by type, the preferred first; a phone of another type as home phone."""
    found: dict[str, Any] = dict.fromkeys((HOME, MOBILE, WORK))
    others: list[Any] = []
    for one in sorted(rows, key=_phone_place):
        entered = phone(one.get("phonenumberasentered"), "phonenumberasentered")
        number = entered or phone(one.get("phonenumber"), "phonenumber")
        extension = plain(one.get("phonenumberext"), "phonenumberext")
        shown = f"{number} x{extension}" if number and extension else number
        field = PHONE_TYPES.get(plain(one.get("phonetype"), "phonetype").lower())
        if field is None:
            others.append(shown)
        elif not found[field]:
            found[field] = shown
    found[HOME] = found[HOME] or next((shown for shown in others if shown), None)
    return {field: number or None for field, number in found.items()}


def _phone_place(one: Cells) -> tuple[bool, int]:
    preferred = yes_no(one.get("ispreferred"), "ispreferred") is True
    return not preferred, _place(one, "phonenumberpriorityorder")


def _address(rows: Sequence[Cells]) -> dict[str, Any]:
    """The home address, else the first by priority."""

    def place(one: Cells) -> tuple[bool, int]:
        return plain(one.get("addresstype"), "addresstype").lower() != "home", _place(one, "addresspriorityorder")

    one = min(rows, key=place, default={})
    second = " ".join(part for part in (plain(one.get(name), name) for name in ("linetwo", "unit")) if part)
    return {
        "line1": text(one.get("street"), "street"),
        "line2": second or None,
        "city": text(one.get("city"), "city"),
        "state": text(one.get("state"), "state"),
        "postal_code": postal_code(one.get("postalcode"), "postalcode"),
    }
