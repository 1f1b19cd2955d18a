"""The code lists of the invented district's PowerSchool, and what the district's own codes are in them.

The district keeps CALPADS codes; its PowerSchool has district codes of its own, as real ones have. Only the
enroll statuses are PowerSchool's (student data dictionary in tulsaschoolsdata/ps_utilities, PS_API_NOTES.md).
"""

from __future__ import annotations

from typing import NamedTuple

ENROLL_STATUSES: dict[str, tuple[int, str]] = {
    "P": (-1, "Pre-Registered"),
    "A": (0, "Active"),
    "I": (1, "Inactive"),
    "T": (2, "Transferred Out"),
    "G": (3, "Graduated"),
    "H": (4, "Historical"),
}
"""Letter of the status to its code and description."""

GRADUATED_SCHOOL, GRADUATED_GRADE = 999_999, 99
LEFT_LETTERS = {"G": "G", "I": "I"}
"""The district's code of a child who left to the letter of its status here; every other code is T."""


class Race(NamedTuple):
    """A district race code, its description and the federal category it counts as (blank: none)."""

    code: str
    description: str
    federal: str


RACES: dict[str, Race] = {
    race.code: race
    for race in (
        Race("AI", "American Indian or Alaska Native", "American Indian or Alaska Native"),
        Race("AS", "Asian", "Asian"),
        Race("BL", "Black or African American", "Black or African American"),
        Race("FI", "Filipino", "Asian"),
        Race("PI", "Native Hawaiian or Other Pacific Islander", "Native Hawaiian or Other Pacific Islander"),
        Race("WH", "White", "White"),
        Race("UN", "Unknown", ""),
    )
}
FEDERAL_RACES: dict[str, str] = {
    "American Indian or Alaska Native": "I",
    "Asian": "A",
    "Black or African American": "B",
    "Native Hawaiian or Other Pacific Islander": "P",
    "White": "W",
}
DECLINED_RACE = "999"
_CALPADS_RACES = {"100": "AI", "400": "FI", "600": "BL", "700": "WH"}

ETHNICITIES: dict[str, str] = {
    "H": "Hispanic or Latino",
    "I": "American Indian or Alaska Native",
    "A": "Asian",
    "B": "Black or African American",
    "F": "Filipino",
    "P": "Pacific Islander",
    "W": "White",
    "M": "Two or More Races",
    "U": "Unknown",
}
"""Scheduling/reporting ethnicity: the one code a child counts as in schedules and reports."""
_RACE_ETHNICITIES = {"AI": "I", "AS": "A", "BL": "B", "FI": "F", "PI": "P", "WH": "W", "UN": "U"}

LANGUAGES: dict[str, str] = {
    "00": "English",
    "01": "Spanish",
    "02": "Vietnamese",
    "03": "Cantonese",
    "04": "Korean",
    "05": "Filipino",
    "06": "Portuguese",
    "07": "Mandarin",
    "08": "Japanese",
    "11": "Arabic",
    "12": "Armenian",
    "16": "Farsi",
    "23": "Hmong",
    "28": "Punjabi",
    "29": "Russian",
    "38": "Ukrainian",
}
"""CALPADS language code to the text in studentcorefields.primarylanguage; other codes stay as they are."""

RELATIONSHIPS: dict[str, str] = {
    "10": "Mother",
    "11": "Father",
    "13": "Stepmother",
    "14": "Stepfather",
    "20": "Grandparent",
    "23": "Other Relative",
    "25": "Other Adult",
    "99": "Other",
}
"""Two-digit relationship code of the district to the CodeSet code; other codes stay as they are."""

ENTRY_CODES: dict[str, str] = {"E1": "Original entry", "E155": "Continuing in the district", "E2": "Re-entry"}
EXIT_CODES: dict[str, str] = {
    "T160": "To another public school in the state",
    "T180": "To a private school",
    "G1": "Graduated",
}


def race_codes(calpads: list[str]) -> list[str]:
    """The district race codes of these CALPADS codes, in their order, each once, without a declined one."""
    return list(dict.fromkeys(_race_code(code) for code in calpads if code.strip() and code != DECLINED_RACE))


def ethnicity_code(hispanic: bool | None, races: list[str]) -> str:
    """The scheduling/reporting ethnicity of a child with these races; blank: not stated."""
    if hispanic:
        return "H"
    if len(races) > 1:
        return "M"
    return _RACE_ETHNICITIES[races[0]] if races else ""


def _race_code(calpads: str) -> str:
    if calpads in _CALPADS_RACES:
        return _CALPADS_RACES[calpads]
    return {"2": "AS", "3": "PI"}.get(calpads[:1], "UN")
