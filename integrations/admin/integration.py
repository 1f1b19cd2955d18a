"""SIS Integrations: the list with its refresh icon, and the form of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, OuterRef, QuerySet, Subquery, Value
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config.admin_base import HistoryAdmin, display
from integrations import services
from integrations.admin import clearing, downloads
from integrations.admin.coverage import absent_page, code_coverage, coverage_page, school_lists, shared_schools
from integrations.admin.integration_form import HELP, IntegrationForm, form_rules
from integrations.admin.options import options_told
from integrations.admin.responses import came_from, page, refused, run_page
from integrations.admin.words import ago
from integrations.checking import check_integration
from integrations.connectors.registry import SYSTEMS
from integrations.errors import RunOpen, RunRefused
from integrations.inbound.academic_year import imported
from integrations.jobs import start_import_as
from integrations.models import Integration, SyncRun
from integrations.models.integration import SECRET_FIELDS
from integrations.models.run import APPLIED, Status
from integrations.system_fields import FIELDS, LABELS
from mapping.admin import ActiveFilter
from students.families import FAMILY_FIELDS

# Title, first and last field of each section; the order of the fields is that of LABELS.
SECTIONS = (
    ("Connection", "name", "user_secret"),
    ("Data entity mappings", "academic_year", "relationship"),
    ("What an import does", "family_identifier", "drop_students_not_in_file"),
    ("Use and safety", "environment", "purpose"),
)
CHANGELIST = "admin:integrations_integration_changelist"


def shown_for() -> dict[str, str]:
    """Field → the browser's condition for showing it, for the fields that not every system has."""
    conditions = {}
    for field in LABELS:
        systems = [system for system in SYSTEMS if field in FIELDS[system].shown]
        if len(systems) < len(SYSTEMS):
            # Where the system is fixed it is no input, and only its own fields are on the form.
            conditions[field] = f"typeof system === 'undefined' || {systems!r}.includes(system)"
    return conditions


