"""Unmapped codes: what systems sent that no mapping knows, with the way to map each."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin_base import DropdownFilter, ReadOnlyAdmin, RelatedDropdownFilter, display
from integrations.models import UnmappedCode
from integrations.models.integration import MAPPING_FIELDS
from mapping.models import Entity
from students.scope import allowed_schools


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
    list_display = ("code", "entity_label", "integration", "count", "last_seen", "example_shown", "mend")
    list_display_links = None
    list_filter = (("integration", RelatedDropdownFilter), EntityFilter)
    list_select_related = ("integration",)
    search_fields = ("value",)
    search_help_text = "Search by code"
    ordering = ("-count", "entity", "value")

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnmappedCode]:
        """All; none for a person limited to some schools, since a code belongs to no school."""
        queryset: QuerySet[UnmappedCode] = super().get_queryset(request)
        return queryset if allowed_schools(request.user) is None else queryset.none()

    @display(description="Code", ordering="value")
    def code(self, row: UnmappedCode) -> str:
        """The code as the system sends it."""
        return f"“{row.value}”" if row.value.strip() else "(blank)"

    @display(description="Entity", ordering="entity")
    def entity_label(self, row: UnmappedCode) -> str:
        """The entity by its label."""
        return Entity(row.entity).label if row.entity in Entity.values else row.entity.replace("_", " ")

    @display(description="An example")
    def example_shown(self, row: UnmappedCode) -> str:
        """One student with the code, by the id of the system."""
        return f"SIS ID {row.example}" if row.example else "–"

    @display(description="What to do")
    def mend(self, row: UnmappedCode) -> SafeString | str:
        """The way to the mapping that should know the code; to the integration where it has none."""
        mapping = getattr(row.integration, f"{row.entity}_id") if row.entity in MAPPING_FIELDS else None
        link = '<a class="console-link" href="{}">{}</a>'
        if mapping:
            url = reverse("admin:mapping_dataentitymapping_change", args=[mapping])
            return format_html(link, url, "Add it to the mapping")
        url = reverse("admin:integrations_integration_change", args=[row.integration_id])
        return format_html(link, url, "Choose a mapping in the integration")
