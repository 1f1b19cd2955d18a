"""People to reach for a student, and how they are related."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from students.codes import RELATIONSHIPS, STATES

from .students import Student


class Contact(models.Model):
    """A parent, guardian or other person; one person may serve several children."""

    prefix = models.CharField(max_length=20, blank=True)
    first_name = models.CharField(max_length=100, blank=True)
    middle_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    suffix = models.CharField(max_length=20, blank=True)
    email = models.CharField(max_length=254, blank=True)
    home_phone = models.CharField(max_length=40, blank=True)
    mobile_phone = models.CharField(max_length=40, blank=True)
    work_phone = models.CharField(max_length=40, blank=True)
    line1 = models.CharField("address", max_length=160, blank=True)
    line2 = models.CharField("address, line 2", max_length=160, blank=True)
    city = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=2, blank=True, choices=list(STATES.items()))
    postal_code = models.CharField("ZIP code", max_length=16, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ["last_name", "first_name", "id"]

    def __str__(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part) or "(no name)"


class StudentContact(models.Model):
    """The link between a student and a contact.

    kept: it came with a merged record of the child whose id no longer speaks, so no import takes it away.
    """

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="contact_links")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="student_links")
    relationship = models.CharField(max_length=20, blank=True, choices=list(RELATIONSHIPS.items()))
    order = models.PositiveSmallIntegerField("priority", default=1)
    lives_with = models.BooleanField("lives with the student", default=False)
    emergency = models.BooleanField("emergency contact", default=False)
    receives_mail = models.BooleanField("gets mail", default=False)
    restricted = models.BooleanField(default=False, help_text="Must not be given the child or the records")
    kept = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        ordering = ["order", "id"]
        constraints = [
            models.UniqueConstraint(fields=["student", "contact"], name="one_link_per_student_and_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.contact} ({self.get_relationship_display() or 'relationship not stated'})"
