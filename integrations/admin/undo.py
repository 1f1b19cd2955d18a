"""Undo: a page that says what it will do, then the undo itself."""

from __future__ import annotations

import re

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from integrations import services
from integrations.admin.responses import came_from, page, refused, run_page
from integrations.admin.scoping import may_decide, visible_runs
from integrations.admin.undo_effects import effects, tally
from integrations.errors import RunOpen, RunRefused
from integrations.models import Change, SyncRun

PER_PAGE = 50
TYPED_ABOVE = 20
"""An undo that deletes more students than this asks to type how many."""


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
    changes = _changes(run, students)
    by_name = changes.select_related("student").order_by("student__last_name", "student__first_name", "pk")
    listed = Paginator(by_name, PER_PAGE if students is None else max(len(students), 1))
    shown = listed.get_page(request.GET.get("page"))
    in_all = tally(run, changes)
    return page(
        request,
        site,
        "console/undo.html",
        title=f"Undo run {run.pk}?",
        run=run,
        students=students,
        in_all=in_all,
        must_type=in_all.deleted if in_all.deleted > TYPED_ABOVE else 0,
        contacts=0 if students is not None else _contacts(run),
        listed=effects(run, list(shown.object_list), request.user),
        shown=shown,
        pages=listed.get_elided_page_range(shown.number),
        back=reverse("admin:integrations_syncrun_change", args=[run.pk]),
    )


def undo(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """Start the undo the person has confirmed, and show its page; ask again when the typed number is not right."""
    chosen = ",".join(request.POST.getlist("student")).split(",")
    students = [int(pk) for pk in chosen if pk.isdigit()] if "ticked" in request.POST else None
    own = reverse("admin:integrations_syncrun_change", args=[run.pk])
    deleted = tally(run, _changes(run, students)).deleted
    typed = re.sub(r"[\s,.]", "", request.POST.get("typed", ""))
    if deleted > TYPED_ABOVE and typed != str(deleted):
        messages.error(request, f"Nothing was undone. To delete {deleted:,} students, type {deleted} in the field.")
        return ask(request, run, site, students=students)
    try:
        started = services.undo_run(run=run, user=request.user, students=students)
    except RunOpen as error:
        messages.error(request, f"{error.message} Then undo again.")
        return HttpResponseRedirect(own)
    except RunRefused as error:
        return refused(request, error, back=own)
    messages.success(request, f"Run {run.pk} is being undone. {run.integration} is paused until a person resumes it.")
    return run_page(started.pk)


def _changes(run: SyncRun, students: list[int] | None) -> QuerySet[Change]:
    changes = run.changes.filter(entity="student", status=Change.Status.APPLIED)
    return changes if students is None else changes.filter(target__in=students)


def _contacts(run: SyncRun) -> int:
    return run.changes.filter(entity="contact", status=Change.Status.APPLIED).count()
