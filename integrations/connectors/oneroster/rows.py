"""What has to be known of a OneRoster user to page, join and judge it, without decoding the rest. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from students.records import ALTERNATE, CURRENT, FUTURE, LEFT, PRIMARY, Facts

from ...errors import RecordError
from ...parsing import UNREADABLE, as_dict, as_list, date_or_none, plain
from ..base import Problem, Sighting

GONE = "tobedeleted"
STUDENT = "student"


class Stay(msgspec.Struct, frozen=True):
    """A user's role as a student at one school. first: the role is called primary there. over: it is a tombstone."""

    school: str
    begins: dt.date | None = None
    ends: dt.date | None = None
    first: bool = True
    over: bool = False

    def status(self, today: dt.date) -> str:
        """CURRENT, FUTURE or LEFT on a day; the last day still counts."""
        if self.over or (self.ends is not None and self.ends < today):
            return LEFT
        return FUTURE if self.begins is not None and self.begins > today else CURRENT


class Row(msgspec.Struct, gc=False):
    """One user row. key: its sourcedId, "" when it has none. fault: why it is no use.

    gone: the row is a tombstone. stays: where the user is a student. main: the school that primaryOrg names.
    agents: ids of related users.
    """

    raw: bytes | Raw
    key: str
    gone: bool = False
    grade: str = ""
    stays: tuple[Stay, ...] = ()
    main: str = ""
    agents: tuple[str, ...] = ()
    fault: RecordError | None = None


class _Keys(msgspec.Struct, gc=False):
    sourcedId: Any = UNSET
    status: Any = UNSET
    role: Any = UNSET
    orgs: Any = UNSET
    roles: Any = UNSET
    primaryOrg: Any = UNSET
    agents: Any = UNSET
    grades: Any = UNSET


_keys = msgspec.json.Decoder(_Keys)


def user_row(raw: bytes | Raw) -> Row:
    """A user with its keys and stays; ``fault`` says what is wrong with it, never an exception."""
    key = ""
    try:
        found = _keys.decode(raw)
        key = plain(found.sourcedId, "sourcedId")
        if not key:
            raise RecordError("missing_required", "sourcedId", "A user has no sourcedId.")
        return Row(
            raw, key, gone=is_gone(found.status), grade=first_of(found.grades, "grades"), stays=_stays(found),
            main=reference(found.primaryOrg), agents=references(found.agents),
        )  # fmt: skip
    except msgspec.ValidationError:
        fault = RecordError("bad_type", "", "A user is no object.")
    except UNREADABLE:
        fault = RecordError("bad_text", "", "The row holds bytes that are no text.")
    except RecordError as error:
        fault = error
    return Row(raw, key, fault=fault)


def is_gone(status: Any) -> bool:
    """Whether a row is a tombstone; 1.0 wrote inactive."""
    return isinstance(status, str) and status.strip().lower() in (GONE, "inactive")


def reference(value: Any) -> str:
    """The sourcedId of a reference object, "" when there is none."""
    return plain(as_dict(value).get("sourcedId"), "sourcedId")


def references(value: Any) -> tuple[str, ...]:
    """The sourcedIds of a list of reference objects, each once, in order."""
    found = (reference(one) for one in as_list(value if value is not UNSET else None))
    return tuple(dict.fromkeys(key for key in found if key))


def first_of(value: Any, field: str) -> str:
    """The first text of a list, or of a comma list in one text; "" for none."""
    listed = as_list(None if value is UNSET else value)
    texts = (part.strip() for one in listed for part in plain(one, field).split(","))
    return next((text for text in texts if text), "")


def facts_at(row: Row, school: str, today: dt.date, *, delta: bool = False) -> Facts:
    """What a user's row says of a school on a day. delta: the row may lack stays that have not changed.

    A school that lists a student whose row names no stay there has the student.
    """
    here = _best([stay for stay in row.stays if stay.school == school], today) or Stay(school, first=not row.stays)
    status = LEFT if row.gone else here.status(today)
    left = here.ends if status == LEFT and here.ends is not None and here.ends <= today else None
    return Facts(
        status=status,
        grade=row.grade,
        entered=here.begins,
        left=left,
        role=_claim(row, here, today, delta=delta) if status == CURRENT else PRIMARY,
    )


