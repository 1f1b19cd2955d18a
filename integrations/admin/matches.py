"""The review queue: records that may be a student we have, each with three ways to decide, and what was decided."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from config.admin_base import ReadOnlyAdmin
from integrations import matching
from integrations.admin.match_cards import cards, ids_of, name_of
from integrations.admin.responses import page, refused, run_page
from integrations.admin.scoping import NamesAny, at_schools
from integrations.errors import RunOpen, RunRefused
from integrations.models import Change, Integration, MatchDecision, RecordIssue
from integrations.models.run import REVIEWED
from students.models import Student
from students.scope import allowed_schools, visible_students

QUEUE = "admin:integrations_matchdecision_changelist"
CARDS, DECISIONS = 10, 50
Kind = MatchDecision.Kind
SAID = {
    Kind.LINK: "Linked: the record is {}.",
    Kind.NEW: "The record is a new student.",
    Kind.NOT_THE_SAME: "Noted: the record is not {}.",
}


@admin.register(MatchDecision)
class ReviewQueueAdmin(ReadOnlyAdmin):
    """What waits for a decision, and the decisions made."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[MatchDecision]:
        """Decisions on records of schools the person may see."""
        queryset: QuerySet[MatchDecision] = super().get_queryset(request)
        codes = allowed_schools(request.user)
        return queryset if codes is None else queryset.filter(NamesAny("issue__schools", codes))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The cards that wait; with ``?show=decided`` the decisions."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._decided(request) if request.GET.get("show") == "decided" else self._queue(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A decision stands with its record, and in the list of the decided."""
        decision = self.get_object(request, object_id)
        if decision is None or decision.issue_id is None:
            return HttpResponseRedirect(f"{reverse(QUEUE)}?show=decided")
        return HttpResponseRedirect(reverse("admin:integrations_matchdecision_record", args=[decision.issue_id]))

    def get_urls(self) -> list[URLPattern]:
        """The addresses of one record, and of what can be done with it."""
        wrap, start = self.admin_site.admin_view, "integrations_matchdecision"
        own = [
            path("record/<int:pk>/", wrap(self.record), name=f"{start}_record"),
            path("record/<int:pk>/decide/", wrap(self.decide), name=f"{start}_decide"),
            path("record/<int:pk>/look-again/", wrap(self.look_again), name=f"{start}_look_again"),
            path("<int:pk>/take-back/", wrap(self.take_back), name=f"{start}_take_back"),
        ]
        return own + list(super().get_urls())

    def _queue(self, request: HttpRequest) -> HttpResponse:
        waiting = self._waiting(request)
        sending = Integration.objects.filter(runs__issues__in=waiting).distinct().order_by("name")
        chosen = request.GET.get("integration", "")
        if chosen.isdigit():
            waiting = waiting.filter(run__integration=int(chosen))
        shown = Paginator(waiting.order_by("-run_id", "pk"), CARDS).get_page(request.GET.get("page"))
        return self._page(request, shown, integrations=list(sending), chosen=chosen, title="Review queue")

    @method_decorator(require_GET)
    def record(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One record alone, waiting or decided; the newest word on it where an older one is asked for."""
        issue = self._issue(request, pk)
        newest = self._waiting(request).filter(run__integration=issue.run.integration, external_id=issue.external_id)
        shown = Paginator([newest.first() or issue], 1).get_page(1)
        return self._page(request, shown, title=f"Review: {name_of(issue)}", alone=True)

    def _page(self, request: HttpRequest, shown: Any, **context: Any) -> HttpResponse:
        listed = cards(shown.object_list, request.user)
        return page(
            request,
            self.admin_site,
            "console/review.html",
            shown=shown,
            pages=shown.paginator.get_elided_page_range(shown.number),
            cards=[(one, ids_of(one.student) if one.student else []) for one in listed],
            may_decide=request.user.has_perm("students.change_student"),
            may_run=request.user.has_perm("integrations.run_import"),
            queue=reverse(QUEUE),
            **context,
        )

    def _decided(self, request: HttpRequest) -> HttpResponse:
        rows = self.get_queryset(request).select_related("integration", "student", "user", "issue").order_by("-pk")
        shown = Paginator(rows, DECISIONS).get_page(request.GET.get("page"))
        seen = set(visible_students(Student.objects.all(), request.user).filter(
            pk__in=[one.student_id for one in shown.object_list]
        ).values_list("pk", flat=True))  # fmt: skip
        return page(
            request,
            self.admin_site,
            "console/review_decided.html",
            title="Review queue: decided",
            shown=shown,
            pages=shown.paginator.get_elided_page_range(shown.number),
            rows=[
                {
                    "decision": one,
                    "name": name_of(one.issue) if one.issue else f"SIS ID {one.external_id}",
                    "student": one.student if one.student_id in seen else None,
                    "used": matching.used(one),
                    "run": _run_of(one),
                }
                for one in shown.object_list
            ],
            may_decide=request.user.has_perm("students.change_student"),
            queue=reverse(QUEUE),
        )

    @method_decorator(require_POST)
    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Link, New or Not the same; then import this one record."""
        issue = self._issue(request, pk)
        self._need_right(request)
        kind, wanted = request.POST.get("decision", ""), request.POST.get("student", "")
        if kind not in Kind.values:
            raise Http404
        student = visible_students(Student.objects.all(), request.user).filter(pk=wanted or 0).first()
        own = reverse("admin:integrations_matchdecision_record", args=[pk])
        may_run = request.user.has_perm("integrations.run_import")
        hidden = matching.candidate_of(issue) not in (None, student)
        try:
            if hidden:
                raise RunRefused("Ask somebody who may see the student it looks like: you may not.")
            told = matching.decide(issue, kind=kind, student=student, user=request.user, run=may_run)
        except RunRefused as error:
            return refused(request, error, back=own)
        _tell(request, told, SAID[Kind(kind)].format(student))
        return HttpResponseRedirect(reverse(QUEUE))

    @method_decorator(require_POST)
    def look_again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read the record again, after it was corrected in the system."""
        issue = self._issue(request, pk)
        if not request.user.has_perm("integrations.run_import"):
            raise PermissionDenied
        try:
            run = matching.look_again(issue, user=request.user)
        except (RunOpen, RunRefused) as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse("admin:integrations_matchdecision_record", args=[pk]))
        return run_page(run.pk)

    @method_decorator(require_POST)
    def take_back(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget a decision that no import has used."""
        decision = self.get_queryset(request).filter(pk=pk).first()
        if decision is None:
            raise Http404
        self._need_right(request)
        back = f"{reverse(QUEUE)}?show=decided"
        try:
            matching.take_back(decision)
        except RunRefused as error:
            return refused(request, error, back=back)
        messages.success(request, "Taken back. The record waits in the review queue again.")
        return HttpResponseRedirect(back)

    def _waiting(self, request: HttpRequest) -> QuerySet[RecordIssue]:
        return at_schools(matching.waiting(), request.user).select_related("run__integration")

    def _issue(self, request: HttpRequest, pk: int) -> RecordIssue:
        """The issue of a record, out of those this person may see."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = RecordIssue.objects.filter(code__in=REVIEWED).select_related("run__integration")
        issue = at_schools(rows, request.user).filter(pk=pk).first()
        if issue is None:
            raise Http404
        return issue

    def _need_right(self, request: HttpRequest) -> None:
        """Whoever decides changes students."""
        if not self.has_view_permission(request) or not request.user.has_perm("students.change_student"):
            raise PermissionDenied


def _tell(request: HttpRequest, told: matching.Decided, said: str) -> None:
    """Say what was decided, and what becomes of it."""
    if told.run is not None:
        url = reverse("admin:integrations_syncrun_change", args=[told.run.pk])
        link = '{} The record alone is imported now: <a class="console-link" href="{}">run {}</a>. Nobody is dropped.'
        messages.success(request, format_html(link, said, url, told.run.pk))
        return
    messages.success(request, f"{said} The next import uses it. Until then it can be taken back under Decided.")
    if told.waiting:
        messages.warning(request, told.waiting)


def _run_of(decision: MatchDecision) -> int | None:
    """The first run that wrote the record after the decision."""
    written = Change.objects.filter(
        run__integration=decision.integration_id, entity="student", external_id=decision.external_id,
        status=Change.Status.APPLIED, applied_at__gte=decision.created,
    )  # fmt: skip
    return written.order_by("pk").values_list("run", flat=True).first()
