"""The district itself, its schools and its code lists as PowerSchool's v1 shows them.

Keys of the district are those of a recorded answer (Tulsa's ps-avela-enrollment), of its code lists those of
the in-product API explorer; that the lists nest plural, singular, items is inferred.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from integrations.sandbox.district import Address, District, School
from integrations.sandbox.powerschool_codes import (
    ENTRY_CODES,
    ETHNICITIES,
    EXIT_CODES,
    FEDERAL_RACES,
    GRADUATED_SCHOOL,
    RACES,
)
from integrations.sandbox.powerschool_rows import address_tree, dashed

SCHOOL_EXPANSIONS = ("school_boundary", "school_fees_setup")
_NAMESPACE = uuid.UUID("6f2c1c5e-3f0c-4d4e-9a55-0d5c8f3d7a10")


def listed_schools(district: District) -> list[School]:
    """The schools PowerSchool lists and counts: all but Graduated Students, the district office too."""
    return [school for school in district.schools if school.number != GRADUATED_SCHOOL]


def school_tree(school: School, expansions: tuple[str, ...]) -> dict[str, Any]:
    """One school; its id is the DCID, `school_number` the printed number. Expansions hold nothing here."""
    first, _, last = school.principal.partition(" ")
    tree: dict[str, Any] = {
        "id": school.dcid,
        "name": school.name,
        "school_number": school.number,
        "low_grade": school.low_grade,
        "high_grade": school.high_grade,
        "alternate_school_number": 0,
        "addresses": {"physical": address_tree(school.address)},
        "phones": {"main": {"number": dashed(school.phone)}},
        "principal": {"name": {"first_name": first, "last_name": last}},
    }
    return {**tree, **dict.fromkeys(name for name in SCHOOL_EXPANSIONS if name in expansions)}


def district_tree(district: District, expansions: tuple[str, ...]) -> dict[str, Any]:
    """The district with the code lists asked for; unknown expansions are left out."""
    home = Address("500 District Way", "", "Cedar Flat", "CA", "93601")
    tree = {
        "@expansions": ", ".join(DISTRICT_EXPANSIONS),
        "uuid": str(uuid.uuid5(_NAMESPACE, district.name)),
        "name": district.name,
        "district_number": "10C001",
        "addresses": {"physical": address_tree(home)},
        "phones": {"main": {"number": "559-666-9000"}},
    }
    return {**tree, **{name: build() for name, build in DISTRICT_EXPANSIONS.items() if name in expansions}}


def _codes(singular: str, codes: dict[str, str]) -> dict[str, Any]:
    return {
        singular: [
            {"id": place, "code": code, "description": text, "sort_order": place}
            for place, (code, text) in enumerate(codes.items(), start=1)
        ]
    }


def _race_codes() -> dict[str, Any]:
    return {
        "district_race_code": [
            {
                "id": place,
                "code": race.code,
                "description": race.description,
                "federal_race_category_code": FEDERAL_RACES.get(race.federal, ""),
                "federal_race_category_description": race.federal,
                "district_race_code_sort_order": place,
            }
            for place, race in enumerate(RACES.values(), start=1)
        ]
    }


def _ethnicities() -> dict[str, Any]:
    return {
        "scheduling_reporting_ethnicity": [
            {"id": place, "code": code, "description": text}
            for place, (code, text) in enumerate(ETHNICITIES.items(), start=1)
        ]
    }


DISTRICT_EXPANSIONS: dict[str, Callable[[], Any]] = {
    "entry_codes": lambda: _codes("entry_code", ENTRY_CODES),
    "test_setup": lambda: None,
    "exit_codes": lambda: _codes("exit_code", EXIT_CODES),
    "districts_of_residence": lambda: {
        "district_of_residence": [
            {"id": 1, "code": "100", "description": "Cedar Flat"},
            {"id": 2, "code": "200", "description": "Elsewhere"},
        ]
    },
    "federal_race_categories": lambda: _codes(
        "federal_race_category", {code: text for text, code in FEDERAL_RACES.items()}
    ),
    "district_race_codes": _race_codes,
    "ethnicity_race_decline_to_specify": lambda: {
        "ethnicity_allow_to_decline": False,
        "ethnicity_allow_to_decline_label": "Decline to state",
        "race_allow_to_decline": False,
        "race_allow_to_decline_label": "Decline to state",
    },
    "scheduling_reporting_ethnicities": _ethnicities,
    "fees_payment_methods": lambda: None,
}
