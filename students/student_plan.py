"""What everything a source says of one student changes in what we hold: pure rules on values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from . import stays as rules
from .differ import Fields, Policy, Withheld, diff_links, diff_student
from .records import CURRENT, LEFT, Facts, StudentRecord
from .stays import Stay, Year


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded source record of the student. school: our code; family: the family's key or None."""

    school: str
    facts: Facts
    record: StudentRecord
    family: str | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The student as we hold the student; links: external id of the contact → link fields.

    kept: contacts whose link stays although the source does not list them.
    """

    values: Mapping[str, Any]
    family: str | None = None
    stays: Sequence[Stay] = ()
    links: Mapping[str, Mapping[str, Any]] = {}
    locked: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


class StudentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """kind: create, update, reopen, left, or ended when only stays of earlier years end. main: the school whose
    record speaks for the child, or None.
    """

    kind: str
    fields: Fields
    withheld: Withheld
    main: str | None = None


NEW = Known(values={})


def plan_student(
    known: Known | None,
    spoken: Sequence[Spoken],
    *,
    others: Mapping[str, Facts] | None = None,
    gone: frozenset[str] = frozenset(),
    year: Year,
    today: dt.date,
    policy: Policy,
    family: bool,
) -> StudentPlan | None:
    """The change for one student, None when there is nothing to say of the student.

    others: our school code → facts of the source records that did not change. gone: our codes of schools
    that were read whole and no longer speak of the student. family: whether the integration decides families.
    A student we do not hold is created only by a current record, whoever owns the fields.
    """
    held = known or NEW
    active = {s.school: s for s in spoken if s.facts.status == CURRENT}
    standing = {school: facts for school, facts in (others or {}).items() if facts.status == CURRENT}
    claims = {school: (s.facts.role, s.facts.entered) for school, s in active.items()}
    claims |= {school: (facts.role, facts.entered) for school, facts in standing.items()}
    if known is None and not active:
        return None
    # The system may have several codes for one school of ours: who is current under one of them is there.
    gone -= claims.keys()
    spoken = [s for s in spoken if s.facts.status != LEFT or s.school not in claims]
    if not claims:
        # Who is current nowhere may be absent altogether, which only a complete snapshot can tell.
        gone = frozenset()
    if known is None:
        policy = Policy()
    primary = rules.choose_primary(claims)
    main = _main(active, claims, primary, new=known is None)
    fields: Fields = {}
    withheld: Withheld = {}
    if main is not None:
        fields, withheld = _own_fields(held, active[main], policy=policy, family=family)
    stay_fields = _stays(held.stays, spoken, active, standing, primary, gone, year=year, today=today)
    for path, pair in stay_fields.items():
        _offer(path, pair, fields, withheld, held=held, policy=policy)
    if known is not None and not fields and not withheld:
        return None
    changed = _kind(held.stays, fields) if claims else _ending_kind(held.stays, fields, year)
    kind = "create" if known is None else changed
    return StudentPlan(kind=kind, fields=fields, withheld=withheld, main=main)


def end_stays(
    stays: Sequence[Stay], endings: Mapping[str, tuple[dt.date, str]], *, year: Year | None = None
) -> tuple[Fields, bool]:
    """What ends the current stays at some schools, and whether none remains.

    endings: our school code → (day, reason). year: the one imported; stays of earlier ones end with their year,
    those of later ones not at all.
    """
    fields: Fields = {}
    for school, (day, reason) in endings.items():
        stay = rules.current(stays, school)
        if stay is None or (year is not None and rules.ahead(stay, year)):
            continue
        if year is not None and rules.outlived(stay, year):
            fields |= rules.end_with_year(stay, year=year, told=day)
        else:
            fields |= rules.end(stay, on=day, reason=reason)
    remains = any(stay.left is None and stay.school not in endings for stay in stays)
    return fields, not remains


def _main(
    active: Mapping[str, Spoken],
    claims: Mapping[str, tuple[str, dt.date | None]],
    primary: str | None,
    *,
    new: bool,
) -> str | None:
    if primary is not None:
        if primary in active:
            return primary
        return min(active) if new else None
    latest = max(claims, key=lambda school: (claims[school][1] or dt.date.min, school), default=None)
    return latest if latest in active else None


def _own_fields(held: Known, spoken: Spoken, *, policy: Policy, family: bool) -> tuple[Fields, Withheld]:
    fields, withheld = diff_student(held.values, spoken.record, policy=policy, locked=held.locked)
    known = spoken.record.household.told or spoken.family is not None
    if family and known and held.family != spoken.family:
        _offer("family", [held.family, spoken.family], fields, withheld, held=held, policy=policy)
    if spoken.record.contacts is not UNSET:
        more, kept = diff_links(held.links, spoken.record.contacts, policy=policy)
        for path, pair in more.items():
            if pair[1] is not None or path.removeprefix("contacts.") not in held.kept:
                _offer(path, pair, fields, withheld, held=held, policy=policy)
        withheld |= kept
    return fields, withheld


def _stays(
    stays: Sequence[Stay],
    spoken: Sequence[Spoken],
    active: Mapping[str, Spoken],
    standing: Mapping[str, Facts],
    primary: str | None,
    gone: frozenset[str],
    *,
    year: Year,
    today: dt.date,
) -> Fields:
    fields: Fields = {}
    over = _over(stays, active, year=year, today=today)
    for stay in over:
        fields |= rules.end_with_year(stay, year=year)
    stays = [stay for stay in stays if stay not in over]
    elsewhere = [
        stay for stay in stays
        if stay.left is None and stay.primary and stay.school not in active and stay.school not in standing
        and stay.school not in gone
    ]  # fmt: skip
    ending = {s.school for s in spoken if s.facts.status == LEFT} | gone
    rivals = [stay for stay in elsewhere if stay.school not in ending]
    mine = active.get(primary) if primary else None
    if mine is not None and rivals:
        newest = max(stay.entered or dt.date.min for stay in rivals)
        if (mine.facts.entered or dt.date.min) > newest:
            for stay in rivals:
                fields |= rules.set_primary(stay, False)
        else:
            primary = None
    for one in spoken:
        if one.facts.status == LEFT:
            fields |= rules.leave(stays, one.record.enrollment, today=today, year=year)
    for school in sorted(gone):
        last = rules.current(stays, school)
        if last is not None:
            fields |= rules.end(last, on=_day_before_next(active, today), reason="moved")
    for school in sorted(standing):
        known = rules.current(stays, school)
        if known is not None:
            fields |= rules.set_primary(known, school == primary)
    for school in sorted(active):
        more, _ = rules.enroll(stays, active[school].record.enrollment, year=year, primary=school == primary)
        fields |= more
    return fields


def _over(stays: Sequence[Stay], active: Mapping[str, Spoken], *, year: Year, today: dt.date) -> list[Stay]:
    """The stays of earlier years that end because the student is enrolled in this one.

    While its year is not over, a stay at a school that does not speak is left to whoever told it.
    """
    if not active:
        return []
    first = year.starts if year.starts <= today else today
    outlived = [stay for stay in stays if rules.outlived(stay, year)]
    return [stay for stay in outlived if stay.school in active or (stay.year_ends or year.starts) < first]


def _ending_kind(stays: Sequence[Stay], fields: Fields, year: Year) -> str:
    """left, or ended when every stay that ends belongs to an earlier year."""
    over = {f"{stay.path}.left" for stay in stays if rules.outlived(stay, year)}
    ending = {path for path, (_, after) in fields.items() if path.endswith(".left") and after}
    return "ended" if ending and ending <= over else "left"


def _day_before_next(active: Mapping[str, Spoken], today: dt.date) -> dt.date:
    entered = [s.facts.entered for s in active.values() if s.facts.entered and s.facts.entered <= today]
    return max(entered) if entered else today


def _offer(path: str, pair: list[Any], fields: Fields, withheld: Withheld, *, held: Known, policy: Policy) -> None:
    head, _, rest = path.partition(".")
    entity = {"enrollments": "enrollment", "contacts": "contact"}.get(head, "student")
    name = f"{entity}.{path.rpartition('.')[2] if rest else head}"
    if head in held.locked:
        withheld[path] = [*pair, "locked"]
    elif name in policy.foreign:
        withheld[path] = [*pair, "owned"]
    else:
        fields[path] = pair


def _kind(stays: Sequence[Stay], fields: Fields) -> str:
    had = any(stay.left is None for stay in stays)
    has = has_current(stays, fields)
    if had and not has:
        return "left"
    return "reopen" if stays and has and not had else "update"


def has_current(stays: Sequence[Stay], fields: Fields) -> bool:
    """Whether the student is enrolled anywhere once the fields are applied."""
    open_paths = {stay.path for stay in stays if stay.left is None}
    for path, (_, after) in fields.items():
        if not path.startswith("enrollments."):
            continue
        if path.rpartition(".")[2].isdigit():
            if after is not None and after.get("left") is None:
                open_paths.add(path)
            else:
                open_paths.discard(path)
        elif path.endswith(".left"):
            stay = path.rpartition(".")[0]
            (open_paths.add if after is None else open_paths.discard)(stay)
    return bool(open_paths)
