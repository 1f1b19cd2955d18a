"""What `export_roster` must print of a district behind PowerSchool Query, computed from the district itself."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from integrations.sandbox import District
from tests.world import CODES

from .expected import families_told, told

VENDOR = "powerschool_query"
TEXTS = (
    "local_id", "state_id", "first_name", "middle_name", "last_name", "gender", "ethnicity", "home_language",
    "home_phone", "residence_line1", "residence_line2", "residence_city", "residence_state", "residence_postal_code",
)  # fmt: skip
CONTACT = ("first_name", "last_name", "relationship", "order", "home_phone", "mobile_phone", "work_phone", "email")


def namesakes(district: District) -> set[str]:
    """Local ids of students who have name and birth date in common, whom a person has to tell apart."""
    found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for local_id, fields in told(district, VENDOR).items():
        found[fields["first_name"], fields["last_name"], fields["birth_date"]].append(local_id)
    return {local_id for same in found.values() if len(same) > 1 for local_id in same}


def exported(district: District) -> dict[str, dict[str, Any]]:
    """Local id → row of the current students."""
    right = told(district, VENDOR)
    families = {local_id: min(family) for family in families_told(district, VENDOR, right) for local_id in family}
    return {
        local_id: _row(fields, families.get(local_id), district.year)
        | {"allergies": _sorted(_allergies(district.children[int(local_id)].allergies))}
        for local_id, fields in right.items()
    }


def _allergies(told: str) -> list[dict[str, Any]]:
    """Each word between commas, semicolons and slashes with our value, None where there is none."""
    ours = {code.lower(): value for code, value in CODES[VENDOR]["allergy"].items()}
    words = [word for part in re.split(r"[,;/]", told) if (word := part.strip())]
    return [{"allergy": ours.get(word.lower()), "note": word} for word in words]


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda one: [(value is not None, value or 0) for value in one.values()])


def _row(fields: dict[str, Any], family: str | None, year: int) -> dict[str, Any]:
    ((school, (grade, entered, primary)),) = fields["stays"].items()
    stay = {"school": school, "academic_year": f"{year}-{year + 1}", "grade_level": grade}
    stay |= {"entered": entered.isoformat(), "left": None, "primary": primary}
    contacts = [{name: one[name] or None for name in CONTACT} for one in fields["contacts"]]
    return {
        **{name: fields[name] or None for name in TEXTS},
        "birth_date": fields["birth_date"].isoformat(),
        "races": fields["races"],
        "grade_level": grade,
        "pin": None,
        "family": family,
        "status": "current",
        "enrollments": [stay],
        "contacts": _sorted(contacts),
    }
