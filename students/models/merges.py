"""Two records of one child made one, and a person's word that two records are two children."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from .students import Student


class StudentMerge(models.Model):
    """One merge: the student that stays, and everything the duplicate was.

    duplicate: the primary key the duplicate had; name: what it was called. snapshot: all that is needed to
    take the merge back, as ``integrations.merging`` writes it. undone: when it was taken back, None while it
    stands.
    """

    survivor = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="merges")
    duplicate = models.BigIntegerField()
    name = models.CharField(max_length=240)
    snapshot = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    undone = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-id"]
        verbose_name = "merge of students"
        verbose_name_plural = "merges of students"

    def __str__(self) -> str:
        return f"{self.name} merged into {self.survivor}"


class NotDuplicate(models.Model):
    """A person's word that two students are two children. first is the one with the lower primary key."""

    first = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "decision that two students are two children"
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="one_word_per_two_students"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="two_students_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second} are two children"
