"""The data entity mappings that come with the console."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.connectors.registry import SYSTEMS
from integrations.system_fields import FIELDS
from mapping.defaults import ship, shipped_for, shipped_mappings
from mapping.models import DataEntityMapping, DataEntityMappingValue, Entity
from mapping.translate import Table
from students.codes import ALLERGIES, ETHNICITIES, GENDERS, GRADE_LEVELS, LANGUAGES, RACES, RELATIONSHIPS, STATES

OURS = {
    "grade_level": GRADE_LEVELS,
    "gender": GENDERS,
    "ethnicity": ETHNICITIES,
    "race": RACES,
    "language": LANGUAGES,
    "relationship": RELATIONSHIPS,
    "state": STATES,
    "allergy": ALLERGIES,
}
SHIPPED = {one["name"]: one for one in shipped_mappings()}


def table(name: str) -> Table:
    """The lookups of a shipped mapping."""
    return Table(SHIPPED[name]["values"])


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_values_are_ours_when_looked_up_in_our_vocabulary(name: str) -> None:
    one = SHIPPED[name]

    assert one["values"]
    assert set(one["values"].values()) <= set(OURS[one["entity"]])


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mapping_fits_the_columns_when_stored(name: str) -> None:
    one = SHIPPED[name]

    assert len(name) <= 120
    assert one["entity"] in Entity.values
    assert all(key == key.strip() and len(key) <= 120 for key in one["values"])


@pytest.mark.parametrize(
    ("name", "code", "ours"),
    [
        ("Aeries Grade Level", "-1", "TK"),
        ("Aeries Grade Level", "0", "K"),
        ("Aeries Grade Level", "-2", "PR"),
        ("Aeries Race (CALPADS)", "208", "asian"),
        ("Aeries Race (CALPADS)", "400", "asian"),
        ("Aeries Race (CALPADS)", "302", "pacific_islander"),
        ("Aeries Race (CALPADS)", "999", "not_stated"),
        ("Aeries Language (CALPADS)", "01", "es"),
        ("Aeries Relationship", "11", "father"),
        ("PowerSchool Grade Level", "0", "K"),
        ("PowerSchool Ethnicity", "YES", "hispanic"),
        ("PowerSchool Ethnicity", "F", "not_hispanic"),
        ("PowerSchool Race", "PI", "pacific_islander"),
        ("PowerSchool Language", "Filipino", "fil"),
        ("PowerSchool Relationship", "Other Relative", "other_relative"),
        ("PowerSchool Query Ethnicity", "1", "hispanic"),
        ("PowerSchool Query Allergy", "LATEX", "latex"),
        ("State (USPS)", "Ca", "CA"),
        ("State (USPS)", "West Virginia", "WV"),
    ],
)
def test_code_becomes_our_value_when_a_system_sends_it(name: str, code: str, ours: str | None) -> None:
    assert table(name).get(code) == ours


@pytest.mark.parametrize("system", SYSTEMS)
def test_system_has_all_but_building_and_year_when_shipped(system: str) -> None:
    shown = {entity for entity in Entity.values if entity in FIELDS[system].shown}

    assert set(shipped_for(system)) == shown - {"building", "academic_year"}


@pytest.mark.django_db
def test_shipping_again_adds_nothing_when_all_is_there() -> None:
    ship(DataEntityMapping, DataEntityMappingValue)
    before = list(DataEntityMappingValue.objects.values_list("mapping__name", "external_value", "value"))

    assert ship(DataEntityMapping, DataEntityMappingValue) == []
    after = list(DataEntityMappingValue.objects.values_list("mapping__name", "external_value", "value"))
    assert after == before
    assert len(after) == sum(len(one["values"]) for one in SHIPPED.values())


@pytest.mark.django_db
def test_edited_rows_stay_when_shipping_again() -> None:
    ship(DataEntityMapping, DataEntityMappingValue)
    mapping = DataEntityMapping.objects.get(name="Aeries Gender")
    mapping.values.filter(external_value="N").delete()
    mapping.values.filter(external_value="F").update(value="X")

    ship(DataEntityMapping, DataEntityMappingValue)

    values: dict[str, Any] = dict(mapping.values.values_list("external_value", "value"))
    assert values == {"F": "X", "M": "M", "X": "X"}
