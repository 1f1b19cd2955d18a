"""What the right-hand side of a data entity mapping may choose from."""

from __future__ import annotations

from students import codes
from students.models import AcademicYear, School

from .models import Entity
from .suggest import NEVER_BLANK

IGNORED = "Ignore this code (counts as blank)"
"""Label of NOT_STATED where our vocabulary has no word of its own for it."""

TABLES: dict[str, dict[str, str]] = {
    Entity.ETHNICITY: codes.ETHNICITIES,
    Entity.GRADE_LEVEL: codes.GRADE_LEVELS,
    Entity.RACE: codes.RACES,
    Entity.STATE: codes.STATES,
    Entity.GENDER: codes.GENDERS,
    Entity.LANGUAGE: codes.LANGUAGES,
    Entity.RELATIONSHIP: codes.RELATIONSHIPS,
    Entity.ALLERGY: codes.ALLERGIES,
}


def our_values(entity: str) -> dict[str, str]:
    """Our values for an entity, each with the label a registrar reads, in the order to show them."""
    if entity == Entity.BUILDING:
        schools = School.objects.order_by("name").values_list("code", "name")
        return {code: f"{name} ({code})" for code, name in schools}
    if entity == Entity.ACADEMIC_YEAR:
        return {name: name for name in AcademicYear.objects.values_list("name", flat=True)}
    if entity in NEVER_BLANK:
        return TABLES[entity]
    return {**TABLES[entity], codes.NOT_STATED: TABLES[entity].get(codes.NOT_STATED, IGNORED)}


def value_named(entity: str, text: str, values: dict[str, str]) -> str | None:
    """The value that a text stands for, as the value itself or as its label, whatever its case; else None."""
    if text in values:
        return text
    folded = text.casefold()
    found = [v for v, label in values.items() if folded in (v.casefold(), label.casefold())]
    if not found and entity == Entity.BUILDING:
        found = [v for v, label in values.items() if label.rpartition(" (")[0].casefold() == folded]
    return found[0] if len(found) == 1 else None
