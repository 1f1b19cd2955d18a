"""The `filter` parameter of OneRoster: parsing it, and whether an object answers to it.

Grammar as in the 1EdTech OneRoster specifications: `field op 'value'`, at most one AND or OR, no brackets, a
quote inside a value doubled; `~` is contains. Inferred: `~` without regard to case, the rest exact; a date without
a time is its midnight; a list answers to `=` when all its values are in the comma list given, to `~` when any is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_FIELD = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_CLAUSE = re.compile(rf"({_FIELD})(!=|>=|<=|=|>|<|~)'((?:[^']|'')*)'")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
}


class FilterError(ValueError):
    """A filter that cannot be understood; the message names the part at fault."""


def parse(text: str) -> Callable[[dict[str, Any]], bool]:
    """The test an object has to pass. Raises FilterError."""
    clauses: list[tuple[str, str, str]] = []
    joints: list[str] = []
    place = 0
    while True:
        found = _CLAUSE.match(text, place)
        if found is None:
            raise FilterError(f"The filter cannot be understood at: {text[place : place + 40]}")
        clauses.append((found[1], found[2], found[3].replace("''", "'")))
        place = found.end()
        if place == len(text):
            break
        joint = re.compile(r" (AND|OR) ").match(text, place)
        if joint is None or joints:
            raise FilterError("A filter has at most one AND or OR, with one blank on either side.")
        joints.append(joint[1])
        place = joint.end()
    together = any if joints == ["OR"] else all
    return lambda row: together(_meets(row, *clause) for clause in clauses)


def value_at(row: Any, path: str) -> Any:
    """The member at a dotted path; of lists, those of every element."""
    for name in path.split("."):
        if isinstance(row, list):
            row = [one.get(name) for one in row if isinstance(one, dict)]
        else:
            row = row.get(name) if isinstance(row, dict) else None
    return row


def _meets(row: dict[str, Any], path: str, operator: str, wanted: str) -> bool:
    value = value_at(row, path)
    if isinstance(value, list):
        parts = {part.strip() for part in wanted.split(",")}
        return bool(parts & set(map(_text, value))) if operator == "~" else parts <= set(map(_text, value))
    if value is None:
        return operator == "!="
    if operator == "~":
        return wanted.casefold() in _text(value).casefold()
    left, right = _moment(_text(value)), _moment(wanted)
    if left is not None and right is not None:
        return _COMPARE[operator](left, right)
    return _COMPARE[operator](_text(value), wanted)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
