"""The Job Scheduler: which imports run by themselves, when, and when none does."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from integrations.timetable import DAY, HOUR, MONTH, MONTHS, NEEDS, WEEK, WEEKDAYS, YEAR, Timetable, in_words, next_time

from .integration import Integration
from .run import SyncRun


def _part(label: str, least: int, most: int, **more: Any) -> models.PositiveSmallIntegerField[int | None, int | None]:
    limits = [MinValueValidator(least), MaxValueValidator(most)]
    return models.PositiveSmallIntegerField(label, null=True, blank=True, validators=limits, **more)


class ScheduledJob(models.Model):
    """One import that runs by itself, with the rights of its Run as User.

    minute, hour, weekday (0 is Monday), day and month are in the district's time zone; those the frequency
    does not need are empty. next_run: the next time it is due, None while inactive. last_due: the time it
    was last due; last_run: the run it started then, None when it started none; last_outcome: what came of
    it, in a sentence; missed: whether it came to nothing and a person should know.
    """

    class Frequency(models.TextChoices):
        HOUR = HOUR, "Hour"
        DAY = DAY, "Day"
        WEEK = WEEK, "Week"
        MONTH = MONTH, "Month"
        YEAR = YEAR, "Year"

    name = models.CharField(max_length=120, unique=True)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="jobs")
    frequency = models.CharField("schedule", max_length=5, choices=Frequency, default=Frequency.DAY)
    month = _part("month", 1, 12, choices=list(enumerate(MONTHS, start=1)))
    day = _part("date", 1, 31, help_text="In a shorter month, its last day.")
    weekday = _part("day", 0, 6, choices=list(enumerate(WEEKDAYS)))
    hour = _part("hour", 0, 23, help_text="0 to 23; 2 is two in the morning.")
    minute = _part("minute", 0, 59, default=0)
    run_as = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name="Run as User",
        help_text="The import runs with this person's rights: a person limited to some schools imports only those, "
        "and such an import never drops anybody.",
    )
    active = models.BooleanField(default=True)

    next_run = models.DateTimeField(null=True, editable=False)
    last_due = models.DateTimeField(null=True, editable=False)
    last_run = models.ForeignKey(SyncRun, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    last_outcome = models.CharField(max_length=300, blank=True, editable=False)
    missed = models.BooleanField(default=False, editable=False)

    history = HistoricalRecords(excluded_fields=["next_run", "last_due", "last_run", "last_outcome", "missed"])

    class Meta:
        ordering = ["name"]
        verbose_name = "schedule"
        indexes = [models.Index(fields=["next_run"], name="job_next_run")]
        constraints = [
            models.CheckConstraint(
                name=f"a_{frequency}_job_says_when",
                condition=~Q(frequency=frequency) | Q(**{f"{part}__isnull": False for part in parts}),
                violation_error_message="Say when the job runs.",
            )
            for frequency, parts in NEEDS.items()
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store it; a new schedule, and one made active again, is due from now on."""
        before = type(self).objects.filter(pk=self.pk).first() if self.pk else None
        if before is None or (before.timetable, before.active) != (self.timetable, self.active):
            self.next_run = self.next_after(timezone.now()) if self.active else None
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Every part the frequency needs must be there; the others are emptied. Raises ValidationError."""
        needed = NEEDS.get(self.frequency, ())
        missing = {part: f"{self._label(part)} is required." for part in needed if getattr(self, part) is None}
        if missing:
            raise ValidationError(missing)
        for part in {part for parts in NEEDS.values() for part in parts} - set(needed):
            setattr(self, part, None)

    def next_after(self, moment: dt.datetime) -> dt.datetime:
        """The first time it is due after a moment, in the district's time zone."""
        return next_time(self.timetable, moment, zone=timezone.get_default_timezone())

    @property
    def timetable(self) -> Timetable:
        """When it is due, as a value."""
        parts = {part: getattr(self, part) for part in NEEDS[self.frequency]}
        return Timetable(frequency=self.frequency, **parts)

    @property
    def in_words(self) -> str:
        """When it is due, as a person says it."""
        return in_words(self.timetable)

    def _label(self, part: str) -> str:
        return str(self._meta.get_field(part).verbose_name).capitalize()  # type: ignore[union-attr]  # no relation


class SchedulePause(models.Model):
    """Days on which schedules start nothing, such as those of a rollover; by hand everything still runs.

    integration: None is every integration. starts and ends: both days included, in the district's time zone.
    """

    reason = models.CharField(max_length=120)
    integration = models.ForeignKey(
        Integration,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="pauses",
        help_text="Leave empty to pause every integration.",
    )
    starts = models.DateField("first day")
    ends = models.DateField("last day")

    history = HistoricalRecords()

    class Meta:
        ordering = ["-starts"]
        verbose_name = "schedule pause"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gte=models.F("starts")),
                name="a_pause_ends_after_it_starts",
                violation_error_message="The last day must not be before the first day.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason}, {self.starts:%d %b %Y} to {self.ends:%d %b %Y}"
