"""How a system's ids lead to our students, and what each system was last seen to say."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from students.models import Contact, School, Student

from .integration import Integration


class ExternalIdentity(models.Model):
    """The id one integration uses for one of our students or contacts.

    silent: the student has another id in the same integration, since two records were merged, and that one
    speaks for the student.
    """

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="identities")
    entity = models.CharField(max_length=8, default="student")
    external_id = models.CharField(max_length=64)
    student = models.ForeignKey(Student, null=True, on_delete=models.CASCADE, related_name="identities")
    contact = models.ForeignKey(Contact, null=True, on_delete=models.CASCADE, related_name="identities")
    silent = models.BooleanField("speaks no more", default=False, db_default=False)

    class Meta:
        verbose_name_plural = "external identities"
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "entity", "external_id"], name="an_external_id_is_one_person"
            ),
            models.CheckConstraint(
                condition=Q(entity="student", student__isnull=False, contact__isnull=True)
                | Q(entity="contact", contact__isnull=False, student__isnull=True),
                name="an_identity_has_one_owner",
            ),
        ]
        indexes = [models.Index(fields=["integration"], condition=Q(silent=True), name="silent_identity")]

    def __str__(self) -> str:
        return f"{self.external_id} in {self.integration}"


class SourceRecord(models.Model):
    """What one school's feed last said of one student, as applied.

    school: the source's school code. fingerprint: None makes the next run look again. facts: status, grade,
    dates, program and role as ``students.records.Facts``. missing_since: when a complete run first missed
    it; missing_runs: in how many complete runs in a row.
    """

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="source_records")
    school = models.CharField(max_length=64)
    external_id = models.CharField(max_length=64)
    fingerprint = models.BigIntegerField(null=True)
    facts = models.JSONField(default=dict)
    missing_since = models.DateTimeField(null=True)
    missing_runs = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "external_id", "school"], name="one_source_record"),
        ]
        indexes = [models.Index(fields=["integration", "school"], name="source_record_school")]

    def __str__(self) -> str:
        return f"{self.external_id} at {self.school}"


class UnmappedCode(models.Model):
    """A code an integration sent that its mapping does not know."""

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="unmapped_codes")
    entity = models.CharField(max_length=16)
    value = models.CharField(max_length=120, blank=True)
    count = models.PositiveIntegerField(default=0, help_text="Students in the latest run that met it")
    example = models.CharField(max_length=64, blank=True, help_text="SIS ID of one student")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    run = models.ForeignKey("integrations.SyncRun", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "entity", "value"], name="one_row_per_unmapped_code"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.value!r}"


class KeepEnrolled(models.Model):
    """A person's decision that a student absent from the file stays enrolled at a school."""

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="+")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="kept_enrollments")
    school = models.ForeignKey(School, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=200)
    until = models.DateField(null=True, blank=True, help_text="Blank: until someone lifts it")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "kept enrollments"
        constraints = [
            models.UniqueConstraint(fields=["integration", "student", "school"], name="one_keep_per_student"),
        ]

    def __str__(self) -> str:
        return f"{self.student} stays at {self.school}: {self.reason}"


class MatchDecision(models.Model):
    """A person's word on whose record a record of an integration is.

    student: whom it is, or is not; None when it is somebody new, whoever looks the same. issue: where the record
    stood, with what it said. given_up: the student's older ids in the system, which Link has taken away.
    """

    class Kind(models.TextChoices):
        LINK = "link", "Link"
        NEW = "new", "New"
        NOT_THE_SAME = "not_the_same", "Not the same"

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="+")
    external_id = models.CharField("SIS ID", max_length=64)
    kind = models.CharField("decision", max_length=12, choices=Kind, default=Kind.NOT_THE_SAME)
    student = models.ForeignKey(Student, null=True, on_delete=models.CASCADE, related_name="+")
    issue = models.ForeignKey("integrations.RecordIssue", null=True, on_delete=models.SET_NULL, related_name="+")
    given_up = models.JSONField(default=list)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "decided matches"
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "external_id", "student"], name="one_word_per_record_and_student"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_id}: {self.get_kind_display()}"
