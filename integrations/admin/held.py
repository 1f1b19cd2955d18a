"""The page of a held run: why it waits, each drop with its decision, and what each way out will write."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from integrations import services
from integrations.admin.held_list import (
    DROPS,
    SHOWN,
    Decision,
    Unfinished,
    Wanted,
    chosen,
    day_of,
    decided,
    drops_of,
    kept_rows,
    posted_drops,
    rows_of,
    schools_of,
    wanted_of,
)
from integrations.admin.held_rollover import rollover_told
from integrations.admin.responses import page, refused, run_page
from integrations.admin.scoping import may_decide
from integrations.errors import RunRefused
from integrations.models import Change, SyncRun
from students.models import School

PER_PAGE = 50
WRITES = (
    ("student", Change.Kind.CREATE, "{} new student{s}"),
    ("student", Change.Kind.UPDATE, "{} changed student{s}"),
    ("student", Change.Kind.REOPEN, "{} student{s} who returned"),
    ("contact", Change.Kind.CREATE, "{} new contact{s}"),
    ("contact", Change.Kind.UPDATE, "{} changed contact{s}"),
    ("student", Change.Kind.LEFT, "{} student{s} who left, says the SIS"),
    ("student", Change.Kind.DROP, "{} student{s} dropped: not in file"),
    ("student", Change.Kind.ENDED, "{} student{s} whose enrollment ends with last year"),
)
Planned = dict[tuple[str, str], int]
"""(student or contact, kind of change) → how many are planned."""


def show(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """The page itself."""
    asked = request.POST if request.method == "POST" else request.GET
    wanted = wanted_of(asked)
    listed = Paginator(drops_of(run, request.user, wanted), PER_PAGE)
    shown = listed.get_page(asked.get("go") if request.method == "GET" else asked.get("page"))
    planned = _planned(run)
    every = drops_of(run, request.user)
    adds = {key: number for key, number in planned.items() if key[1] not in DROPS}
    rows = rows_of(run, list(shown.object_list), request.POST)
    kept = every.exclude(keep_reason="").count()
    ending = every.filter(status=Change.Status.PLANNED).count()
    return page(
        request,
        site,
        "console/held.html",
        title=f"Held run {run.pk} of {run.integration}",
        run=run,
        reasons=reasons_in_words(run, dict(School.objects.values_list("code", "name"))),
        rollover=rollover_told(run, request.user),
        rows=rows,
        shown=shown,
        pages=listed.get_elided_page_range(shown.number),
        wanted=wanted,
        choices=SHOWN.items(),
        schools=schools_of(run, request.user),
        total=every.count(),
        ending=ending,
        kept=kept,
        ending_elsewhere=ending - sum(row.change.status == Change.Status.PLANNED for row in rows),
        kept_elsewhere=kept - sum(bool(row.change.keep_reason) for row in rows),
        writes=writes(planned),
        adds=writes(adds) if ending and _codes(run) == {"drops"} else [],
        may_decide=may_decide(run, request.user),
        back=reverse("admin:integrations_syncrun_change", args=[run.pk]),
    )


def decide(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """Do what the pressed button says. Decisions that were not saved yet are saved first, never skipped."""
    own = reverse("admin:integrations_syncrun_held", args=[run.pk])
    pressed = "go" if "go" in request.POST else request.POST.get("do", "")
    try:
        if pressed in ("keep_all", "drop_all"):
            _tell_saved(request, _save_all(request, run, keep=pressed == "keep_all"), pressed)
            return HttpResponseRedirect(_same_place(request, own))
        changed = _save(request, run)
        if changed or pressed not in ("approve", "adds", "discard"):
            _tell_saved(request, changed, pressed)
            return HttpResponseRedirect(_same_place(request, own))
        if pressed == "discard":
            services.discard_run(run=run, user=request.user)
            messages.success(request, "Discarded. Nothing was written.")
        else:
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


def writes(planned: Planned) -> list[str]:
    """What planned changes come to, in words; empty when they come to nothing."""
    return [
        text.format(f"{number:,}", s="" if number == 1 else "s")
        for entity, kind, text in WRITES
        if (number := planned.get((entity, kind), 0))
    ]


def _planned(run: SyncRun) -> Planned:
    rows = run.changes.filter(status=Change.Status.PLANNED).order_by()
    counted = rows.values_list("entity", "kind").annotate(number=Count("pk"))
    return {(entity, kind): number for entity, kind, number in counted}


def _codes(run: SyncRun) -> set[str]:
    return {reason["code"] for reason in run.guard.get("reasons", [])}


def _same_place(request: HttpRequest, own: str) -> str:
    """The page that was asked for, of the list that is looked for now; its first page when that has changed."""
    wanted = wanted_of(request.POST)
    before = Wanted(*(request.POST.get(f"was_{name}", "") for name in ("q", "school", "what")))
    number = request.POST.get("go") or request.POST.get("page") or "1"
    query = {"q": wanted.words, "school": wanted.school, "what": wanted.what}
    query["go"] = number if wanted == before else "1"
    place = "#enrollments" if "go" in request.POST or request.POST.get("do") == "show" else ""
    return f"{own}?{urlencode({key: value for key, value in query.items() if value})}{place}"


def _save(request: HttpRequest, run: SyncRun) -> int:
    """Store the decisions that differ from the stored ones, all or none; how many. Raises RunRefused."""
    changes = list(drops_of(run, request.user).filter(pk__in=posted_drops(request.POST)))
    kept = kept_rows(run, changes)
    pending = {
        change: choice
        for change in changes
        if (choice := chosen(request.POST, change)) != decided(change, kept.get(change.target or 0))
    }
    return _store(request, run, pending)


def _save_all(request: HttpRequest, run: SyncRun, *, keep: bool) -> int:
    """Keep everybody enrolled who is looked for and not kept yet, or drop them; how many. Raises RunRefused."""
    rows = drops_of(run, request.user, wanted_of(request.POST))
    if not keep:
        return _store(request, run, dict.fromkeys(rows.exclude(keep_reason=""), Decision(keep=False)))
    reason = request.POST.get("all_reason", "").strip()[:200]
    if not reason:
        raise Unfinished("Say why they all stay enrolled. No decision was saved.")
    until = day_of(request.POST.get("all_until", ""), whom="The date for all of them")
    return _store(request, run, dict.fromkeys(rows.filter(keep_reason=""), Decision(True, reason, until)))


def _store(request: HttpRequest, run: SyncRun, pending: dict[Change, Decision]) -> int:
    if pending:
        services.decide_drops(
            run=run,
            keep={change: (choice.reason, choice.until) for change, choice in pending.items() if choice.keep},
            drop=[change for change, choice in pending.items() if not choice.keep],
            user=request.user,
        )
    return len(pending)


def _tell_saved(request: HttpRequest, changed: int, pressed: str) -> None:
    if not changed:
        if pressed not in ("go", "show"):
            messages.info(request, "No decision was changed.")
        return
    said = f"{changed:,} decision{'' if changed == 1 else 's'} saved."
    if pressed in ("approve", "adds", "discard"):
        messages.warning(request, f"{said} This changed the plan: look at it once more, then press the button again.")
    else:
        messages.success(request, f"{said} The plan has changed with {'it' if changed == 1 else 'them'}.")