def sightings(row: Row, today: dt.date) -> list[Sighting]:
    """Where a user is a student, school by school; a tombstone without any is one that left."""
    schools = dict.fromkeys(stay.school for stay in row.stays)
    found = [(school, facts_at(row, school, today)) for school in schools]
    if not found and row.gone:
        return [Sighting(school="", status=LEFT)]
    return [Sighting(school=school, status=facts.status, left=facts.left) for school, facts in found]


def sorted_out(
    rows: Iterable[Row], seen: dict[str, bytes], name: str
) -> tuple[list[Row], list[tuple[str, str, str]], list[Problem]]:
    """Rows not seen before, rows that are no use as (id, field, message), and what speaks against the page.

    Two different rows of one id within the page reject both. seen: id → row so far; the new ones are added.
    """
    new: dict[str, Row] = {}
    rejected: dict[str, tuple[str, str, str]] = {}
    nameless: list[tuple[str, str, str]] = []
    repeated = False
    for row in rows:
        body = bytes(row.raw)
        if not row.key:
            nameless.append(("", row.fault.field, row.fault.message) if row.fault else ("", "", "A user has no id."))
        elif row.key in seen:
            repeated = True
            if row.key in new and seen[row.key] != body:
                rejected[row.key] = (row.key, "sourcedId", "Two different rows came under one sourcedId.")
        else:
            seen[row.key] = body
            if row.fault is None:
                new[row.key] = row
            else:
                rejected[row.key] = (row.key, row.fault.field, row.fault.message)
    problems = []
    if repeated:
        problems.append(Problem("page_repeated", f"Students of {name} came twice."))
    if nameless:
        problems.append(Problem("unreadable_rows", f"Students of {name} came without a sourcedId."))
    return [row for key, row in new.items() if key not in rejected], [*rejected.values(), *nameless], problems


def _stays(found: _Keys) -> tuple[Stay, ...]:
    """Roles as a student in 1.2, else the orgs of a user in 1.1."""
    roles = [as_dict(one) for one in as_list(None if found.roles is UNSET else found.roles)]
    if roles:
        mine = [_stay(one) for one in roles if plain(one.get("role"), "role").lower() == STUDENT]
        return tuple(stay for stay in mine if stay.school)
    role = plain(None if found.role is UNSET else found.role, "role").lower()
    return tuple(Stay(key) for key in references(found.orgs)) if role in (STUDENT, "") else ()


def _stay(role: Mapping[str, Any]) -> Stay:
    return Stay(
        school=reference(role.get("org")),
        begins=date_or_none(role.get("beginDate")),
        ends=date_or_none(role.get("endDate")),
        first=plain(role.get("roleType"), "roleType").lower() != "secondary",
        over=is_gone(role.get("status")),
    )


def _best(stays: Sequence[Stay], today: dt.date) -> Stay | None:
    """Of several stays at one school the current one, else the coming, else the last that ended."""
    rank = {CURRENT: 2, FUTURE: 1, LEFT: 0}
    return max(stays, key=lambda one: (rank[one.status(today)], one.ends or dt.date.max), default=None)


def _claim(row: Row, here: Stay, today: dt.date, *, delta: bool) -> str:
    """PRIMARY or ALTERNATE: as primaryOrg says, else as the one role called primary, else the school named first."""
    current = [stay for stay in row.stays if stay.status(today) == CURRENT]
    schools = [stay.school for stay in current]
    if delta and (row.main or not here.first):
        return PRIMARY if row.main == here.school else ALTERNATE
    if len(set(schools)) < 2:
        return PRIMARY
    first = [stay.school for stay in current if stay.first]
    main = row.main if row.main in schools else first[0] if len(set(first)) == 1 else schools[0]
    return PRIMARY if here.school == main else ALTERNATE
