"""What the page of a held run tells of a rollover: who goes up, stays, comes and goes, and what is unusual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from integrations.models import SyncRun
from students.models import School
from students.scope import allowed_schools

COLUMNS = {
    "up": "Up a grade",
    "stayed": "Same grade",
    "other": "Other grade",
    "new": "New",
    "returned": "Returned",
    "ended": "Year ended",
    "left": "Left or dropped",
}
FEW = 10
"""Below so many students of a school a share says nothing."""


class Row(msgspec.Struct, frozen=True):
    """One school, with its numbers in the order of COLUMNS."""

    school: str
    numbers: list[int]


class Rollover(msgspec.Struct, frozen=True, kw_only=True):
    """A rollover in words. before, after: names of years. unusual: sentences, most of all first."""

    before: str
    after: str
    rows: list[Row]
    unusual: list[str]
    headings: tuple[str, ...] = tuple(COLUMNS.values())


def rollover_told(run: SyncRun, user: Any) -> Rollover | None:
    """The rollover at the schools the person may see; None when the run is none."""
    told = run.guard.get("rollover")
    if not told:
        return None
    allowed = allowed_schools(user)
    counts = {code: one for code, one in told["schools"].items() if allowed is None or code in allowed}
    names = dict(School.objects.filter(code__in=counts).values_list("code", "name"))
    rows = [Row(names.get(code, code), [one.get(key, 0) for key in COLUMNS]) for code, one in counts.items()]
    total = {key: sum(one.get(key, 0) for one in counts.values()) for key in COLUMNS}
    if len(rows) > 1:
        rows.append(Row("All schools together", list(total.values())))
    unusual = _all(total, before=told["from"])
    for code, one in counts.items():
        unusual += _school(names.get(code, code), one)
    return Rollover(before=told["from"], after=told["to"], rows=rows, unusual=unusual)


def _all(total: Mapping[str, int], *, before: str) -> list[str]:
    """What is unusual of all schools together."""
    going_on = total["up"] + total["stayed"] + total["other"]
    if going_on >= FEW and total["stayed"] * 2 > going_on:
        return [
            f"{total['stayed']:,} of {going_on:,} students stay in their grade: the system may still be in {before}. "
            "Discard, and run the import again when the district has opened the new year."
        ]
    if going_on + total["new"] == 0 and total["ended"]:
        return ["Nobody is enrolled in the new year: the system may not have opened it yet. Discard."]
    return []


def _school(name: str, counts: Mapping[str, int]) -> list[str]:
    """What is unusual of one school."""
    going_on = sum(counts.get(key, 0) for key in ("up", "stayed", "other"))
    stayed, new, ended = counts.get("stayed", 0), counts.get("new", 0), counts.get("ended", 0)
    told = []
    if going_on >= FEW and stayed * 10 > going_on:
        told.append(f"{name}: {stayed:,} of {going_on:,} students stay in their grade.")
    if ended >= FEW and ended * 2 > ended + going_on:
        told.append(f"{name}: {ended:,} students do not come again, against {going_on:,} who go on.")
    if new >= FEW and new > going_on:
        told.append(f"{name}: {new:,} students are new, against {going_on:,} who go on.")
    return told
