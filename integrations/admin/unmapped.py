"""Unmapped codes: what systems sent that no mapping knows, with the way to map each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config.admin_base import DropdownFilter, ReadOnlyAdmin, RelatedDropdownFilter, display
from integrations import code_inbox
from integrations.admin.responses import page, refused, run_page
from integrations.admin.suggestions import map_several, suggest_values, tell_mapped
from integrations.errors import RunOpen, RunRefused
from integrations.models import ExternalIdentity, RecordIssue, SyncRun, UnmappedCode
from integrations.models.integration import MAPPING_FIELDS
from mapping.choices import our_values
from mapping.models import Entity
from students.scope import allowed_schools

CHANGELIST = "admin:integrations_unmappedcode_changelist"


class EntityFilter(DropdownFilter):
    """Codes of one entity."""

    title = "entity"
    parameter_name = "entity"

    def lookups(self, _request: HttpRequest, _admin: object) -> list[tuple[str, str]]:
        """The entities."""
        return [(value, label) for value, label in Entity.choices]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[UnmappedCode]) -> QuerySet[UnmappedCode]:
        """Those of the entity."""
        return queryset.filter(entity=self.value()) if self.value() else queryset


@admin.register(UnmappedCode)
class UnmappedCodeAdmin(ReadOnlyAdmin):
    """One row per code. A field with an unknown code keeps its old value until the code is mapped."""

    empty_hint = "Every code that any system has sent is in its mapping."
    list_display = ("code", "entity_label", "integration", "times", "first_seen", "last_seen", "example_shown", "mend")
    list_display_links = None
    list_filter = (("integration", RelatedDropdownFilter), EntityFilter)
    list_select_related = tuple(["integration", *(f"integration__{field}" for field in MAPPING_FIELDS)])
    sortable_by = ("code", "entity_label", "integration", "times", "first_seen", "last_seen")
    list_before_template = "console/unmapped_top.html"
    search_fields = ("value",)
    search_help_text = "Search by code"
    ordering = ("-count", "entity", "value")

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnmappedCode]:
        """Of an entity without a mapping in the integration one row stands for all its codes."""
        codes = self.every_code(request)
        return codes.exclude(pk__in=_told_by_another_row(codes))

    def every_code(self, request: HttpRequest) -> QuerySet[UnmappedCode]:
        """All; none for a person limited to some schools, since a code belongs to no school."""
        queryset: QuerySet[UnmappedCode] = super().get_queryset(request)
        return queryset if allowed_schools(request.user) is None else queryset.none()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, each row with what is known of its code."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and (listed := (response.context_data or {}).get("cl")):
            _tell(list(listed.result_list))
        return response

    @display(description="Code", ordering="value")
    def code(self, row: UnmappedCode) -> str:
        """The code as the system sends it; of an entity without a mapping, how many there are."""
        if (together := getattr(row, "together", 1)) > 1:
            return f"{together:,} codes"
        return f"“{row.value}”" if row.value.strip() else "(blank)"

    @display(description="Entity", ordering="entity")
    def entity_label(self, row: UnmappedCode) -> str:
        """The entity by its label."""
        return Entity(row.entity).label if row.entity in Entity.values else row.entity.replace("_", " ")

    @display(description="Times", ordering="count")
    def times(self, row: UnmappedCode) -> int:
        """How often the latest run that met it did so."""
        total: int = getattr(row, "times_together", row.count)
        return total

    @display(description="An example")
    def example_shown(self, row: UnmappedCode) -> SafeString | str:
        """One student with the code: the student's page, or the issue where there is no student yet."""
        if not row.example:
            return "–"
        url = row.example_url  # type: ignore[attr-defined]
        told = f"SIS ID {row.example}"
        return format_html('<a class="console-link console-nowrap" href="{}">{}</a>', url, told) if url else told

    @display(description="What to do")
    def mend(self, row: UnmappedCode) -> SafeString:
        """The way to give it a value; to the integration where it has no mapping; to the import when it is mapped."""
        link = '<a class="console-link" href="{}">{}</a>'
        mapping = code_inbox.mapping_of(row)
        if mapping is None:
            url = reverse("admin:integrations_integration_change", args=[row.integration_id])
            return format_html(link, url, "Choose a mapping in the integration")
        url = reverse("admin:integrations_unmappedcode_map", args=[row.pk])
        value: str | None = row.known  # type: ignore[attr-defined]
        if value is None:
            return format_html(link, url, "Add it to the mapping")
        shown = our_values(mapping.entity).get(value, value)
        way = format_html(link, url, "Import its students") if row.waits else "The next import takes it."  # type: ignore[attr-defined]
        if run := row.open_run:  # type: ignore[attr-defined]
            way = format_html(link, reverse("admin:integrations_syncrun_change", args=[run]), "An import is running")
        return format_html('<span class="console-stack"><span>Mapped: {}</span>{}</span>', shown, way)

    def get_urls(self) -> list[URLPattern]:
        """The addresses of the form of one code."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/map/", wrap(self.map), name="integrations_unmappedcode_map"),
            path("<int:pk>/import/", wrap(self.import_students), name="integrations_unmappedcode_import"),
            path("several/", wrap(self.several), name="integrations_unmappedcode_several"),
            path("suggest/<int:pk>/", wrap(self.suggest), name="integrations_unmappedcode_suggest"),
        ]
        return own + list(super().get_urls())

    def map(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form of one code: choose our value, and save."""
        code = self._mine(request, pk)
        mapping = code_inbox.mapping_of(code)
        if mapping is None:
            messages.error(request, f"{code.integration.name} has no mapping for this. Choose one here first.")
            return HttpResponseRedirect(reverse("admin:integrations_integration_change", args=[code.integration_id]))
        may_map = request.user.has_perm("mapping.add_dataentitymappingvalue")
        if request.method == "POST":
            if not may_map:
                raise PermissionDenied
            return self._map(request, code)
        value = code_inbox.values_of([code]).get(code.pk)
        return page(
            request,
            self.admin_site,
            "console/map_code.html",
            title=f"{self.entity_label(code)} {self.code(code)}",
            code=code,
            shown=self.code(code),
            entity=self.entity_label(code),
            mapping=mapping,
            values=our_values(mapping.entity).items(),
            known=our_values(mapping.entity).get(value, value) if value is not None else None,
            example=example_url(code),
            waiting=len(code_inbox.waiting_students(code.integration, [code])),
            may_map=may_map,
            may_run=request.user.has_perm("integrations.run_import"),
            back=reverse(CHANGELIST),
        )

    def _map(self, request: HttpRequest, code: UnmappedCode) -> HttpResponse:
        may_run = request.user.has_perm("integrations.run_import")
        own = reverse("admin:integrations_unmappedcode_map", args=[code.pk])
        try:
            told = code_inbox.map_code(code=code, value=request.POST.get("value", ""), user=request.user, run=may_run)
        except RunRefused as error:
            return refused(request, error, back=own)
        messages.success(request, f"{self.code(code)} is in the mapping {code_inbox.mapping_of(code)} now.")
        tell_mapped(request, told)
        return HttpResponseRedirect(reverse(CHANGELIST))

    @method_decorator(require_POST)
    def import_students(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Import the students who wait for codes that are mapped by now."""
        code = self._mine(request, pk)
        if not request.user.has_perm("integrations.run_import"):
            raise PermissionDenied
        try:
            run = code_inbox.import_waiting(integration=code.integration, user=request.user)
        except (RunOpen, RunRefused) as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse(CHANGELIST))
        return run_page(run.pk)

    def several(self, request: HttpRequest) -> HttpResponse:
        """Many codes on one page, with suggestions; those of one integration where it is named."""
        chosen = request.GET.get("integration", "")
        codes = self.every_code(request).select_related(*self.list_select_related).order_by(*self.ordering)
        return map_several(
            request, self.admin_site, codes.filter(integration=int(chosen)) if chosen.isdigit() else codes
        )

    def suggest(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a system's own codes suggest for a mapping."""
        return suggest_values(request, self.admin_site, pk)

    def _mine(self, request: HttpRequest, pk: int) -> UnmappedCode:
        """The code, out of those this person may see."""
        code = self.every_code(request).select_related("integration").filter(pk=pk).first()
        if code is None:
            raise Http404
        if not self.has_view_permission(request, code):
            raise PermissionDenied
        return code


def _tell(codes: list[UnmappedCode]) -> None:
    """Give every row the value it has by now, the page of its example and the open import of its integration."""
    known = code_inbox.values_of(codes)
    runs = SyncRun.objects.open().filter(kind=SyncRun.Kind.IMPORT, integration__in={c.integration_id for c in codes})
    opened = dict(runs.values_list("integration", "pk"))
    for code in codes:
        if code_inbox.mapping_of(code) is None:
            same = UnmappedCode.objects.filter(integration=code.integration_id, entity=code.entity)
            counted = same.aggregate(codes=Count("pk"), times=Sum("count"))
            code.together, code.times_together = counted["codes"], counted["times"]  # type: ignore[attr-defined]
        code.open_run = opened.get(code.integration_id)  # type: ignore[attr-defined]
        code.known = known.get(code.pk)  # type: ignore[attr-defined]
        waits = code.pk in known and bool(code_inbox.waiting_students(code.integration, [code]))
        code.waits = waits  # type: ignore[attr-defined]
        code.example_url = example_url(code)  # type: ignore[attr-defined]


def _told_by_another_row(codes: QuerySet[UnmappedCode]) -> list[int]:
    """Primary keys of all but the first code of each integration and entity for which no mapping is chosen."""
    without = Q()
    for field in MAPPING_FIELDS:
        without |= Q(entity=field, **{f"integration__{field}__isnull": True})
    rows = codes.filter(without).order_by("pk").values_list("pk", "integration", "entity")
    first: set[tuple[int, str]] = set()
    found = []
    for pk, integration, entity in rows:
        if (integration, entity) in first:
            found.append(pk)
        first.add((integration, entity))
    return found


def example_url(code: UnmappedCode) -> str:
    """The page of the example student, else of the issue that tells of it; "" where there is neither."""
    known = ExternalIdentity.objects.filter(
        integration=code.integration_id, entity="student", external_id=code.example, student__isnull=False
    ).first()
    if known is not None:
        return reverse("admin:students_student_change", args=[known.student_id])
    issues = RecordIssue.objects.filter(
        run__integration=code.integration_id, external_id=code.example, entity=code.entity, raw_code=code.value
    )
    found = issues.order_by("-pk").first()
    return reverse("admin:integrations_recordissue_change", args=[found.pk]) if found else ""
