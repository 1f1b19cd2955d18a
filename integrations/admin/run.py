"""Sync runs: the list, the page of one with its live progress, and what a person may decide."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_POST

from config.admin_base import ChoicesDropdownFilter, ReadOnlyAdmin, RelatedDropdownFilter, display
from integrations import services
from integrations.admin import held, refresh, run_page, run_students, undo
from integrations.admin.responses import page, refused
from integrations.admin.responses import run_page as to_run
from integrations.admin.scoping import covered_schools, may_decide, visible_runs
from integrations.admin.words import STATUS_COLOURS, UNDO_STATUSES
from integrations.errors import RunRefused
from integrations.models import Change, SyncRun
from integrations.models.run import APPLIED, OPEN, Status
from students.scope import allowed_schools


def _may_undo(run: SyncRun) -> bool:
    """Whether an import has written something that can be taken back."""
    if run.kind != SyncRun.Kind.IMPORT:
        return False
    if run.status == Status.FAILED:
        return run.changes.filter(status=Change.Status.APPLIED).exists()
    return run.status in APPLIED


def _may_cancel(run: SyncRun, user: Any) -> bool:
    """Whether the person may end a run that has written nothing yet: it needs all of its schools."""
    codes = allowed_schools(user)
    return bool(user.has_perm("integrations.run_import")) and (codes is None or covered_schools(run) <= codes)


NOT_WRITTEN = (Status.DISCARDED, Status.SUPERSEDED, Status.CANCELLED)
PLANNED = (Status.HELD, Status.PLANNED)


class LatestFilter(admin.SimpleListFilter):
    """Only the newest run of each integration."""

    title = "newest"
    parameter_name = "newest"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice there is."""
        return [("yes", "Newest of each integration")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those without a newer one."""
        newest = SyncRun.objects.order_by().values("integration").annotate(newest=Max("pk")).values("newest")
        return queryset.filter(pk__in=newest) if self.value() == "yes" else queryset


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """Every execution of an import, undo or export."""

    empty_hint = "Nothing has run yet. Open SIS Integrations and press the refresh icon of one."
    list_display = ("number", "integration", "kind", "status_label", "begun", "summary", "by")
    list_display_links = ("number",)
    list_filter = (
        ("integration", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        LatestFilter,
    )
    list_select_related = ("integration", "requested_by")
    search_fields = ("integration__name",)
    search_help_text = "Search by integration"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        """Those that cover a school the person may see."""
        return visible_runs(super().get_queryset(request), request.user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list under its own heading."""
        response: HttpResponse = super().changelist_view(request, {"title": "Sync runs", **(extra_context or {})})
        return response

    # --- the page of one ---

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What the run did, or how far it is."""
        run = self._run(request, object_id)
        decides = may_decide(run, request.user)
        return page(
            request,
            self.admin_site,
            "console/run.html",
            title=run_page.title(run),
            opts=self.model._meta,
            original=run,
            may_undo=decides and _may_undo(run),
            may_run=request.user.has_perm("integrations.run_import"),
            may_cancel=run.status in (Status.QUEUED, Status.FETCHING) and _may_cancel(run, request.user),
            **run_page.context(run, request.user),
        )

    def get_urls(self) -> list[URLPattern]:
        """The addresses of what a run's page asks for."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/progress/", wrap(self.progress), name="integrations_syncrun_progress"),
            path("<int:pk>/students/", wrap(self.students), name="integrations_syncrun_students"),
            path("<int:pk>/held/", wrap(self.held), name="integrations_syncrun_held"),
            path("<int:pk>/refresh/", wrap(self.refresh), name="integrations_syncrun_refresh"),
            path("<int:pk>/undo/", wrap(self.undo), name="integrations_syncrun_undo"),
            path("<int:pk>/cancel/", wrap(self.cancel), name="integrations_syncrun_cancel"),
        ]
        return own + list(super().get_urls())

    @method_decorator(require_GET)
    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that follows an open run; when it has ended, the page is loaded anew."""
        run = self._run(request, str(pk))
        told = {"run": run, "is_open": run.status in OPEN, "status": run_page.status_label(run)}
        if not told["is_open"]:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return TemplateResponse(
            request,
            "console/run_progress.html",
            {
                **told,
                "colour": STATUS_COLOURS[run.status],
                "sentence": run_page.sentence(run),
                "progress": run_page.progress(run),
            },
        )

    @method_decorator(require_GET)
    def students(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The students behind one of the run's numbers."""
        return run_students.show(request, self._run(request, str(pk)), self.admin_site)

    def held(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Look at a held run; decide on it."""
        run = self._run(request, str(pk))
        if request.method == "POST":
            self._need_decision(run, request)
            return held.decide(request, run, self.admin_site)
        if run.status != Status.HELD:
            messages.info(request, f"Run {run.pk} is not waiting for approval any more.")
            return to_run(run.pk)
        if run.ask_first:
            return HttpResponseRedirect(reverse("admin:integrations_syncrun_refresh", args=[run.pk]))
        return held.show(request, run, self.admin_site)

    def refresh(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a run that one student was asked for found; decide on it."""
        run = self._run(request, str(pk))
        if not request.user.has_perm("integrations.view_change"):
            raise PermissionDenied
        if not run.ask_first:
            return to_run(run.pk)
        return refresh.decide(request, run) if request.method == "POST" else refresh.show(request, run, self.admin_site)

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then undo."""
        run = self._run(request, str(pk))
        self._need_decision(run, request)
        if request.method == "POST":
            return undo.undo(request, run, self.admin_site)
        return undo.ask(request, run, self.admin_site)

    @method_decorator(require_POST)
    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a run that has written nothing yet."""
        run = self._run(request, str(pk))
        if not _may_cancel(run, request.user):
            raise PermissionDenied
        try:
            services.cancel_run(run=run, user=request.user)
        except RunRefused as error:
            return refused(request, error, back=reverse("admin:integrations_syncrun_change", args=[pk]))
        messages.success(request, f"Run {run.pk} was cancelled. Nothing was written.")
        return to_run(run.pk)

    def _run(self, request: HttpRequest, pk: str) -> SyncRun:
        run: SyncRun | None = self.get_object(request, pk)
        if run is None:
            raise Http404
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return run

    def _need_decision(self, run: SyncRun, request: HttpRequest) -> None:
        if not may_decide(run, request.user):
            raise PermissionDenied

    # --- the columns ---

    @display(description="Run", ordering="id")
    def number(self, run: SyncRun) -> str:
        """The number of the run."""
        return f"Run {run.pk}"

    @display(
        description="Status",
        ordering="status",
        label={
            **{status.label: STATUS_COLOURS[status] for status in Status},
            **{label: STATUS_COLOURS[status] for status, label in UNDO_STATUSES.items()},
        },
    )
    def status_label(self, run: SyncRun) -> str:
        """Where it stands."""
        return run_page.status_label(run)

    @display(description="Started", ordering="started")
    def begun(self, run: SyncRun) -> Any:
        """When it began."""
        return run.started or "not yet"

    @display(description="What it did")
    def summary(self, run: SyncRun) -> str:
        """The numbers that matter, in words."""
        counts = {**run.counts, "absent": run.counts.get("dropped", 0) - run.counts.get("left", 0)}
        if run.kind == SyncRun.Kind.UNDO:
            taken = counts.get("updated", 0)
            return (
                f"{taken:,} student{'' if taken == 1 else 's'} of run {run.undoes_id} taken back" if run.counts else "–"
            )
        words = (
            ("created", "new"),
            ("updated", "changed"),
            ("reopened", "returned"),
            ("left", "left, says the SIS"),
            ("absent", "dropped: not in file"),
            ("rejected", "not imported"),
        )
        told = ", ".join(f"{counts[key]:,} {word}" for key, word in words if counts.get(key))
        if run.status in NOT_WRITTEN:
            return "Nothing was written"
        if not told:
            return "Nothing changed" if run.counts else "–"
        return f"Planned: {told}" if run.status in PLANNED else told

    @display(description="Asked for by")
    def by(self, run: SyncRun) -> str:
        """Who, or what, asked for it."""
        return run_page.by_whom(run)
