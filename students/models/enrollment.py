"""Where a student goes to school, and when."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from students.codes import GRADE_LEVELS

from .schools import AcademicYear, School
from .students import Student


class Enrollment(models.Model):
    """One stay of a student at a school in an academic year; current as long as ``left`` is empty.

    stint counts the stays at the same school in the same year from 1.
    """

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrollments")
    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="enrollments")
    academic_year = models.ForeignKey(AcademicYear, on_delete=models.PROTECT, related_name="enrollments")
    stint = models.PositiveSmallIntegerField("stay", default=1)
    grade_level = models.CharField("grade", max_length=4, choices=list(GRADE_LEVELS.items()))
    entered = models.DateField(null=True, blank=True)
    left = models.DateField(null=True, blank=True)
    exit_reason = models.CharField(max_length=80, blank=True)
    primary = models.BooleanField(default=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ["-academic_year__starts", "-primary", "school__name", "-stint"]
        constraints = [
            models.UniqueConstraint(
                fields=["student", "school", "academic_year", "stint"], name="one_enrollment_per_stay"
            ),
            models.UniqueConstraint(
                fields=["student", "school"],
                condition=Q(left__isnull=True),
                name="one_current_enrollment_per_school",
                violation_error_message="The student is already enrolled at this school.",
            ),
            models.UniqueConstraint(
                fields=["student"],
                condition=Q(left__isnull=True, primary=True),
                name="one_current_primary_enrollment",
                violation_error_message="The student already has a primary enrollment.",
            ),
            models.CheckConstraint(
                condition=Q(left__isnull=True) | Q(entered__isnull=True) | Q(left__gte=F("entered")),
                name="enrollment_leaves_after_entering",
                violation_error_message="The leave date must not be before the enter date.",
            ),
        ]
        indexes = [
            models.Index(fields=["school", "student"], condition=Q(left__isnull=True), name="current_enrollment"),
        ]

    def __str__(self) -> str:
        return f"{self.school.name}, {self.academic_year}, {self.get_grade_level_display()}"
