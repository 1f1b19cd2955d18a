"""Contacts of an Illuminate student: one person each, however many households list it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from students.records import ContactRecord

from ...parsing import integer, phone, plain, required, text, yes_no
from .profile import Endpoint, row_of
from .values import zip_code

LAST = 10_000
REACHED_BY = ("first_name", "last_name", "home_phone", "cell_phone", "work_phone", "email")


class Listed(msgspec.Struct, frozen=True):
    """A contact as its best row tells it. at_home: it stands in the student's primary household."""

    record: ContactRecord
    at_home: bool


def contacts_of(raws: Iterable[bytes | Raw], endpoint: Endpoint) -> tuple[Listed, ...]:
    """The contacts of one student by emergency order, then id, ranked from 1. Raises RecordError.

    A contact comes once for each household in which it stands to the student: the row of the primary household
    counts, else the one first in order. Who has neither name nor phone nor email is left out.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for raw in raws:
        row = row_of(raw)
        rows.setdefault(required(endpoint.value(row, "contact_id"), "contact_id"), []).append(row)
    chosen = {contact: min(found, key=lambda row: _place(row, endpoint)) for contact, found in rows.items()}
    told = [
        (min(_order(row, endpoint) for row in rows[contact]), int(contact) if contact.isdigit() else 0, contact)
        for contact, row in chosen.items()
        if any(plain(endpoint.value(row, name), name) for name in REACHED_BY)
    ]
    return tuple(
        Listed(
            _record(chosen[contact], endpoint, contact, rank),
            at_home=_is(chosen[contact], endpoint, "is_primary_household"),
        )
        for rank, (_, _, contact) in enumerate(sorted(told), start=1)
    )


def head_of(contacts: Iterable[Listed]) -> Listed | None:
    """Who heads the primary household: the first in order who stands in it; None without anyone there."""
    return next((one for one in contacts if one.at_home), None)


def _place(row: Mapping[str, Any], endpoint: Endpoint) -> tuple[bool, int, int]:
    household = integer(endpoint.value(row, "household_id"), "household_id") or 0
    return not _is(row, endpoint, "is_primary_household"), _order(row, endpoint), household


def _order(row: Mapping[str, Any], endpoint: Endpoint) -> int:
    """The emergency order; without one, a primary contact stands before the others without one."""
    order = integer(endpoint.value(row, "emergency_order"), "emergency_order")
    if order is not None:
        return order
    return LAST - 1 if _is(row, endpoint, "is_primary_contact") else LAST


def _is(row: Mapping[str, Any], endpoint: Endpoint, field: str) -> bool:
    return yes_no(endpoint.value(row, field), field) is True


def _record(row: Mapping[str, Any], endpoint: Endpoint, contact: str, rank: int) -> ContactRecord:
    def told(field: str) -> Any:
        return endpoint.value(row, field)

    return ContactRecord(
        external_id=contact,
        first_name=text(told("first_name"), "first_name"),
        last_name=text(told("last_name"), "last_name"),
        email=text(told("email"), "email"),
        home_phone=phone(told("home_phone"), "home_phone"),
        mobile_phone=phone(told("cell_phone"), "cell_phone"),
        work_phone=phone(told("work_phone"), "work_phone"),
        line1=text(told("address"), "address"),
        line2=text(told("address2"), "address2"),
        city=text(told("city"), "city"),
        state=text(told("state"), "state"),
        postal_code=zip_code(told("zip"), "zip"),
        relationship=text(told("relationship"), "relationship"),
        order=rank,
        lives_with=_flag(told("lives_with"), "lives_with"),
        receives_mail=_flag(told("gets_correspondence"), "gets_correspondence"),
    )


def _flag(value: Any, field: str) -> bool | UnsetType:
    """As ``yes_no``; a blank says no."""
    return False if value is None else yes_no(value, field)
