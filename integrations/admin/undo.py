"""Undo: a page that says what it will do, then the undo itself."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from integrations import services
from integrations.admin.responses import came_from, page, refused, run_page
from integrations.admin.scoping import may_decide, visible_runs
from integrations.errors import RunOpen, RunRefused
from integrations.models import Change, SyncRun

NAMES_SHOWN = 50
EFFECTS = (
    (
        Change.Kind.CREATE,
        "added by this run",
        "are deleted; where something later refers to one, the record stays and its enrollments end",
    ),
    (
        Change.Kind.UPDATE,
        "changed by this run",
        "get back each field as it was, except fields changed since",
    ),
    (Change.Kind.REOPEN, "who returned in this run", "are again as they were before they returned"),
    (Change.Kind.LEFT, "whose enrollment ended because they left", "are enrolled again"),
    (Change.Kind.DROP, "who were dropped", "are enrolled again"),
)


def ask_for_ticked(request: HttpRequest, changes: QuerySet[Change], site: AdminSite) -> HttpResponse:
    """The confirm page for the students of the ticked changes, which must belong to one applied run."""
    back = came_from(request, otherwise=reverse("admin:integrations_change_changelist"))
    runs = set(changes.order_by().values_list("run", flat=True).distinct()[:2])
    if len(runs) != 1:
        messages.error(request, "Tick changes of one run only. Open the run and follow one of its numbers.")
        return HttpResponseRedirect(back)
    run = visible_runs(SyncRun.objects.all(), request.user).get(pk=runs.pop())
    applied = changes.filter(entity="student", status=Change.Status.APPLIED, target__isnull=False)
    students = sorted({target for target in applied.values_list("target", flat=True) if target})
    if not students:
        messages.error(request, "None of the ticked changes was applied to a student, so there is nothing to undo.")
        return HttpResponseRedirect(back)
    if not may_decide(run, request.user):
        messages.error(request, "To undo you need the right to approve, for all schools of the run.")
        return HttpResponseRedirect(back)
    return ask(request, run, site, students=students)


def ask(request: HttpRequest, run: SyncRun, site: AdminSite, *, students: list[int] | None = None) -> TemplateResponse:
    """The page that lists what an undo of the run, or of some of its students, will do."""
    changes = run.changes.filter(entity="student", status=Change.Status.APPLIED)
    if students is not None:
        changes = changes.filter(target__in=students)
    per_kind = dict(changes.order_by().values_list("kind").annotate(number=Count("pk")))
    effects = [(per_kind[kind], who, what) for kind, who, what in EFFECTS if kind in per_kind]
    return page(
        request,
        site,
        "console/undo.html",
        title=f"Undo run {run.pk}?",
        run=run,
        students=students,
        effects=effects,
        total=sum(per_kind.values()),
        listed=list(changes.select_related("student").order_by("id")[:NAMES_SHOWN]),
        back=reverse("admin:integrations_syncrun_change", args=[run.pk]),
    )


def undo(request: HttpRequest, run: SyncRun) -> HttpResponse:
    """Start the undo the person has confirmed, and show its page."""
    chosen: Any = request.POST.getlist("student")
    students = [int(pk) for pk in chosen if pk.isdigit()] if "ticked" in request.POST else None
    own = reverse("admin:integrations_syncrun_change", args=[run.pk])
    try:
        started = services.undo_run(run=run, user=request.user, students=students)
    except RunOpen as error:
        messages.error(request, f"{error.message} Then undo again.")
        return HttpResponseRedirect(own)
    except RunRefused as error:
        return refused(request, error, back=own)
    messages.success(request, f"Run {run.pk} is being undone. Scheduled imports pause until a person resumes them.")
    return run_page(started.pk)
