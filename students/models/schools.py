"""Schools and the academic years they teach in."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import F, Q

from students.codes import GRADE_LEVELS


class School(models.Model):
    """A school of the district; the integrations screens call it a building."""

    code = models.CharField("school code", max_length=32, unique=True)
    name = models.CharField(max_length=160)
    low_grade = models.CharField("lowest grade", max_length=4, blank=True, choices=list(GRADE_LEVELS.items()))
    high_grade = models.CharField("highest grade", max_length=4, blank=True, choices=list(GRADE_LEVELS.items()))
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class AcademicYearQuerySet(models.QuerySet["AcademicYear"]):
    """Sets of academic years."""

    def containing(self, day: dt.date) -> AcademicYear | None:
        """The year a day falls in; between two years the one that starts next; None when none is known."""
        inside = self.filter(starts__lte=day, ends__gte=day).first()
        return inside or self.filter(starts__gt=day).order_by("starts").first()


class AcademicYear(models.Model):
    """A school year, named by its two calendar years."""

    name = models.CharField(max_length=16, unique=True, help_text="For example 2026-2027")
    starts = models.DateField("first day")
    ends = models.DateField("last day")

    objects = AcademicYearQuerySet.as_manager()

    class Meta:
        ordering = ["-starts"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gt=F("starts")),
                name="academic_year_ends_after_start",
                violation_error_message="The last day must come after the first day.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
