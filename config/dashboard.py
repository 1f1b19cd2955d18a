"""The first page: what needs a person now, how fresh each integration is, and what to do first."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from integrations import matching
from integrations.admin.run_page import status_label
from integrations.admin.scoping import at_schools, visible_runs
from integrations.admin.words import STATUS_COLOURS, ago
from integrations.models import Integration, ScheduledJob, SyncRun, UnmappedCode
from integrations.models.run import APPLIED, Status
from mapping.models import DataEntityMapping, DataEntityMappingValue
from students.models import School
from students.scope import allowed_schools

LAST_RUNS = 3
WHOLE = (Status.COMPLETE, Status.COMPLETE_WITH_ISSUES)


class Task(NamedTuple):
    """One thing that needs a person: how many, what, why, and where."""

    number: int
    what: str
    why: str
    link: str


class Pause(NamedTuple):
    """An integration whose imports do not start by themselves, and why."""

    integration: Integration
    why: str


class Step(NamedTuple):
    """One of the first things to do in an empty console."""

    text: str
    link: str
    done: bool


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin's first page, with what this person may see."""
    user = request.user
    integrations = _integrations(user) if user.has_perm("integrations.view_integration") else []
    ran = SyncRun.objects.filter(status__in=APPLIED).exists()
    return {
        **context,
        "title": "Dashboard",
        "tasks": [task for task in _tasks(user) if task.number],
        "pauses": _pauses(user) if user.has_perm("integrations.view_integration") else [],
        "integrations": integrations,
        "scheduled": any(row["next"] for row in integrations),
        "steps": [] if ran else _first_steps(),
        "may_run": user.has_perm("integrations.run_import"),
    }


def _tasks(user: Any) -> list[Task]:
    tasks = []
    runs = reverse("admin:integrations_syncrun_changelist")
    if user.has_perm("integrations.view_syncrun"):
        mine = visible_runs(SyncRun.objects.all(), user)
        tasks.append(
            Task(
                mine.filter(status=Status.HELD).count(),
                "held for approval",
                "Nothing is written until somebody approves or discards the plan.",
                f"{runs}?status__exact=held",
            )
        )
        newest = mine.order_by().values("integration").annotate(newest=Max("pk")).values("newest")
        failed = mine.filter(pk__in=newest, status=Status.FAILED).count()
        tasks.append(
            Task(
                failed,
                "failed and not run again since",
                "The page of the run says why and how to go on.",
                f"{runs}?status__exact=failed&newest=yes",
            )
        )
    if user.has_perm("integrations.view_unmappedcode") and allowed_schools(user) is None:
        tasks.append(
            Task(
                UnmappedCode.objects.count(),
                "unmapped codes",
                "Fields with these codes keep their old value until the codes are mapped.",
                reverse("admin:integrations_unmappedcode_changelist"),
            )
        )
    if user.has_perm("integrations.view_matchdecision"):
        tasks.append(_matches(user))
    if user.has_perm("integrations.view_scheduledjob"):
        tasks.append(_missed(user))
    return tasks


def _matches(user: Any) -> Task:
    return Task(
        at_schools(matching.waiting(), user).count(),
        "matches to review",
        "Each may be a student you already have. Compare the two and decide.",
        reverse("admin:integrations_matchdecision_changelist"),
    )


def _missed(user: Any) -> Task:
    jobs = visible_integrations(user, ScheduledJob.objects.filter(active=True, missed=True), "integration")
    return Task(
        jobs.count(),
        "missed scheduled imports",
        "The import did not start at its time. The list says why.",
        reverse("admin:integrations_scheduledjob_changelist"),
    )


def _pauses(user: Any) -> list[Pause]:
    paused = Integration.objects.filter(active=True).exclude(schedule_paused="").order_by("name")
    return [Pause(one, one.schedule_paused) for one in visible_integrations(user, paused, "pk")]


def visible_integrations(user: Any, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
    """Those of the rows whose integration covers a school the person may see; column: that of the integration."""
    codes = allowed_schools(user)
    if codes is None:
        return rows
    mappings = DataEntityMappingValue.objects.filter(value__in=codes).values("mapping")
    return rows.filter(**{f"{column}__in": Integration.objects.filter(building__in=mappings)})


def _integrations(user: Any) -> list[dict[str, Any]]:
    now = timezone.now()
    told = []
    for one in visible_integrations(user, Integration.objects.filter(active=True), "pk").order_by("name"):
        runs = visible_runs(SyncRun.objects.filter(integration=one), user)
        whole = runs.filter(kind=SyncRun.Kind.IMPORT, status__in=WHOLE, scope_schools=[], scope_students=[])
        done = whole.order_by("-pk").values_list("finished", flat=True).first()
        due = one.jobs.filter(active=True, next_run__isnull=False).order_by("next_run").first()
        told.append(
            {
                "integration": one,
                "fresh": ago(done, now),
                "done": done,
                "next": due.next_run if due else None,
                "runs": [
                    (
                        run,
                        status_label(run),
                        STATUS_COLOURS[run.status],
                        "undo" if run.kind == SyncRun.Kind.UNDO else "",
                    )
                    for run in runs.order_by("-pk")[:LAST_RUNS]
                ],
            }
        )
    return told


def _first_steps() -> list[Step]:
    return [
        Step(
            "Add your schools and the academic year",
            reverse("admin:students_school_changelist"),
            School.objects.exists(),
        ),
        Step(
            "Add a Building mapping: which of the system's schools is which of yours. "
            "Mappings for the other codes are there already; look them over",
            reverse("admin:mapping_dataentitymapping_changelist"),
            DataEntityMapping.objects.filter(entity="building", active=True).exists(),
        ),
        Step(
            "Add an integration, save it, and press Check connection",
            reverse("admin:integrations_integration_changelist"),
            Integration.objects.exists(),
        ),
        Step(
            "Press the refresh icon of the integration and watch the import",
            reverse("admin:integrations_integration_changelist"),
            False,
        ),
    ]
