"""Changes: what runs found for each student, before → after."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin_base import ChoicesDropdownFilter, DropdownFilter, ReadOnlyAdmin, display
from integrations.admin import undo
from integrations.admin.responses import page
from integrations.admin.scoping import NamesAny, at_schools, visible_runs
from integrations.admin.words import Names, lines_of, names_for
from integrations.inbound.verify import NOT_COUNTED
from integrations.models import Change, SyncRun
from students.admin.base import EstimatingPaginator, or_dash
from students.models import Contact, School
from students.scope import allowed_schools

LINES_IN_LIST = 4
STATUS_LABELS = {"Planned": "info", "Applied": "success", "Withheld": "warning", "Conflict": "danger"}


class AtSchoolFilter(DropdownFilter):
    """Rows that name a school."""

    title = "school"
    parameter_name = "school"

    def lookups(self, request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The schools the person may see."""
        codes = allowed_schools(request.user)
        schools = School.objects.all() if codes is None else School.objects.filter(code__in=codes)
        return list(schools.values_list("code", "name"))

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of that school."""
        value = self.value()
        return queryset.filter(NamesAny("schools", [value])) if value else queryset


class EntityFilter(DropdownFilter):
    """Students, contacts or photos."""

    title = "students, contacts or photos"
    parameter_name = "entity"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The three there are."""
        return [("student", "Students"), ("contact", "Contacts"), ("photo", "Photos")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The changes of that kind of person."""
        return queryset.filter(entity=self.value()) if self.value() else queryset


class WithheldFilter(admin.SimpleListFilter):
    """Changes with fields that were left out."""

    title = "withheld fields"
    parameter_name = "withheld"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice there is."""
        return [("yes", "With withheld fields")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those with any."""
        return queryset.exclude(withheld={}) if self.value() == "yes" else queryset


class CountedFilter(admin.SimpleListFilter):
    """Changes that are written or would be, as the numbers of a run count them."""

    title = "left out"
    parameter_name = "counted"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice there is."""
        return [("yes", "Without those left out")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that count."""
        return queryset.exclude(status__in=NOT_COUNTED) if self.value() == "yes" else queryset


class KeptFilter(admin.SimpleListFilter):
    """Students whom a person keeps enrolled."""

    title = "kept enrolled"
    parameter_name = "kept"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice there is."""
        return [("yes", "Kept enrolled")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those with a reason to keep."""
        return queryset.exclude(keep_reason="") if self.value() == "yes" else queryset


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """Everything a run planned and applied. The same row is the preview, the audit and the undo."""

    empty_hint = "No run has changed anything yet. Open SIS Integrations and press the refresh icon of one."
    list_display = ("who", "kind_label", "what", "where", "status_label")
    list_display_links = ("who",)
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        AtSchoolFilter,
        EntityFilter,
        WithheldFilter,
        CountedFilter,
        KeptFilter,
    )
    list_select_related = ("run", "student")
    search_fields = ("external_id", "student__last_name", "student__first_name")
    search_help_text = "Search by SIS ID or name"
    list_before_template = "console/list_of_run.html"
    ordering = ("-run_id", "id")
    sortable_by = ()
    paginator = EstimatingPaginator
    actions = ("undo_ticked",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        """Those at schools the person may see."""
        return at_schools(super().get_queryset(request), request.user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, told in words; of one run when it is asked for."""
        run_id = request.GET.get("run__id__exact", "")
        run = visible_runs(SyncRun.objects.all(), request.user).filter(pk=run_id).first() if run_id.isdigit() else None
        title = f"Changes of run {run.pk}" if run else "Changes"
        more = {"title": title, "run": run, **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, more)
        if isinstance(response, TemplateResponse) and (listed := (response.context_data or {}).get("cl")):
            _tell(listed.result_list, request)
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One change in full."""
        change = self.get_object(request, object_id)
        if change is None:
            return self._get_obj_does_not_exist_redirect()
        if not self.has_view_permission(request, change):
            return HttpResponse(status=403)
        names = names_for([change], request.user)
        return page(
            request,
            self.admin_site,
            "console/change.html",
            title=f"Run {change.run_id}: {_name(change)}",
            change=change,
            who=_name(change),
            lines=lines_of(change, names),
            schools=[names.school(code) for code in change.schools],
            link=_link(change),
            back=f"{reverse('admin:integrations_change_changelist')}?run__id__exact={change.run_id}",
        )

    @admin.action(description="Undo for the ticked students", permissions=["undo"])
    def undo_ticked(self, request: HttpRequest, queryset: QuerySet[Change]) -> HttpResponse:
        """Ask before undoing the ticked students of one run."""
        return undo.ask_for_ticked(request, queryset, self.admin_site)

    def has_undo_permission(self, request: HttpRequest) -> bool:
        """Whoever may approve may take back."""
        return request.user.has_perm("integrations.approve_held_run")

    @display(description="Who")
    def who(self, change: Change) -> SafeString:
        """The name, the id in the system below it."""
        return format_html(
            '<span class="console-stack"><span>{}</span><span class="console-quiet">SIS ID {}</span></span>',
            _name(change),
            change.external_id,
        )

    @display(description="What happens", label={
        "New": "success", "Changed": "info", "Returned": "primary",
        "Left, says the SIS": "warning", "Dropped: not in file": "danger", "Removed by undo": "danger",
    })  # fmt: skip
    def kind_label(self, change: Change) -> str:
        """New, changed, dropped and so on."""
        return change.get_kind_display()

    @display(description="Before → after")
    def what(self, change: Change) -> SafeString | str:
        """The first differences, and how many more there are."""
        lines = lines_of(change, _names_of(change))
        if not lines:
            return "Every field of a new record" if change.kind == Change.Kind.CREATE else "–"
        context = {"lines": lines[:LINES_IN_LIST], "more": len(lines) - LINES_IN_LIST}
        return SafeString(render_to_string("console/lines.html", context))

    @display(description="School")
    def where(self, change: Change) -> str:
        """The schools by name."""
        names = _names_of(change)
        return or_dash(", ".join(names.school(code) for code in change.schools))

    @display(description="Status", label=STATUS_LABELS)
    def status_label(self, change: Change) -> str:
        """Planned, applied and so on; why, where a person kept the student enrolled."""
        return "Kept enrolled" if change.keep_reason else change.get_status_display()


def _tell(changes: Any, request: HttpRequest) -> None:
    """Give every row of a page the names it needs, and the contacts theirs, in a few queries."""
    rows = list(changes)
    names = names_for(rows, request.user)
    contacts = Contact.objects.in_bulk([c.target for c in rows if c.entity == "contact" and c.target])
    for row in rows:
        row.names = names
        row.contact = contacts.get(row.target) if row.entity == "contact" else None


def _names_of(change: Change) -> Names:
    names: Names | None = getattr(change, "names", None)
    return names if names is not None else Names(schools={}, contacts={}, families={})


def _name(change: Change) -> str:
    if change.entity == "contact":
        contact = getattr(change, "contact", None)
        if contact is None and change.target:
            contact = Contact.objects.filter(pk=change.target).first()
        return f"{contact} (contact)" if contact else "Contact"
    if change.entity == "photo":
        return f"{change.student or 'Student not in our records'} (photo)"
    return str(change.student) if change.student else "Student not in our records"


def _link(change: Change) -> str:
    if change.entity in ("student", "photo") and change.student_id:
        return reverse("admin:students_student_change", args=[change.student_id])
    if change.entity == "contact" and change.target and Contact.objects.filter(pk=change.target).exists():
        return reverse("admin:students_contact_change", args=[change.target])
    return ""
