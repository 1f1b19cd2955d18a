"""Job Scheduler: which imports run by themselves, and when none does."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config.admin_base import HistoryAdmin, display
from integrations import jobs
from integrations.admin.responses import refused, run_page
from integrations.errors import RunOpen, RunRefused
from integrations.models import ScheduledJob, SchedulePause
from integrations.timetable import NEEDS
from mapping.admin import ActiveFilter

CHANGELIST = "admin:integrations_scheduledjob_changelist"
PARTS = ("month", "day", "weekday", "hour", "minute")


def _only_for(part: str) -> str:
    """The browser's condition for showing a part of the schedule."""
    return f"{[frequency for frequency, parts in NEEDS.items() if part in parts]!r}.includes(frequency)"


def _moment(local: dt.datetime) -> str:
    return f"{local:%d %b %Y %H:%M}"


@admin.register(ScheduledJob)
class ScheduledJobAdmin(HistoryAdmin):
    """Imports that run by themselves."""

    empty_hint = "Add a schedule, and an integration imports by itself, every night for example."
    list_display = (
        "run_as",
        "name",
        "integration",
        "schedule",
        "last_run_date",
        "next_run_date",
        "active",
        "edit",
        "run",
    )
    list_display_links = ("name", "edit")
    list_filter = (ActiveFilter,)
    list_select_related = ("run_as", "integration", "last_run")
    list_per_page = 25
    search_fields = ("name", "integration__name")
    search_help_text = "Search by name or integration"
    change_list_template = "console/searched_list.html"
    fields = ("name", "integration", "frequency", *PARTS, "run_as")
    conditional_fields = {part: _only_for(part) for part in PARTS}  # noqa: RUF012 (an attribute of the base class)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list under its own heading."""
        more = {"title": "Job Scheduler", **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, more)
        return response

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Active only on existing ones."""
        return (*self.fields, "active") if obj else self.fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """People who can sign in, for Run as User; the choices without links to pages of their own."""
        if db_field.name == "run_as":
            kwargs["queryset"] = get_user_model().objects.filter(is_active=True, is_staff=True).order_by("username")
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        for link in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            setattr(field.widget, link, False)
        return field

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nightly, with the rights of the person who adds it."""
        return {"frequency": "day", "hour": 2, "minute": 0, "run_as": request.user.pk}

    # --- the list ---

    @display(description="Schedule", ordering="frequency")
    def schedule(self, job: ScheduledJob) -> str:
        """When it runs, in words."""
        return job.in_words

    @display(description="Last Run Date", ordering="last_due")
    def last_run_date(self, job: ScheduledJob) -> SafeString | str:
        """When it was last due and what came of it, with the run it started."""
        if job.last_due is None:
            return "Not yet"
        when = _moment(timezone.localtime(job.last_due))
        if job.last_run is not None:
            link = reverse("admin:integrations_syncrun_change", args=[job.last_run.pk])
            return format_html(
                '<span class="console-stack"><a class="console-link" href="{}">{}</a>'
                '<span class="console-quiet">{}</span></span>',
                link, when, job.last_run.get_status_display(),
            )  # fmt: skip
        tone = "console-bad" if job.missed else "console-quiet"
        return format_html(
            '<span class="console-stack"><span>{}</span><span class="{}">{}</span></span>', when, tone, job.last_outcome
        )

    @display(description="Next Run Date", ordering="next_run")
    def next_run_date(self, job: ScheduledJob) -> SafeString | str:
        """When it is due next, and whether a pause will keep it from starting."""
        if job.next_run is None:
            return "Never: it is inactive"
        local = timezone.localtime(job.next_run)
        pause = jobs.pause_on(job.integration, local.date())
        if pause is not None:
            why = f"paused until {pause.ends:%d %b %Y}: {pause.reason}"
        elif job.integration.schedule_paused:
            why = f"paused: {job.integration.schedule_paused}"
        else:
            return _moment(local)
        return format_html(
            '<span class="console-stack"><span>{}</span><span class="console-bad">{}</span></span>', _moment(local), why
        )

    @display(description="Edit")
    def edit(self, job: ScheduledJob) -> SafeString:
        """The way to the form."""
        return format_html(
            '<span class="material-symbols-outlined" aria-label="Edit {}" role="img">edit</span>', job.name
        )

    @display(description="Run")
    def run(self, job: ScheduledJob) -> SafeString:
        """Runs it now. A button of the list's own form, which carries the CSRF token."""
        return format_html(
            '<button type="submit" class="console-icon-button" formmethod="post" formaction="{}" '
            'aria-label="Run {} now" title="Run now">'
            '<span class="material-symbols-outlined" aria-hidden="true">refresh</span></button>',
            reverse("admin:integrations_scheduledjob_run", args=[job.pk]), job.name,
        )  # fmt: skip

    # --- run now ---

    def get_urls(self) -> list[URLPattern]:
        """The address of the refresh icon."""
        view = self.admin_site.admin_view(self.run_now)
        return [path("<int:pk>/run/", view, name="integrations_scheduledjob_run"), *super().get_urls()]

    @method_decorator(require_POST)
    def run_now(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start the import and show its page; when one is open, show that one."""
        job = self.visible_or_404(request, str(pk))
        assert isinstance(job, ScheduledJob)
        if not request.user.has_perm("integrations.run_import"):
            raise PermissionDenied
        try:
            return run_page(jobs.start_job_now(job=job, user=request.user).pk)
        except RunOpen as error:
            messages.info(request, f"An import of {job.integration.name} is running already. This is it.")
            return run_page(error.run)
        except RunRefused as error:
            return refused(request, error, back=reverse(CHANGELIST))


@admin.register(SchedulePause)
class SchedulePauseAdmin(HistoryAdmin):
    """Days on which schedules start nothing."""

    empty_hint = "Add a pause for the days of a rollover: schedules start nothing then, by hand everything runs."
    list_display = ("reason", "which", "starts", "ends", "state")
    list_select_related = ("integration",)
    search_fields = ("reason",)
    search_help_text = "Search by reason"
    fields = ("reason", "integration", "starts", "ends")

    @display(description="Integration", ordering="integration")
    def which(self, pause: SchedulePause) -> str:
        """The integration, or all of them."""
        return pause.integration.name if pause.integration else "Every integration"

    @display(description="State", label={"Now": "warning", "Over": "info", "To come": "info"})
    def state(self, pause: SchedulePause) -> str:
        """Whether it holds today."""
        today = timezone.localdate()
        if pause.ends < today:
            return "Over"
        return "Now" if pause.starts <= today else "To come"
