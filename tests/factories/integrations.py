"""Integrations, their runs and what runs leave behind."""

from __future__ import annotations

from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from integrations.models import (
    Change,
    ExternalIdentity,
    Integration,
    KeepEnrolled,
    RecordIssue,
    RunPage,
    SyncRun,
    UnmappedCode,
)
from integrations.models.run import Status
from students.models import Student


class IntegrationFactory(DjangoModelFactory):
    """An active integration of the first kind of system, without mappings."""

    class Meta:
        model = Integration

    name = factory.Sequence(lambda n: f"District SIS {n}")
    system = "aeries"
    url = "https://sis.example.org"
    token = "stored-token"


class SyncRunFactory(DjangoModelFactory):
    """A complete import."""

    class Meta:
        model = SyncRun

    integration = factory.SubFactory(IntegrationFactory)
    status = Status.COMPLETE
    started = factory.LazyFunction(timezone.now)
    finished = factory.LazyFunction(timezone.now)
    counts = factory.LazyFunction(lambda: {"received": 10, "created": 2, "updated": 3, "unchanged": 5})


class RunPageFactory(DjangoModelFactory):
    """One page of a school."""

    class Meta:
        model = RunPage

    run = factory.SubFactory(SyncRunFactory)
    school = "994"
    number = factory.Sequence(lambda n: n + 1)


class ChangeFactory(DjangoModelFactory):
    """An applied change of a first name."""

    class Meta:
        model = Change

    run = factory.SubFactory(SyncRunFactory)
    external_id = factory.Sequence(lambda n: f"9{n:05d}")
    kind = Change.Kind.UPDATE
    status = Change.Status.APPLIED
    fields = factory.LazyFunction(lambda: {"first_name": ["Anna", "Ana"]})


class RecordIssueFactory(DjangoModelFactory):
    """A gender code that the mapping does not know."""

    class Meta:
        model = RecordIssue

    run = factory.SubFactory(SyncRunFactory)
    severity = RecordIssue.Severity.WARNING
    code = "unmapped_code"
    entity = "gender"
    raw_code = "Q"
    message = "The Gender mapping has no value for “Q”. The field was left as it was."
    remedy = "Add “Q” to the Gender mapping of this integration, then run the import again."


class UnmappedCodeFactory(DjangoModelFactory):
    """A gender code met once."""

    class Meta:
        model = UnmappedCode

    integration = factory.SubFactory(IntegrationFactory)
    entity = "gender"
    value = "Q"
    count = 1
    first_seen = factory.LazyFunction(timezone.now)
    last_seen = factory.LazyFunction(timezone.now)


class KeepEnrolledFactory(DjangoModelFactory):
    """A decision that a student stays enrolled until somebody lifts it."""

    class Meta:
        model = KeepEnrolled

    integration = factory.SubFactory(IntegrationFactory)
    reason = "Homebound"


class ExternalIdentityFactory(DjangoModelFactory):
    """The id a system uses for a student."""

    class Meta:
        model = ExternalIdentity

    integration = factory.SubFactory(IntegrationFactory)
    external_id = factory.Sequence(lambda n: f"9{n:05d}")


def change_of(student: Student, *, run: SyncRun, schools: list[str], **values: Any) -> Change:
    """A change of one of our students in a run."""
    made: Change = ChangeFactory.create(run=run, student=student, target=student.pk, schools=schools, **values)
    return made
