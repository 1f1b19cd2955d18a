"""Who may write which field, and which schools a person may see."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .schools import School
from .students import Student


class FieldOwnership(models.Model):
    """The one system that may write a field of all students, and what a blank from it does.

    Without a row, any integration that reads the student may write the field, and a blank keeps ours.
    owner: ``console`` for this console itself, else the key of an integration.
    """

    class Entity(models.TextChoices):
        STUDENT = "student", "Student"
        CONTACT = "contact", "Contact"
        ENROLLMENT = "enrollment", "Enrollment"

    class WhenBlank(models.TextChoices):
        KEEP = "keep", "Keep ours"
        CLEAR = "clear", "Clear ours"

    entity = models.CharField(max_length=12, choices=Entity, default=Entity.STUDENT)
    field = models.CharField(max_length=40)
    owner = models.CharField(max_length=64, blank=True, help_text="Blank: any integration that reads the student")
    when_blank = models.CharField("when the source is blank", max_length=8, choices=WhenBlank, default=WhenBlank.KEEP)

    class Meta:
        verbose_name_plural = "field ownership"
        ordering = ["entity", "field"]
        constraints = [
            models.UniqueConstraint(fields=["entity", "field"], name="one_owner_per_field"),
        ]

    def __str__(self) -> str:
        return f"{self.get_entity_display()}: {self.field.replace('_', ' ')}"


class FieldLock(models.Model):
    """A field of one student that no integration may write until a person lifts the lock."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="locks")
    field = models.CharField(max_length=40)
    reason = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["student", "field"], name="one_lock_per_student_and_field"),
        ]

    def __str__(self) -> str:
        return f"{self.field.replace('_', ' ')} of {self.student}"


class SchoolScope(models.Model):
    """Limits a person to a school; a person without a row sees all schools."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="school_scopes")
    school = models.ForeignKey(School, on_delete=models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "school"], name="one_scope_per_user_and_school")]

    def __str__(self) -> str:
        return f"{self.user}: {self.school}"
