"""What a child must not eat or touch."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from students.codes import ALLERGIES

from .students import Student


class StudentAllergy(models.Model):
    """One allergy of one child.

    allergy: one of our values, "" where no mapping knows the source's words yet. note: the source's own
    words in full, so that nobody overlooks an allergy for want of a mapping.
    """

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="allergies")
    allergy = models.CharField(max_length=32, blank=True, choices=list(ALLERGIES.items()))
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["allergy", "note"]
        verbose_name_plural = "allergies"
        constraints = [
            models.UniqueConstraint(fields=["student", "allergy", "note"], name="an_allergy_is_told_once"),
            models.CheckConstraint(condition=~Q(allergy="", note=""), name="an_allergy_says_something"),
        ]

    def __str__(self) -> str:
        return str(self.get_allergy_display()) if self.allergy else self.note
