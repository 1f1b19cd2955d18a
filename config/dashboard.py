"""The first page: what needs a person now, how fresh each integration is, and what to do first."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Count, Max
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from integrations.admin.issue import MATCHES
from integrations.admin.scoping import at_schools, visible_runs
from integrations.admin.words import STATUS_COLOURS, ago
from integrations.models import Integration, RecordIssue, SyncRun, UnmappedCode
from integrations.models.run import APPLIED, Status
from mapping.models import DataEntityMapping
from students.models import School
from students.scope import allowed_schools

LAST_RUNS = 3


class Task(NamedTuple):
    """One thing that needs a person: how many, what, why, and where."""

    number: int
    what: str
    why: str
    link: str


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
        "integrations": integrations,
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
                f"{runs}?status__exact=failed",
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
    if user.has_perm("integrations.view_recordissue"):
        tasks.append(_matches(user))
    return tasks


def _matches(user: Any) -> Task:
    latest = (
        SyncRun.objects.filter(kind=SyncRun.Kind.IMPORT, status__in=[*APPLIED, Status.HELD])
        .order_by()
        .values("integration")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    issues = RecordIssue.objects.filter(run__in=latest, code__in=MATCHES, resolved=None)
    rows = at_schools(issues, user).order_by()
    return Task(
        rows.aggregate(number=Count("external_id", distinct=True))["number"],
        "records with a possible match",
        "Each may be a student you already have. Compare the two and decide.",
        f"{reverse('admin:integrations_recordissue_changelist')}?code=possible_match",
    )


def _integrations(user: Any) -> list[dict[str, Any]]:
    now = timezone.now()
    told = []
    for one in Integration.objects.filter(active=True).order_by("name"):
        runs = visible_runs(SyncRun.objects.filter(integration=one), user)
        whole = runs.filter(kind=SyncRun.Kind.IMPORT, status__in=APPLIED, scope_schools=[], scope_students=[])
        done = whole.order_by("-pk").values_list("finished", flat=True).first()
        last = list(runs.order_by("-pk")[:LAST_RUNS])
        told.append(
            {
                "integration": one,
                "fresh": ago(done, now),
                "runs": [(run, run.get_status_display(), STATUS_COLOURS[run.status]) for run in last],
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
