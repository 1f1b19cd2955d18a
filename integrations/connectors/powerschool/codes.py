"""The code lists PowerSchool tells: expansions of the district resource (documented; shapes as in the README here)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import RecordError, UnusableAnswer
from ...parsing import as_dict, as_list, plain
from ..base import SourceCode
from .client import PowerSchoolClient

RACES, ETHNICITIES = "district_race_codes", "scheduling_reporting_ethnicities"
FEDERAL = (
    SourceCode(code="YES", description="Hispanic or Latino"),
    SourceCode(code="NO", description="Not Hispanic or Latino"),
)
"""The two values of ``federal_ethnicity``, which is read before the reporting ethnicity."""


def code_list(client: PowerSchoolClient, entity: str) -> list[SourceCode] | None:
    """The codes of an entity that PowerSchool tells: Race and Ethnicity; None for the others.

    Raises IntegrationError.
    """
    if entity not in ("race", "ethnicity"):
        return None
    name = RACES if entity == "race" else ETHNICITIES
    holder = as_dict(client.district(expansions=name).get(name))
    try:
        found = list(_races(holder) if entity == "race" else _ethnicities(holder))
    except RecordError as fault:
        told = f"{client.where} sent a code that cannot be read: {fault.message}"
        raise UnusableAnswer(told) from None
    return [one for one in found if one.code]


def _races(holder: Mapping[str, Any]) -> Iterator[SourceCode]:
    for row in as_list(holder.get("district_race_code")):
        one = as_dict(row)
        yield SourceCode(
            code=plain(one.get("code"), "code"),
            description=plain(one.get("description"), "description"),
            category=plain(one.get("federal_race_category_description"), "federal_race_category_description"),
        )


def _ethnicities(holder: Mapping[str, Any]) -> Iterator[SourceCode]:
    yield from FEDERAL
    for row in as_list(holder.get("scheduling_reporting_ethnicity")):
        one = as_dict(row)
        yield SourceCode(code=plain(one.get("code"), "code"), description=plain(one.get("description"), "description"))
