"""Kept enrollments: students whom a person keeps enrolled although the file does not hold them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin_base import AutocompleteSelectFilter, ModelAdmin, RelatedDropdownFilter
from integrations.models import KeepEnrolled
from students.scope import allowed_schools


@admin.register(KeepEnrolled)
class KeepEnrolledAdmin(ModelAdmin):
    """Decisions made on held runs, respected by later runs until they end. Delete one to lift it."""

    empty_hint = "Nobody is kept enrolled. It is decided on the page of a held run."
    list_display = ("student", "school", "reason", "until", "user", "integration")
    list_select_related = ("student", "school", "user", "integration")
    list_filter = (("integration", RelatedDropdownFilter), ("school", AutocompleteSelectFilter))
    search_fields = ("student__last_name", "student__first_name", "student__local_id")
    search_help_text = "Search by name or student ID"
    fields = ("student", "school", "integration", "reason", "until", "user", "created")
    readonly_fields = ("student", "school", "integration", "user", "created")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """They are made on the page of a held run."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[KeepEnrolled]:
        """Those at schools the person may see."""
        queryset: QuerySet[KeepEnrolled] = super().get_queryset(request)
        codes = allowed_schools(request.user)
        return queryset if codes is None else queryset.filter(school__code__in=codes)
