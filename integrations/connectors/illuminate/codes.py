"""The code lists of Illuminate: GradeLevels (documented) and Codes (inferred; see the README here)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from ...errors import RecordError, UnusableAnswer
from ...parsing import plain
from ..base import SourceCode
from .client import IlluminateClient
from .profile import Endpoint, row_of

TABLES: Mapping[str, str] = {
    "gender": "Gender",
    "race": "Ethnicity",
    "language": "Language",
    "relationship": "Relationship",
}
"""Entity → table of Code Management. What the system calls ethnicity are the races; Hispanic is a yes or no."""
HISPANIC = (
    SourceCode(code="true", description="Hispanic or Latino"),
    SourceCode(code="false", description="Not Hispanic or Latino"),
)


def code_list(client: IlluminateClient, profile: Mapping[str, Endpoint], entity: str) -> list[SourceCode] | None:
    """The codes of an entity; None where Illuminate keeps no list, or the profile leaves it out.

    A grade level is known by the system's number. Raises IntegrationError.
    """
    if entity == "ethnicity":
        return list(HISPANIC)
    endpoint = profile["grade_levels" if entity == "grade_level" else "codes"]
    if not endpoint.path or (entity != "grade_level" and entity not in TABLES):
        return None
    table = TABLES.get(entity, "")
    doing = f"list the codes of {table}" if table else "list the grade levels"
    rows = client.page(endpoint, {"table": table} if table else {}, doing=doing).rows
    try:
        found = [_grade(row_of(raw), endpoint) if not table else _code(row_of(raw), endpoint) for raw in rows]
    except RecordError as fault:
        told = f"{client.where} sent a code that cannot be read: {fault.message}"
        raise UnusableAnswer(told) from None
    return [one for one in found if one.code]


def _grade(row: Mapping[str, object], endpoint: Endpoint) -> SourceCode:
    code, short, long = (_told(row, endpoint, field) for field in ("grade_level_id", "short_name", "long_name"))
    return SourceCode(code=code, description=long or short, opaque=True)


def _code(row: Mapping[str, object], endpoint: Endpoint) -> SourceCode:
    return SourceCode(
        code=_told(row, endpoint, "code_key"),
        description=_told(row, endpoint, "code_translation"),
        retired=endpoint.value(row, "is_active") in (False, 0, "0", "false"),
    )


def _told(row: Mapping[str, object], endpoint: Endpoint, field: str) -> str:
    value = endpoint.value(row, field)
    return "" if value is UNSET else plain(value, endpoint.fields[field])
