"""Refresh this student from the SIS: ask, show before and after, and write only when the person says so."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from integrations import refreshing, services
from integrations.admin import run_page
from integrations.admin.issue import mending_links
from integrations.admin.responses import page, refused
from integrations.admin.responses import run_page as to_run
from integrations.admin.scoping import asked_by, at_schools, may_decide
from integrations.admin.words import STATUS_COLOURS, Line, contact_name, lines_of, names_for
from integrations.errors import IntegrationError, RunOpen, RunRefused
from integrations.inbound.spell_out import spell_out
from integrations.models import Change, ExternalIdentity, Integration, RecordIssue, SyncRun
from integrations.models.run import APPLIED, OPEN, Status
from students.models import Student
from students.scope import visible_students

FORM = "admin:students_student_refresh"


def form(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The form for a student who is not known yet; a POST starts the reading."""
    _need_right(request)
    mine = _mine(request.user)
    chosen = request.POST if request.method == "POST" else request.GET
    integration = next((one for one in mine if str(one.pk) == chosen.get("integration")), None)
    if request.method == "POST" and integration is not None:
        external_id, school = request.POST.get("sis_id", ""), request.POST.get("school", "")
        if school:
            return _start(request, integration, external_id, schools=[school])
        messages.error(request, "Choose the school at which to look.")
    schools = {one.code: one for every in mine for one in refreshing.schools_to_choose(every, request.user)}
    return page(
        request,
        site,
        "console/refresh_form.html",
        title="Refresh by SIS ID and school",
        integrations=mine,
        chosen=integration or (mine[0] if len(mine) == 1 else None),
        schools=sorted(schools.values(), key=lambda school: school.name),
        sis_id=request.POST.get("sis_id", ""),
        back=reverse("admin:students_student_changelist"),
    )


def start(request: HttpRequest, student: Student) -> HttpResponse:
    """Read one student again from the integration that the button names."""
    _need_right(request)
    wanted = request.POST.get("identity", "")
    known = next((one for one in refreshing.known_by(student) if str(one.pk) == wanted), None)
    if known is None:
        raise Http404
    return _start(request, known.integration, known.external_id)


def show(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """What the system says of the student, before and after; the two buttons while it waits."""
    changes = list(at_schools(run.changes.all(), request.user).select_related("student").order_by("-entity", "pk"))
    try:
        spell_out(run, changes)
    except IntegrationError as error:
        messages.error(request, error.message)
    who = _student(run, request.user)
    external_id = ", ".join(run.scope_students)
    issues = list(at_schools(RecordIssue.objects.filter(run=run), request.user).select_related("run__integration"))
    return page(
        request,
        site,
        "console/refresh.html",
        title=f"Refresh {who or f'SIS ID {external_id}'} from {run.integration}",
        run=run,
        student=who,
        external_id=external_id,
        is_open=run.status in OPEN,
        status=run_page.status_label(run),
        colour=STATUS_COLOURS[run.status],
        sentence=_sentence(run),
        progress=run_page.progress(run) if run.status in OPEN else None,
        told=_told(changes, request.user),
        issues=[(issue, mending_links(issue)) for issue in issues],
        reasons=[] if asked_by(run, request.user) else [r["message"] for r in run.guard.get("reasons", [])],
        waits=run.status == Status.HELD,
        may_decide=may_decide(run, request.user),
    )


def decide(request: HttpRequest, run: SyncRun) -> HttpResponse:
    """Write exactly what was looked at, or nothing."""
    if not may_decide(run, request.user):
        raise PermissionDenied
    own = reverse("admin:integrations_syncrun_refresh", args=[run.pk])
    try:
        if request.POST.get("do") == "apply":
            services.approve_run(run=run, plan_hash=request.POST.get("plan_hash", ""), user=request.user)
            messages.success(request, "The changes are being written.")
        else:
            services.discard_run(run=run, user=request.user)
            messages.success(request, "Nothing was written.")
    except RunRefused as error:
        return refused(request, error, back=own)
    return HttpResponseRedirect(own)


def buttons(request: HttpRequest, student: Student) -> list[ExternalIdentity]:
    """The ids by which this person may refresh the student, one for each integration."""
    if not request.user.has_perm("integrations.run_import"):
        return []
    mine = _mine(request.user)
    return [one for one in refreshing.known_by(student) if one.integration in mine]


def _start(request: HttpRequest, integration: Integration, external_id: str, **where: Any) -> HttpResponse:
    try:
        run = refreshing.refresh_student(integration=integration, external_id=external_id, user=request.user, **where)
    except RunOpen as error:
        messages.info(request, f"{error.message} Then refresh the student.")
        return to_run(error.run)
    except RunRefused as error:
        return refused(request, error, back=reverse(FORM))
    return HttpResponseRedirect(reverse("admin:integrations_syncrun_refresh", args=[run.pk]))


def _told(changes: list[Change], user: Any) -> list[tuple[str, str, list[Line]]]:
    """(who, what happens, the differences) of the student, then of each contact."""
    names = names_for(changes, user)
    names = msgspec.structs.replace(names, contacts={**names.contacts, **_new_contacts(changes)})
    told = []
    for change in changes:
        if change.entity == "contact":
            who = f"Contact {contact_name(change.target) if change.target else _name_of(change)}"
        else:
            who = str(change.student) if change.student else _name_of(change)
        lines = lines_of(change, names)
        if lines or change.kind != Change.Kind.UPDATE:
            told.append((who, change.get_kind_display(), lines))
    return told


def _new_contacts(changes: list[Change]) -> dict[str, str]:
    """External id → name of the contacts the changes would add."""
    new = [c for c in changes if c.entity == "contact" and c.kind == Change.Kind.CREATE and c.fields]
    return {c.external_id: _name_of(c) for c in new}


def _name_of(change: Change) -> str:
    parts = [change.fields[name][1] for name in ("first_name", "last_name") if change.fields.get(name)]
    return " ".join(part for part in parts if part) or f"SIS ID {change.external_id}"


def _student(run: SyncRun, user: Any) -> Student | None:
    """The student the run is about, as far as this person may see the student."""
    known = ExternalIdentity.objects.filter(
        integration=run.integration_id, entity="student", external_id__in=run.scope_students
    )
    return visible_students(Student.objects.filter(identities__in=known), user).first()


def _sentence(run: SyncRun) -> str:
    if run.status == Status.HELD:
        return "This is what the system says. Nothing is written yet."
    if run.status in APPLIED and not run.changes.filter(status=Change.Status.APPLIED).exists():
        return "There is nothing to write. No other student was looked at."
    if run.status in APPLIED:
        return "The changes below were written."
    return run_page.sentence(run)


def _mine(user: Any) -> list[Integration]:
    """The integrations that may import now and cover a school of this person."""
    able = Integration.objects.filter(active=True, import_enabled=True, pictures_only=False).order_by("name")
    return [one for one in able if refreshing.schools_to_choose(one, user)]


def _need_right(request: HttpRequest) -> None:
    if not request.user.has_perm("integrations.run_import"):
        raise PermissionDenied
