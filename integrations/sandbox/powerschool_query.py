"""The `q` parameter of PowerSchool's v1 lists: parsing it, and whether a record answers to it.

Source: "Searching" in the student data dictionary (tulsaschoolsdata/ps_utilities, PS_API_NOTES.md). `==`,
`=gt=`, `=ge=`, `=lt=`, `=le=`; `;` is AND and there is no OR; a trailing `*` matches any ending; a list in
parentheses means "one of". A trailing `;` is seen in public requests. That letter case does not matter is
documented for the enroll status and inferred for the rest; that an unknown field is refused is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

Value = str | int | None
STUDENT_FIELDS: dict[str, str] = {
    "id": "number",
    "local_id": "number",
    "student_username": "text",
    "name.last_name": "text",
    "name.first_name": "text",
    "name.middle_name": "text",
    "state_province_id": "text",
    "school_enrollment.enroll_status": "text",
    "school_enrollment.enroll_status_code": "number",
    "school_enrollment.entry_date": "date",
}
"""The fields students can be searched by, and what their values are: number, text or date."""

_CLAUSE = re.compile(r"\s*([A-Za-z_.]+)\s*(==|=gt=|=ge=|=lt=|=le=)\s*(.*?)\s*", re.DOTALL)
_COMPARE: dict[str, Callable[[int | str, int | str], bool]] = {
    "==": lambda left, right: left == right,
    "=gt=": lambda left, right: left > right,  # type: ignore[operator]
    "=ge=": lambda left, right: left >= right,  # type: ignore[operator]
    "=lt=": lambda left, right: left < right,  # type: ignore[operator]
    "=le=": lambda left, right: left <= right,  # type: ignore[operator]
}


class QueryError(ValueError):
    """A `q` that PowerSchool would refuse; the message names the part at fault."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: the field is by `operator` to one of `values`, or starts with one of `prefixes`."""

    field: str
    operator: str
    values: tuple[int | str, ...]
    prefixes: tuple[str, ...] = ()


def parse(text: str, *, fields: Mapping[str, str] = STUDENT_FIELDS) -> tuple[Clause, ...]:
    """Return the conditions of a `q`, none for a blank one; QueryError when it cannot be understood."""
    return tuple(_clause(part, fields) for part in text.split(";") if part.strip())


def matches(clauses: tuple[Clause, ...], facts: Mapping[str, Value]) -> bool:
    """Whether a record with these values (text in lower case, dates as YYYY-MM-DD) meets every condition."""
    return all(_meets(clause, facts.get(clause.field)) for clause in clauses)


def _meets(clause: Clause, value: Value) -> bool:
    if value is None or value == "":
        return False
    if clause.prefixes and isinstance(value, str) and value.startswith(clause.prefixes):
        return True
    compare = _COMPARE[clause.operator]
    return any(compare(value, wanted) for wanted in clause.values)


def _clause(part: str, fields: Mapping[str, str]) -> Clause:
    found = _CLAUSE.fullmatch(part)
    if found is None:
        raise QueryError(f"Invalid query expression: {part.strip()}")
    field, operator, raw = found[1].lower(), found[2], found[3]
    if field not in fields:
        raise QueryError(f"Unknown search field: {found[1]}")
    if raw.startswith("(") != raw.endswith(")") or not raw.strip("() "):
        raise QueryError(f"Invalid value for {field}: {raw}")
    texts = [item.strip() for item in raw[1:-1].split(",")] if raw.startswith("(") else [raw]
    if not raw.startswith("(") and "," in raw:
        raise QueryError(f"Invalid value for {field}: {raw}")
    if len(texts) > 1 and operator != "==":
        raise QueryError(f"A list of values needs ==: {part.strip()}")
    kind = fields[field]
    prefixes = tuple(text[:-1].lower() for text in texts if kind == "text" and text.endswith("*"))
    plain = [text for text in texts if not (kind == "text" and text.endswith("*"))]
    if prefixes and operator != "==":
        raise QueryError(f"A wildcard needs ==: {part.strip()}")
    return Clause(field, operator, tuple(_value(field, kind, text) for text in plain), prefixes)


def _value(field: str, kind: str, text: str) -> int | str:
    try:
        if kind == "number":
            return int(text)
        if kind == "date":
            return date.fromisoformat(text).isoformat()
    except ValueError:
        raise QueryError(f"Invalid value for {field}: {text}") from None
    return text.lower()
