"""Code tables of the invented Illuminate district, and its calendar.

Grade level ids as in a public client's import (K 1, grade n n+1, pre-kindergarten 15, other 14); K and 1 with their
names as in the vendor's example. Race and language codes are CALPADS numbers. The rest is ours.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from integrations.sandbox.aeries_codes import LANGUAGES, ORDINALS, RACES

DISTRICT_SITE = 9_999_999
NORMAL, SUMMER = 1, 2
OTHER_GRADE = 14
GRADE_IDS: dict[int, int] = {-2: 15, -1: 16, **{number: number + 1 for number in range(13)}}
"""Grade of the district → grade_level_id."""
RELATIONSHIPS = {
    "10": ("M", "Mother"),
    "11": ("F", "Father"),
    "13": ("SM", "Stepmother"),
    "14": ("SF", "Stepfather"),
    "20": ("GP", "Grandparent"),
    "23": ("R", "Other relative"),
    "25": ("O", "Other adult"),
    "99": ("O", "Other adult"),
}
"""Relationship of the district → code key and translation; an unlisted one is sent as it is."""
TABLES: dict[str, dict[str, str]] = {
    "Ethnicity": RACES,
    "Race": RACES,
    "Gender": {"F": "Female", "M": "Male", "N": "Non-binary", "X": "Not specified"},
    "Language": LANGUAGES,
    "Relationship": dict(RELATIONSHIPS.values()),
    "ContactType": {"1": "Parent or guardian", "2": "Emergency contact"},
    "EntryCodes": {"E155": "Entered from within the district"},
    "ExitCodes": {"T160": "Moved within the district", "T180": "Left the district"},
    "Programs": {},
}


def grade_levels() -> list[dict[str, Any]]:
    """The rows of GradeLevels; short_name and state_id are numbers where they look like one, as documented."""
    found = [_grade(GRADE_IDS[0], "K", "Kindergarten", 5, "KN")]
    for number in range(1, 13):
        found.append(_grade(number + 1, number, f"{ORDINALS[number]} Grade", number + 5, number))
    found.append(_grade(OTHER_GRADE, "UG", "Ungraded", None, "UG"))
    found.append(_grade(GRADE_IDS[-2], "PK", "Pre-Kindergarten", 4, "PK"))
    found.append(_grade(GRADE_IDS[-1], "TK", "Transitional Kindergarten", 5, "TK"))
    return found


def _grade(number: int, short: str | int, long: str, age: int | None, state: str | int) -> dict[str, Any]:
    return {
        "grade_level_id": number,
        "short_name": short,
        "long_name": long,
        "standard_age": age,
        "state_id": state,
        "sort_order": number + 1,
    }


def code_rows(table: str) -> list[dict[str, Any]] | None:
    """The rows of Codes/{table}; None for a table there is not."""
    if table not in TABLES:
        return None
    return [
        {"code_id": 10 + place, "code_key": key, "code_translation": text, "sort_order": place, "is_active": True}
        for place, (key, text) in enumerate(TABLES[table].items(), start=1)
    ]


def code_id(table: str, key: str) -> int | None:
    """The code_id of a key of a table, None for a key it has not."""
    return next((int(row["code_id"]) for row in code_rows(table) or () if row["code_key"] == key), None)


def session(year: int, kind: int = NORMAL) -> tuple[date, date]:
    """First and last day of a session of the academic year that ends in ``year``."""
    if kind == SUMMER:
        return date(year, 6, 14), date(year, 7, 16)
    return date(year - 1, 8, 13), date(year, 6, 4)


def academic_year(day: date) -> int:
    """The academic year a day falls in, named by the year it ends; a new one begins on 1 August."""
    return day.year + (day.month >= 8)


def terms(site: int, year: int) -> list[dict[str, Any]]:
    """The terms of a site in an academic year: two semesters and the summer session."""
    first, last = session(year)
    summer_first, summer_last = session(year, SUMMER)
    spans = (
        ("Semester 1", 1, NORMAL, first, date(year - 1, 12, 18)),
        ("Semester 2", 2, NORMAL, date(year, 1, 5), last),
        ("Summer", 3, SUMMER, summer_first, summer_last),
    )
    return [
        {
            "term_id": site * 1000 + (year % 100) * 10 + number,
            "term_name": name,
            "term_num": number,
            "term_type": "summer" if kind == SUMMER else "semester",
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
            "site_id": site,
            "session_id": session_id(site, year, kind),
            "session_type_id": kind,
            "academic_year": year,
            "local_term_id": None,
        }
        for name, number, kind, start, end in spans
    ]


def session_id(site: int, year: int, kind: int) -> int:
    """The id of a site's session."""
    return site * 1000 + (year % 100) * 10 + kind
