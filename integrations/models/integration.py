"""One configured link to one student information system."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from integrations.connectors.registry import SYSTEMS
from integrations.secret_url import is_masked, split_url
from integrations.secrets import EncryptedTextField
from integrations.system_fields import FIELDS
from mapping.models import DataEntityMapping
from students.models import AcademicYear, School

SECRET_FIELDS = ("token", "consumer_token", "consumer_secret", "user_token", "user_secret", "url_secret")
MAPPING_FIELDS = (
    "academic_year",
    "building",
    "ethnicity",
    "grade_level",
    "race",
    "state",
    "gender",
    "language",
    "relationship",
    "allergy",
)


def _mapping(label: str, entity: str) -> models.ForeignKey[DataEntityMapping | None]:
    return models.ForeignKey(
        DataEntityMapping,
        verbose_name=label,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"entity": entity, "active": True},
    )


class Integration(models.Model):
    """What the console knows of one connection: address, credentials, mappings, rules and guard.

    The fields a system shows and requires stand in ``integrations.system_fields``.
    """

    class Environment(models.TextChoices):
        SANDBOX = "sandbox", "Sandbox (for trying)"
        PRODUCTION = "production", "Production"

    name = models.CharField(max_length=120, unique=True)
    system = models.CharField(
        "student information system",
        max_length=20,
        choices=[(key, label) for key, (label, _) in SYSTEMS.items()],
    )
    url = models.CharField("Url", max_length=400)
    url_secret = EncryptedTextField(blank=True, default="", editable=False)
    token = EncryptedTextField(blank=True, default="")
    consumer_token = EncryptedTextField(blank=True, default="")
    consumer_secret = EncryptedTextField(blank=True, default="")
    user_token = EncryptedTextField(blank=True, default="")
    user_secret = EncryptedTextField(blank=True, default="")

    academic_year = _mapping("Academic Year", "academic_year")
    building = _mapping("Building", "building")
    ethnicity = _mapping("Ethnicity", "ethnicity")
    grade_level = _mapping("Grade Level", "grade_level")
    race = _mapping("Race", "race")
    state = _mapping("State", "state")
    gender = _mapping("Gender", "gender")
    language = _mapping("Language", "language")
    relationship = _mapping("Relationship", "relationship")
    allergy = _mapping("Allergy", "allergy")

    year = models.ForeignKey(
        AcademicYear, verbose_name="academic year imported", null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip
    family_identifier = models.JSONField(default=list, blank=True)
    primary_enrollment_codes = models.CharField(max_length=200, blank=True)
    alternate_enrollment_codes = models.CharField(max_length=200, blank=True)
    pictures_only = models.BooleanField(default=False)
    use_local_id_as_pin = models.BooleanField("use Local ID as Pin", default=False)
    use_contact_record = models.BooleanField("use Contact Record", default=False)
    drop_students_not_in_file = models.BooleanField("Drop Students Not In File", default=False)

    environment = models.CharField(max_length=12, choices=Environment, default=Environment.SANDBOX)
    import_enabled = models.BooleanField("import enabled", default=True)
    export_enabled = models.BooleanField("export enabled", default=False)
    guard_percent = models.PositiveSmallIntegerField(
        "hold above percent", default=5, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    guard_count = models.PositiveIntegerField("and above students", default=10)
    rollover_percent = models.PositiveSmallIntegerField(
        "hold a rollover above percent", default=60, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    rollover_count = models.PositiveIntegerField("and above students at a rollover", default=50)
    rollover_until = models.DateField("rollover limits until", null=True, blank=True)
    error_owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    purpose = models.CharField(max_length=200, blank=True)
    options = models.JSONField(default=dict, blank=True)
    active = models.BooleanField(default=True)

    tenant_id = models.CharField(max_length=120, blank=True, editable=False)
    tenant_name = models.CharField(max_length=160, blank=True, editable=False)
    schedule_paused = models.CharField(max_length=200, blank=True, editable=False)
    completed_schools = models.JSONField(default=list, editable=False)
    failures_in_row = models.PositiveIntegerField(default=0, editable=False)
    resting_until = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords(
        excluded_fields=[*SECRET_FIELDS, "completed_schools", "failures_in_row", "resting_until"]
    )

    class Meta:
        ordering = ["name"]
        verbose_name = "student information system integration"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(guard_percent__gte=1, guard_percent__lte=100),
                name="guard_percent_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=models.Q(rollover_percent__gte=1, rollover_percent__lte=100),
                name="rollover_percent_is_a_percentage",
            ),
        ]
        permissions = [
            ("run_import", "Can run an import"),
            ("approve_held_run", "Can approve, discard and undo runs"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store it; where the Url carries the secret, in two halves: see ``integrations.secret_url``."""
        self.hide_url_secret()
        fields = kwargs.get("update_fields")
        if fields is not None and "url" in fields:
            kwargs["update_fields"] = {*fields, "url_secret"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Refuses a Url whose hidden part is not stored with it, so that no secret goes to another address."""
        super().clean()
        if is_masked(self.url) and not self._keeps_url_secret():
            raise ValidationError(
                {"url": "Enter the whole Url: the part shown as … is only kept while the rest stays the same."}
            )

    def hide_url_secret(self) -> None:
        """Split a Url that carries the secret; the readable half alone keeps what is stored."""
        if self.system not in FIELDS or not FIELDS[self.system].url_is_secret:
            self.url_secret = ""
        elif not is_masked(self.url):
            self.url, self.url_secret = split_url(self.url)

    def _keeps_url_secret(self) -> bool:
        rules = FIELDS.get(self.system)
        if self.pk is None or rules is None or not rules.url_is_secret or not self.url_secret:
            return False
        return Integration.objects.filter(pk=self.pk, url=self.url.strip()).exists()

    @property
    def resting(self) -> bool:
        """Whether the system has failed so lately that only a person should try it again."""
        return self.resting_until is not None and timezone.now() < self.resting_until

    @property
    def owner_key(self) -> str:
        """The key by which field ownership names this integration."""
        return f"integration:{self.pk}"


class SchoolConnection(models.Model):
    """The sync connection of a school: the one integration its registrations are sent through."""

    school = models.OneToOneField(School, on_delete=models.CASCADE, related_name="sync_connection")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="school_connections")

    class Meta:
        verbose_name = "sync connection"

    def __str__(self) -> str:
        return f"{self.school} → {self.integration}"
