"""Two records of one child: which fields differ, which stays and contacts move. Pure rules on values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from .families import name_key
from .stays import Stay

SURVIVOR, DUPLICATE = "survivor", "duplicate"


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """One field in which the two differ. chosen: SURVIVOR or DUPLICATE, whose value is preselected."""

    field: str
    survivor: Any
    duplicate: Any
    chosen: str = SURVIVOR

    @property
    def both(self) -> bool:
        """Whether neither value is blank."""
        return not _blank(self.survivor) and not _blank(self.duplicate)


class StayMove(msgspec.Struct, frozen=True):
    """How a stay of the duplicate is kept by the survivor: its number at the school, and whether it is primary."""

    stint: int
    primary: bool


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as one of the two has it. id: the contact's primary key."""

    id: int
    first_name: str
    last_name: str
    restricted: bool


def conflicts(survivor: Mapping[str, Any], duplicate: Mapping[str, Any], names: Sequence[str]) -> list[Conflict]:
    """The fields of ``names`` in which the two differ, in that order; where one is blank the other is preselected."""
    found = []
    for name in names:
        ours, theirs = survivor[name], duplicate[name]
        if ours == theirs or (_blank(ours) and _blank(theirs)):
            continue
        chosen = DUPLICATE if _blank(ours) else SURVIVOR
        found.append(Conflict(field=name, survivor=ours, duplicate=theirs, chosen=chosen))
    return found


def to_lock(
    differing: Iterable[Conflict], choices: Mapping[str, str], *, survivor_supplied: bool, duplicate_supplied: bool
) -> list[str]:
    """The fields whose decided value an import would write over with the other one.

    choices: field → SURVIVOR or DUPLICATE. survivor_supplied, duplicate_supplied: whether an integration goes
    on to speak for the child under an id of that one. A blank writes over nothing, except for the family.
    """
    found = []
    for one in differing:
        taken = choices.get(one.field, one.chosen)
        other = one.survivor if taken == DUPLICATE else one.duplicate
        speaks = survivor_supplied if taken == DUPLICATE else duplicate_supplied
        if speaks and (one.field == "family" or not _blank(other)):
            found.append(one.field)
    return found


def move_stays(survivor: Sequence[Stay], duplicate: Sequence[Stay]) -> dict[int, StayMove | None]:
    """The duplicate's stay → how the survivor keeps it, None where the survivor's own stay at the school is kept.

    The result has at most one current stay a school and one current primary stay, and nobody who was current at a
    school ceases to be.
    """
    numbers: dict[tuple[str, str], set[int]] = {}
    for stay in survivor:
        numbers.setdefault((stay.school, stay.year), set()).add(stay.stint)
    current = {stay.school for stay in survivor if stay.left is None}
    has_primary = any(stay.left is None and stay.primary for stay in survivor)
    moves: dict[int, StayMove | None] = {}
    for stay in sorted(duplicate, key=lambda one: (one.left is not None, not one.primary, one.id)):
        taken = numbers.setdefault((stay.school, stay.year), set())
        open_stay = stay.left is None
        if (open_stay and stay.school in current) or (not open_stay and stay.stint in taken):
            moves[stay.id] = None
            continue
        stint = stay.stint if stay.stint not in taken else max(taken) + 1
        primary = stay.primary and not (open_stay and has_primary)
        taken.add(stint)
        if open_stay:
            current.add(stay.school)
            has_primary = has_primary or primary
        moves[stay.id] = StayMove(stint, primary)
    return moves


def same_contact(person: Person, among: Iterable[Person]) -> Person | None:
    """The one who is the same contact: the same row, or the same full name with the same restriction."""
    people = list(among)
    same_row = next((one for one in people if one.id == person.id), None)
    if same_row is not None or not (person.first_name.strip() and person.last_name.strip()):
        return same_row
    key = name_key(person.first_name, person.last_name)
    return next(
        (
            one
            for one in people
            if name_key(one.first_name, one.last_name) == key and one.restricted == person.restricted
        ),
        None,
    )


def _blank(value: Any) -> bool:
    return value is None or value == "" or value == []
