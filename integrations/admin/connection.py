"""Sync connections: through which integration a school's registrations go out."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin_base import ModelAdmin, RelatedDropdownFilter
from integrations.models import SchoolConnection
from students.scope import allowed_schools


@admin.register(SchoolConnection)
class SchoolConnectionAdmin(ModelAdmin):
    """One row per school that sends registrations."""

    empty_hint = "Say for each school through which integration its registrations will be sent."
    list_display = ("school", "integration")
    list_select_related = ("school", "integration")
    list_filter = (("integration", RelatedDropdownFilter),)
    search_fields = ("school__name", "school__code", "integration__name")
    search_help_text = "Search by school or integration"
    list_before_template = "console/no_export.html"
    autocomplete_fields = ("school",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SchoolConnection]:
        """Those of the schools the person may see."""
        queryset: QuerySet[SchoolConnection] = super().get_queryset(request)
        codes = allowed_schools(request.user)
        return queryset if codes is None else queryset.filter(school__code__in=codes)
