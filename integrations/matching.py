"""A person decides whose record it is: link it to a student, or say that they are not the same."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, NotTheSame, RecordIssue, SourceRecord

WHO_IS_IT = ("possible_match", "identity_conflict")


def link_record(*, issue: RecordIssue, user: Any = None) -> None:
    """Let the issue's record be the student it may be; the next import writes what it says.

    An older id of the student in the same system is given up, as after a renumbering. Raises RunRefused
    when the issue names no student any more or the id already belongs to somebody.
    """
    student = _candidate(issue)
    mine = ExternalIdentity.objects.filter(integration=issue.run.integration, entity="student")
    with transaction.atomic():
        taken = mine.filter(external_id=issue.external_id).exclude(student=student).first()
        if taken is not None:
            raise RunRefused(f"SIS ID {issue.external_id} already belongs to {taken.student}.")
        older = mine.filter(student=student).exclude(external_id=issue.external_id)
        SourceRecord.objects.filter(
            integration=issue.run.integration, external_id__in=older.values("external_id")
        ).delete()
        older.delete()
        mine.get_or_create(
            integration=issue.run.integration,
            entity="student",
            external_id=issue.external_id,
            defaults={"student": student},
        )
        _resolve(issue)


def not_the_same(*, issue: RecordIssue, user: Any = None) -> None:
    """Remember that the record is another child; the next import may create the child.

    Raises RunRefused when the issue names no student any more.
    """
    student = _candidate(issue)
    with transaction.atomic():
        NotTheSame.objects.get_or_create(
            integration=issue.run.integration,
            external_id=issue.external_id,
            student=student,
            defaults={"user": user},
        )
        _resolve(issue)


def _candidate(issue: RecordIssue) -> Any:
    if issue.code not in WHO_IS_IT or issue.candidate is None:
        raise RunRefused("This issue names no student to compare with. Run the import again.")
    return issue.candidate


def _resolve(issue: RecordIssue) -> None:
    RecordIssue.objects.filter(
        run__integration=issue.run.integration,
        external_id=issue.external_id,
        code__in=WHO_IS_IT,
        candidate=issue.candidate,
        resolved=None,
    ).update(resolved=timezone.now())
