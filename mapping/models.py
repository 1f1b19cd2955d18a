"""Data entity mappings: named tables from a system's codes to our values."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords


class Entity(models.TextChoices):
    """What a data entity mapping translates."""

    ACADEMIC_YEAR = "academic_year", "Academic Year"
    BUILDING = "building", "Building"
    ETHNICITY = "ethnicity", "Ethnicity"
    GRADE_LEVEL = "grade_level", "Grade Level"
    RACE = "race", "Race"
    STATE = "state", "State"
    GENDER = "gender", "Gender"
    LANGUAGE = "language", "Language"
    RELATIONSHIP = "relationship", "Relationship"
    ALLERGY = "allergy", "Allergy"


class DataEntityMapping(models.Model):
    """A named table of codes for one entity; several integrations may share it."""

    name = models.CharField(max_length=120, unique=True)
    entity = models.CharField(max_length=16, choices=Entity)
    active = models.BooleanField(default=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DataEntityMappingValue(models.Model):
    """One code of a system and our value for it.

    value is a key of ``students.codes`` for the entity; for Building a school code and for Academic Year
    the name of an academic year.
    """

    mapping = models.ForeignKey(DataEntityMapping, on_delete=models.CASCADE, related_name="values")
    external_value = models.CharField(max_length=120, blank=True, help_text="Exactly as the system sends it")
    value = models.CharField("our value", max_length=64)

    history = HistoricalRecords()

    class Meta:
        ordering = ["external_value"]
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "external_value"],
                name="one_value_per_external_value",
                violation_error_message="This external value is already in the mapping.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_value} → {self.value}"
