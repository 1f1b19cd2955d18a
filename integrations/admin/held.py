"""The page of a held run: why it waits, each drop with its decision, and what each way out will write."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from integrations import services
from integrations.admin.responses import page, refused, run_page
from integrations.admin.scoping import may_decide
from integrations.errors import RunRefused
from integrations.inbound.last_seen import last_seen
from integrations.models import Change, KeepEnrolled, SyncRun
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, School

PER_PAGE = 100
DROPS = (Change.Kind.DROP, Change.Kind.LEFT)


class Decision(msgspec.Struct, frozen=True):
    """What the person chose for one drop. until: None is until someone lifts it."""

    keep: bool
    reason: str = ""
    until: dt.date | None = None


class Unfinished(RunRefused):
    """A decision that cannot be saved as it stands; the person goes on where they were."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One drop as the page shows it."""

    change: Change
    schools: str
    grade: str
    seen: dt.datetime | None
    now: Decision

    @property
    def until_text(self) -> str:
        """The date as the browser's date field takes it."""
        return self.now.until.isoformat() if self.now.until else ""


def show(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """The page itself."""
    drops = run.changes.filter(entity="student", kind__in=DROPS).select_related("student")
    listed = Paginator(drops.order_by("student__last_name", "student__first_name", "pk"), PER_PAGE)
    shown = listed.get_page(request.POST.get("page") or request.GET.get("page"))
    names = dict(School.objects.values_list("code", "name"))
    planned = dict(
        run.changes.filter(entity="student", status=Change.Status.PLANNED)
        .order_by()
        .values_list("kind")
        .annotate(number=Count("pk"))
    )
    return page(
        request,
        site,
        "console/held.html",
        title=f"Held run {run.pk} of {run.integration}",
        run=run,
        reasons=reasons_in_words(run, names),
        rows=_rows(run, list(shown.object_list), names, request),
        shown=shown,
        pages=listed.get_elided_page_range(shown.number),
        writes=writes(planned),
        adds=writes({kind: number for kind, number in planned.items() if kind not in DROPS}),
        ending=sum(planned.get(kind, 0) for kind in DROPS),
        only_drops=bool(_codes(run)) and _codes(run) == {"drops"},
        may_decide=may_decide(run, request.user),
        back=reverse("admin:integrations_syncrun_change", args=[run.pk]),
    )


def decide(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """Do what the pressed button says. Decisions that were not saved yet are saved first, never skipped."""
    own = reverse("admin:integrations_syncrun_held", args=[run.pk])
    pressed = request.POST.get("do", "")
    try:
        changed = _save(request, run)
        if pressed == "save" or changed:
            _tell_saved(request, changed, approving=pressed != "save")
            return HttpResponseRedirect(f"{own}?page={request.POST.get('page', '1')}")
        if pressed == "discard":
            services.discard_run(run=run, user=request.user)
            messages.success(request, "Discarded. Nothing was written.")
        elif pressed in ("approve", "adds"):
            services.approve_run(
                run=run,
                plan_hash=request.POST.get("plan_hash", ""),
                user=request.user,
                adds_and_updates_only=pressed == "adds",
            )
            messages.success(request, "Approved. The changes are being written.")
    except Unfinished as error:
        messages.error(request, error.message)
        return show(request, run, site)
    except RunRefused as error:
        return refused(request, error, back=own)
    return run_page(run.pk)


def reasons_in_words(run: SyncRun, names: dict[str, str]) -> list[str]:
    """Why the run is held, one sentence each, schools by name."""
    told = []
    for reason in run.guard.get("reasons", []):
        code = reason.get("school")
        sentence = str(reason["message"])
        told.append(sentence.replace(f"at school {code}", f"at {names.get(code, code)}") if code else sentence)
    return told


def writes(planned: dict[str, int]) -> list[str]:
    """What planned changes come to, in words; empty when they come to nothing."""
    words = (
        (Change.Kind.CREATE, "{} new student{s}"),
        (Change.Kind.UPDATE, "{} changed student{s}"),
        (Change.Kind.REOPEN, "{} student{s} who returned"),
        (Change.Kind.LEFT, "{} student{s} who left, says the SIS"),
        (Change.Kind.DROP, "{} student{s} dropped: not in file"),
    )
    return [
        text.format(f"{planned[kind]:,}", s="" if planned[kind] == 1 else "s")
        for kind, text in words
        if planned.get(kind)
    ]


def _codes(run: SyncRun) -> set[str]:
    return {reason["code"] for reason in run.guard.get("reasons", [])}


def _rows(run: SyncRun, changes: list[Change], names: dict[str, str], request: HttpRequest) -> list[Row]:
    theirs: dict[str, list[str]] = {}
    pairs = DataEntityMappingValue.objects.filter(mapping=run.integration.building_id)
    for external, ours in pairs.values_list("external_value", "value"):
        theirs.setdefault(ours, []).append(external)
    asked = {(c.external_id, code) for c in changes for ours in c.schools for code in theirs.get(ours, ())}
    seen = last_seen(run, asked)
    targets = [c.target for c in changes]
    grades = dict(
        Enrollment.objects.filter(student__in=targets, left=None)
        .order_by("primary")
        .values_list("student", "grade_level")
    )
    labels = dict(Enrollment._meta.get_field("grade_level").flatchoices)
    kept = {
        row.student_id: row for row in KeepEnrolled.objects.filter(integration=run.integration_id, student__in=targets)
    }
    rows = []
    for change in changes:
        days = [
            seen[key]
            for ours in change.schools
            for code in theirs.get(ours, ())
            if (key := (change.external_id, code)) in seen
        ]
        grade = grades.get(change.target or 0, "")
        rows.append(
            Row(
                change=change,
                schools=", ".join(names.get(code, code) for code in change.schools),
                grade=labels.get(grade, grade),
                seen=max(days, default=None),
                now=_shown(request, change, kept.get(change.target or 0)),
            )
        )
    return rows


def _shown(request: HttpRequest, change: Change, kept: KeepEnrolled | None) -> Decision:
    """What was just chosen and could not be saved, else what is stored."""
    if f"decision-{change.pk}" not in request.POST:
        return _decided(change, kept)
    keep = request.POST[f"decision-{change.pk}"] == "keep"
    return Decision(keep=keep, reason=request.POST.get(f"reason-{change.pk}", ""))


def _decided(change: Change, kept: KeepEnrolled | None) -> Decision:
    if change.status != Change.Status.WITHHELD:
        return Decision(keep=False)
    return Decision(keep=True, reason=change.keep_reason, until=kept.until if kept else None)


def _save(request: HttpRequest, run: SyncRun) -> int:
    """Store the decisions that differ from the stored ones, all or none; how many. Raises RunRefused."""
    shown = run.changes.filter(entity="student", kind__in=DROPS, pk__in=_posted(request)).select_related(
        "student", "run__integration"
    )
    kept = {
        row.student_id: row
        for row in KeepEnrolled.objects.filter(integration=run.integration_id, student__in=shown.values("target"))
    }
    pending = []
    for change in shown:
        wanted = _wanted(request, change)
        if wanted != _decided(change, kept.get(change.target or 0)):
            pending.append((change, wanted))
    with transaction.atomic():
        for change, wanted in pending:
            if wanted.keep:
                services.keep_enrolled(change=change, reason=wanted.reason, user=request.user, until=wanted.until)
            else:
                services.let_drop(change=change, user=request.user)
    return len(pending)


def _posted(request: HttpRequest) -> list[int]:
    keys = (key.removeprefix("decision-") for key in request.POST if key.startswith("decision-"))
    return [int(key) for key in keys if key.isdigit()]


def _wanted(request: HttpRequest, change: Change) -> Decision:
    if request.POST.get(f"decision-{change.pk}") != "keep":
        return Decision(keep=False)
    reason = request.POST.get(f"reason-{change.pk}", "").strip()[:200]
    day = request.POST.get(f"until-{change.pk}", "").strip()
    if not reason:
        raise Unfinished(f"Say why {change.student} stays enrolled. No decision was saved.")
    try:
        return Decision(keep=True, reason=reason, until=dt.date.fromisoformat(day) if day else None)
    except ValueError:
        raise Unfinished(f"The date for {change.student} is not a date. No decision was saved.") from None


def _tell_saved(request: HttpRequest, changed: int, *, approving: bool) -> None:
    if not changed:
        messages.info(request, "No decision was changed.")
        return
    said = f"{changed} decision{'' if changed == 1 else 's'} saved."
    if approving:
        messages.warning(request, f"{said} This changed the plan: look at it once more, then press the button again.")
    else:
        messages.success(request, f"{said} The plan below has changed with {'it' if changed == 1 else 'them'}.")
