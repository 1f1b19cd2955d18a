"""Families and students."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from students.codes import ETHNICITIES, GENDERS, GRADE_LEVELS, LANGUAGES, RACES, STATES
from students.families import name_key


class Family(models.Model):
    """Children of one household; the key is derived from what the integration compares.

    Its name is made of ``members_to_see``, the children the person at the screen may see, where they were looked up.
    """

    key = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name_plural = "families"

    def __str__(self) -> str:
        return family_title(getattr(self, "members_to_see", [])) or f"Family {self.pk}"


def family_title(members: list[Student]) -> str:
    """Such as "Ruiz family: Ana, Luis (2 children)", the eldest first; "" for nobody."""
    if not members:
        return ""
    eldest_first = sorted(members, key=lambda one: (one.birth_date or dt.date.max, one.first_name, one.pk))
    last_names = " / ".join(sorted({one.last_name for one in members}))
    first_names = ", ".join(one.first_name for one in eldest_first)
    return f"{last_names} family: {first_names} ({len(members)} {'child' if len(members) == 1 else 'children'})"


class Student(models.Model):
    """One child, once, whatever number of systems know the child."""

    class Status(models.TextChoices):
        CURRENT = "current", "Current"
        FORMER = "former", "Former"

    local_id = models.CharField("student ID", max_length=32, blank=True, db_index=True)
    state_id = models.CharField("state ID", max_length=32, blank=True)
    first_name = models.CharField(max_length=100)
    middle_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100)
    suffix = models.CharField(max_length=20, blank=True)
    preferred_first_name = models.CharField(max_length=100, blank=True)
    preferred_last_name = models.CharField(max_length=100, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=4, blank=True, choices=list(GENDERS.items()))
    ethnicity = models.CharField(max_length=16, blank=True, choices=list(ETHNICITIES.items()))
    races = models.JSONField(default=list, blank=True, help_text="In the order the family stated them")
    grade_level = models.CharField("grade", max_length=4, blank=True, choices=list(GRADE_LEVELS.items()))
    home_language = models.CharField(max_length=8, blank=True, choices=list(LANGUAGES.items()))
    correspondence_language = models.CharField(
        "language for letters", max_length=8, blank=True, choices=list(LANGUAGES.items())
    )
    email = models.CharField(max_length=254, blank=True)
    home_phone = models.CharField(max_length=40, blank=True)
    mobile_phone = models.CharField(max_length=40, blank=True)
    residence_line1 = models.CharField("home address", max_length=160, blank=True)
    residence_line2 = models.CharField("home address, line 2", max_length=160, blank=True)
    residence_city = models.CharField("home city", max_length=80, blank=True)
    residence_state = models.CharField("home state", max_length=2, blank=True, choices=list(STATES.items()))
    residence_postal_code = models.CharField("home ZIP code", max_length=16, blank=True)
    mailing_line1 = models.CharField("mailing address", max_length=160, blank=True)
    mailing_line2 = models.CharField("mailing address, line 2", max_length=160, blank=True)
    mailing_city = models.CharField(max_length=80, blank=True)
    mailing_state = models.CharField(max_length=2, blank=True, choices=list(STATES.items()))
    mailing_postal_code = models.CharField("mailing ZIP code", max_length=16, blank=True)
    pin = models.CharField("PIN (POS ID)", max_length=32, blank=True)
    family = models.ForeignKey(Family, null=True, blank=True, on_delete=models.SET_NULL, related_name="students")
    status = models.CharField(max_length=8, choices=Status, default=Status.CURRENT)
    # Derived from the names on every write, because no database folds accents alike.
    name_key = models.CharField(max_length=200, editable=False)

    history = HistoricalRecords(excluded_fields=["name_key"])

    class Meta:
        ordering = ["last_name", "first_name", "id"]
        indexes = [
            models.Index(fields=["last_name", "first_name"], name="student_name"),
            models.Index(fields=["birth_date", "name_key"], name="student_birth_date_name"),
            models.Index(fields=["state_id"], condition=~Q(state_id=""), name="student_state_id"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(first_name="") & ~Q(last_name=""),
                name="student_has_a_name",
                violation_error_message="A student needs a first and a last name.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.last_name}, {self.first_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the student, keeping the name's comparable form in step."""
        self.name_key = name_key(self.first_name, self.last_name)
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "name_key"}
        super().save(*args, **kwargs)

    def race_labels(self) -> str:
        """The races in words, in order, separated by commas."""
        return ", ".join(RACES.get(code, code) for code in self.races)
