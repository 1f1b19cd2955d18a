"""The code lists of Aeries (Aeries API docs, 'Codes'; names of the fields: the README here)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import RecordError, UnusableAnswer
from ...parsing import plain
from ..base import SourceCode
from .client import AeriesClient

FIELDS: Mapping[str, tuple[str, str]] = {
    "gender": ("student", "gender"),
    "ethnicity": ("student", "ethnicity"),
    "race": ("student", "race1"),
    "grade_level": ("student", "grade"),
    "language": ("student", "homelanguage"),
    "relationship": ("contact", "relationshiptostudent"),
}
"""Entity → table and field whose codes its records carry."""


def code_list(client: AeriesClient, entity: str) -> list[SourceCode] | None:
    """The codes of an entity as Aeries lists them; None where Aeries keeps no list of it.

    Of a grade the number that student records carry. Raises IntegrationError.
    """
    if entity == "academic_year":
        return _years(client)
    if entity not in FIELDS:
        return None
    rows = client.codes(*FIELDS[entity])
    try:
        found = [_code(row, "AeriesCode" if entity == "grade_level" else "Code") for row in rows]
    except RecordError as fault:
        told = f"{client.where} sent a code that cannot be read: {fault.message}"
        raise UnusableAnswer(told) from None
    return [one for one in found if one.code]


def _code(row: Mapping[str, Any], name: str) -> SourceCode:
    return SourceCode(
        code=plain(row.get(name), name),
        description=plain(row.get("Description"), "Description"),
        retired=bool(plain(row.get("Status"), "Status")),
        opaque=name != "Code",
    )


def _years(client: AeriesClient) -> list[SourceCode]:
    """The school years, each under the year it starts in."""
    listed = client.system_info().get("AvailableDatabaseYears") or ()
    years = sorted({str(year)[:4] for year in listed if str(year)[:4].isdigit()})
    return [SourceCode(code=year, description=f"{year}-{int(year) + 1}") for year in years]