@admin.register(Integration)
class IntegrationAdmin(HistoryAdmin):
    """Links to student information systems."""

    empty_hint = "Add an integration for each student information system, then press its refresh icon."
    show_add_link = False
    form = IntegrationForm
    list_display = ("name", "system_shown", "url_shown", "active", "year_shown", "freshness", "pencil", "refresh")
    list_select_related = ("year",)
    # An integration that has run cannot be deleted, so there is nothing to do with several at once.
    actions = None
    list_display_links = ("name", "pencil")
    list_filter = (ActiveFilter,)
    list_per_page = 25
    search_fields = ("name",)
    search_help_text = "Search by name"
    change_list_template = "console/searched_list.html"
    change_form_outer_before_template = "console/integration_top.html"
    change_form_outer_after_template = "console/integration_schools.html"
    conditional_fields = shown_for()

    class Media:
        js = ("js/integration_form.js",)

    # --- the list ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        """All of them, with their last run and last complete import."""
        runs = SyncRun.objects.filter(integration=OuterRef("pk"), kind=SyncRun.Kind.IMPORT, dry_run=False).order_by(
            "-id"
        )
        done = runs.filter(status__in=APPLIED, scope_schools=[], scope_students=[])
        queryset: QuerySet[Integration] = super().get_queryset(request)
        return queryset.annotate(
            last_run=Subquery(runs.values("pk")[:1]),
            last_status=Subquery(runs.values("status")[:1]),
            last_done=Subquery(done.values("finished")[:1]),
            may_run=Value(request.user.has_perm("integrations.run_import"), output_field=BooleanField()),
        )

    @display(description="Student Information System", ordering="system")
    def system_shown(self, integration: Integration) -> str:
        """The kind of system."""
        return integration.get_system_display()

    @display(description="Url", ordering="url")
    def url_shown(self, integration: Integration) -> SafeString:
        """The address, in several lines where it is long."""
        return format_html('<span class="console-anywhere">{}</span>', integration.url)

    @display(description="Academic year", ordering="year")
    def year_shown(self, integration: Integration) -> SafeString | str:
        """The year an import would be of now, and when it is over."""
        now = imported(integration, today=timezone.localdate())
        if not now.warning:
            return now.words
        told = '<span class="console-stack">{}<span class="console-bad" title="{}">{} has begun</span></span>'
        return format_html(told, now.words, now.warning, now.began)

    @display(description="Options")
    def options_shown(self, integration: Integration) -> str:
        """The options in words."""
        return options_told(integration.options, system=integration.system)

    @display(description="Credentials")
    def credentials_shown(self, integration: Integration) -> str:
        """Which credentials are stored, for those who may not change them."""
        names = [name for name in SECRET_FIELDS if name in FIELDS[integration.system].shown]
        told = (f"{LABELS[n]}: {'stored' if getattr(integration, n) else 'not stored'}" for n in names)
        return ", ".join(told) or "None needed"

    @display(description="Family Identifier")
    def family_identifier_shown(self, integration: Integration) -> str:
        """The chosen fields by their labels."""
        return ", ".join(FAMILY_FIELDS[key][0] for key in integration.family_identifier) or "None"

    @display(description="Last import")
    def freshness(self, integration: Integration) -> SafeString | str:
        """When everything was last read, how the last run stands, and whether scheduled imports wait."""
        last = getattr(integration, "last_run", None)
        if last is None:
            return format_html('<span class="console-stack">Not run yet{}</span>', self._pause(integration))
        status = Status(integration.last_status)  # type: ignore[attr-defined]
        return format_html(
            '<span class="console-stack"><a class="console-link" href="{}">{}</a>'
            '<span class="console-quiet">last import {}</span>{}</span>',
            reverse("admin:integrations_syncrun_change", args=[last]),
            status.label,
            ago(integration.last_done, timezone.now()),  # type: ignore[attr-defined]
            self._pause(integration),
        )

    def _pause(self, integration: Integration) -> SafeString:
        """That scheduled imports wait, with the button of the list's own form that lets them run again."""
        if not integration.schedule_paused:
            return SafeString("")
        may_run = getattr(integration, "may_run", False)
        button = format_html(
            '<button type="submit" class="console-link" formmethod="post" formaction="{}" '
            'aria-label="Resume scheduled imports of {}">Resume</button>',
            reverse("admin:integrations_integration_resume", args=[integration.pk]),
            integration.name,
        )
        told = '<span class="console-bad" title="{}">Scheduled imports are paused {}</span>'
        return format_html(told, integration.schedule_paused, button if may_run else "")

    @display(description="Edit")
    def pencil(self, integration: Integration) -> SafeString:
        """The way to the form."""
        return format_html(
            '<span class="material-symbols-outlined" aria-label="Edit {}" title="Edit" role="img">edit</span>',
            integration.name,
        )

    @display(description="Run")
    def refresh(self, integration: Integration) -> SafeString | str:
        """Runs the import. A button of the list's own form, which carries the CSRF token."""
        if not getattr(integration, "may_run", False):
            return "–"
        return format_html(
            '<button type="submit" class="console-icon-button" formmethod="post" formaction="{}" '
            'aria-label="Run the import of {}" title="Run the import now">'
            '<span class="material-symbols-outlined" aria-hidden="true">refresh</span></button>',
            reverse("admin:integrations_integration_run", args=[integration.pk]),
            integration.name,
        )

    # --- the form ---

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The system cannot change once it has a run; a person who may only look changes nothing."""
        if obj is None:
            return ()
        if not self.has_change_permission(request, obj):
            return ("system_shown", "credentials_shown", "family_identifier_shown", "options_shown")
        return ("system_shown",) if obj.runs.exists() else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[str, dict[str, Any]]]:
        """The sections; where the system is fixed, or nothing can be edited, with its own fields only."""
        fixed = obj is not None and self.get_readonly_fields(request, obj)
        every = FIELDS[obj.system].shown if fixed else tuple(LABELS)
        order = list(LABELS)
        sections = []
        for title, first, last in SECTIONS:
            names = [n for n in order[order.index(first) : order.index(last) + 1] if n in every]
            names = self._told(names, self.get_readonly_fields(request, obj))
            if obj is not None and title == SECTIONS[2][0]:
                names.append("active")
            sections.append((title, {"fields": names}))
        told = self._told(["options"], self.get_readonly_fields(request, obj))
        sections.append(("Options of the system", {"fields": told}))
        return sections

    def _told(self, names: list[str], told: tuple[str, ...]) -> list[str]:
        """The fields of a section, those told in words in place of what they tell."""
        if "credentials_shown" in told and (kept := [n for n in names if n not in SECRET_FIELDS]) != names:
            names = [*kept, "credentials_shown"]
        return [f"{name}_shown" if f"{name}_shown" in told else name for name in names]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form; saving what would clear hidden fields asks first, on a page of its own."""
        clearing.restore(request, object_id)
        title = {} if object_id else {"title": "Add New Student Information System Integration"}
        more = {**title, **(extra_context or {})}
        response: HttpResponse = super().changeform_view(request, object_id, form_url, more)
        form = clearing.form_to_confirm(response)
        return clearing.ask(request, self.admin_site, form, object_id) if form else response

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, knowing whether clearing was confirmed."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.clearing_confirmed = clearing.confirmed(request)
        return form

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """With what stands above and below the form."""
        obj = kwargs.get("obj")
        context["show_save_and_continue"] = context["show_save_and_add_another"] = False
        context["help"] = HELP
        context["form_rules"] = form_rules(obj)
        context["downloads"] = downloads.links(obj)
        if obj is not None:
            context["may_delete"] = super().has_delete_permission(request, obj)
            context["has_run"] = obj.runs.exists()
            context["may_run"] = request.user.has_perm("integrations.run_import")
            context["schools"] = school_lists(obj)
            context["codes"] = code_coverage(obj, user=request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store it, and say what the person should know of it as it is now."""
        super().save_model(request, obj, form, change)
        if obj.drop_students_not_in_file and obj.import_enabled and not obj.pictures_only:
            for name, schools in shared_schools(obj).items():
                messages.warning(
                    request,
                    f"{obj.name} drops students who are not in its file, and {name} imports students of "
                    f"{', '.join(schools)} too. Untick Drop Students Not In File unless each brings all students.",
                )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only one that has never run can be deleted: its history must stay."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.runs.exists())

    # --- what can be done with one ---

    def get_urls(self) -> list[URLPattern]:
        """The addresses of the buttons."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/run/", wrap(self.run_now), name="integrations_integration_run"),
            path("<int:pk>/check/", wrap(self.check_connection), name="integrations_integration_check"),
            path("<int:pk>/codes/", wrap(self.compare_codes), name="integrations_integration_codes"),
            path("<int:pk>/absent/", wrap(self.absent), name="integrations_integration_absent"),
            path("<int:pk>/resume/", wrap(self.resume), name="integrations_integration_resume"),
            path("<int:pk>/files/<str:name>/", wrap(self.file), name="integrations_integration_file"),
            path("files/<str:system>/<str:name>/", wrap(self.file), name="integrations_integration_system_file"),
        ]
        return own + list(super().get_urls())

    @method_decorator(require_POST)
    def run_now(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start an import and show its page; when one is open, show that one."""
        integration = self._mine(request, pk, "integrations.run_import")
        dry = "dry_run" in request.POST
        try:
            run = start_import_as(user=request.user, integration=integration, dry_run=dry)
        except RunOpen as error:
            messages.info(request, f"An import of {integration.name} is running already. This is it.")
            return run_page(error.run)
        except RunRefused as error:
            return refused(request, error, back=reverse(CHANGELIST))
        return run_page(run.pk)

    @method_decorator(require_POST)
    def check_connection(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the system who we are and what we may read, and show each answer."""
        integration = self._mine(request, pk, "integrations.run_import")
        checks = check_integration(integration)
        template = "console/checks.html" if request.headers.get("HX-Request") else "console/checks_page.html"
        return page(
            request,
            self.admin_site,
            template,
            title=f"Connection of {integration.name}",
            checks=checks,
            integration=integration,
            good=all(check.ok for check in checks),
        )

    @method_decorator(require_POST)
    def compare_codes(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the system for its own lists of codes, and show how far each is mapped."""
        return coverage_page(request, self.admin_site, self._mine(request, pk, "integrations.run_import"))

    def absent(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who would be dropped by what the latest complete import found, by school."""
        if not request.user.has_perm("students.view_student"):
            raise PermissionDenied
        return absent_page(request, self.admin_site, self._mine(request, pk, "integrations.view_integration"))

    @method_decorator(require_POST)
    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let scheduled imports run again."""
        integration = self._mine(request, pk, "integrations.run_import")
        services.resume_schedule(integration=integration, user=request.user)
        messages.success(request, f"Scheduled imports of {integration.name} run again.")
        own = reverse("admin:integrations_integration_change", args=[pk])
        return HttpResponseRedirect(came_from(request, otherwise=own))

    def file(self, request: HttpRequest, name: str, pk: int = 0, system: str = "") -> HttpResponse:
        """A file that the district installs in its system."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        integration = self._mine(request, pk, "integrations.view_integration") if pk else None
        return downloads.file_of(name, system=integration.system if integration else system, integration=integration)

    def _mine(self, request: HttpRequest, pk: int, permission: str) -> Integration:
        found = self.visible_or_404(request, str(pk))
        assert isinstance(found, Integration)
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return found
