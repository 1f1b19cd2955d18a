"""What the guard counts: students, each once, of the students enrolled."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from integrations.inbound.guard import guard_reasons
from integrations.inbound.rules import build_rules
from integrations.models import SyncRun
from students.models import School
from tests.factories.integrations import ExternalIdentityFactory, change_of
from tests.factories.runs import a_run, a_school
from tests.factories.students import EnrollmentFactory, enrolled

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_schools() -> tuple[SyncRun, list[Any]]:
    """A run over two schools that lets one ending pass, and four students, each enrolled at both."""
    here, there = a_school(), a_school("102", "Washington High")
    run = a_run(here, there)
    run.integration.guard_count = 1
    students = [enrolled(here) for _ in range(4)]
    for student in students:
        EnrollmentFactory.create(student=student, school=there, primary=False)
        ExternalIdentityFactory.create(integration=run.integration, student=student)
    return run, students


def _reasons(run: SyncRun) -> list[tuple[str | None, int, int, str]]:
    rules = build_rules(run.integration, today=timezone.localdate())
    return [(one["school"], one["count"], one["of"], one["message"]) for one in guard_reasons(run, rules)]


def test_students_are_counted_once_when_they_leave_two_schools(two_schools: tuple[SyncRun, list[Any]]) -> None:
    run, students = two_schools
    for student in students[:2]:
        change_of(student, run=run, schools=["101", "102"], kind="drop", status="planned")

    assert _reasons(run) == [
        (
            None, 2, 4,
            "Enrollments would end in all schools together: 2 of 4 students enrolled (50 %). "
            "A person decides above 5 % and 1 student.",
        ),
        *(
            (
                school, 2, 4,
                f"Enrollments would end at school {school}: 2 of 4 students enrolled there (50 %). "
                "A person decides above 5 % and 1 student.",
            )
            for school in ("101", "102")
        ),
    ]  # fmt: skip


def test_new_students_are_counted_once_when_they_come_to_two_schools(
    two_schools: tuple[SyncRun, list[Any]],
) -> None:
    run, _ = two_schools
    run.integration.completed_schools = ["9101", "9102"]
    run.integration.save()
    for number in range(3):
        change_of(enrolled(School.objects.get(code="101")), run=run, schools=["101", "102"], kind="create",
                  status="planned", external_id=f"new-{number}")  # fmt: skip

    assert [reason[:3] for reason in _reasons(run)] == [(None, 3, 4), ("101", 3, 4), ("102", 3, 4)]


def test_a_blank_field_is_named_by_its_label(two_schools: tuple[SyncRun, list[Any]]) -> None:
    run, students = two_schools
    for student in students:
        change_of(student, run=run, schools=["101"], status="planned", fields={"residence_line1": ["1 Elm", ""]})

    sentence = _reasons(run)[0][3]

    assert "residence_line1" not in sentence
    assert "_" not in sentence
