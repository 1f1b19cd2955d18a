"""What children of one family share, as it is held here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from students.families import FAMILY_FIELDS, family_key
from students.labels import NOTHING, phone_label
from students.models import Contact, Student
from students.records import Household

NOT_KEPT = "the family's number in the system itself; it is not kept here"


def shared_values(members: Sequence[Student], chosen: Iterable[str]) -> list[tuple[str, str]]:
    """(label, value) of each Family Identifier field in ``chosen``, in the order of the form.

    Values of children that differ by now are parted by " / ". Members need their contact links prefetched.
    """
    return [(FAMILY_FIELDS[option][0], _told(option, members)) for option in FAMILY_FIELDS if option in set(chosen)]


def other_values(members: Sequence[Student], options: Iterable[str]) -> list[tuple[str, str, str]]:
    """(label, "the same" or "differs" or "counts as blank", values) of each option whose values are kept here."""
    found = []
    for option in options:
        if option == "family_key":
            continue
        label, attribute = FAMILY_FIELDS[option]
        values = list(dict.fromkeys(_value(option, student) for student in members))
        keys = {family_key(msgspec.structs.replace(Household(), **{attribute: value}), [option]) for value in values}
        what = "counts as blank" if None in keys else "the same" if len(keys) == 1 else "differs"
        found.append((label, what, " / ".join(value or NOTHING for value in values)))
    return found


def _told(option: str, members: Sequence[Student]) -> str:
    if option == "family_key":
        return NOT_KEPT
    values = dict.fromkeys(_value(option, student) for student in members)
    return " / ".join(value or NOTHING for value in values)


def _value(option: str, student: Student) -> str:
    if option == "household_home_address":
        town = f"{student.residence_city}, {student.residence_state} {student.residence_postal_code}".strip(", ")
        return ", ".join(part for part in (student.residence_line1, student.residence_line2, town) if part)
    head = _head(student)
    if option == "head_of_household_home_phone":
        return phone_label((head.home_phone if head else "") or student.home_phone)
    if head is None:
        return ""
    return head.first_name if option == "head_of_household_first_name" else head.last_name


def _head(student: Student) -> Contact | None:
    """The first contact who lives with the child, else the first; never one who is restricted."""
    links = [link for link in student.contact_links.all() if not link.restricted]
    links.sort(key=lambda link: (not link.lives_with, link.order, link.pk))
    return links[0].contact if links else None
