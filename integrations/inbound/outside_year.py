"""Records whose own dates say that they belong to another academic year than the run's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from students.records import CURRENT, LEFT
from students.stays import current

from . import hub, issues
from .block import Entry
from .rules import Rules


def outside_year(entry: Entry, known: hub.Held | None, *, rules: Rules) -> issues.Found | None:
    """Why a record is held back, as an issue; None for a record that may be written.

    A current record is outside when it was entered after the year or left before it. One that says the student left
    is outside when that was before the year began, although we hold the student as enrolled in it; whom we do not
    hold as enrolled there it tells nothing of. known: the student as we hold the student.
    """
    facts, year = entry.facts, rules.year
    if facts.status == LEFT:
        stay = current(known.stays, entry.ours) if known else None
        if stay is None or stay.year != year.name:
            return None
    elif facts.status != CURRENT:
        return None
    if facts.entered is not None and facts.entered > year.ends:
        told = f"entered on {facts.entered.isoformat()}, after {year.name} ends"
    elif facts.left is not None and facts.left < (year.since or year.starts):
        told = _left_before(facts.left, rules)
    else:
        return None
    return issues.outside_school_year(entry.external_id, entry.ours, year=year.name, told=told)


def told_outside_year(
    rules: Rules, absent: Mapping[str, list[str]], left: Mapping[str, dt.date | None]
) -> list[issues.Found]:
    """One issue for each absent student who, says the system asked by id, left before the year began, although we
    hold the student as enrolled in it. absent: external id → our school codes. left: external id → day told.
    """
    early = {e: day for e, day in left.items() if day is not None and day < (rules.year.since or rules.year.starts)}
    linked = hub.student_ids(rules.integration_id, list(early))
    held = hub.load(rules.integration_id, linked.values())
    found = []
    for external_id, day in sorted(early.items()):
        stays = [current(held[linked[external_id]].stays, school) for school in absent[external_id]]
        here = next((stay for stay in stays if stay is not None and stay.year == rules.year.name), None)
        if here is not None:
            told = _left_before(day, rules)
            found.append(issues.outside_school_year(external_id, here.school, year=rules.year.name, told=told))
    return found


def _left_before(day: dt.date, rules: Rules) -> str:
    return f"left on {day.isoformat()}, before {rules.year.name} begins"
