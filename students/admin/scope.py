"""Which people are limited to which schools."""

from __future__ import annotations

from django.contrib import admin

from config.admin_base import AutocompleteSelectFilter, ModelAdmin
from students.models import SchoolScope


@admin.register(SchoolScope)
class SchoolScopeAdmin(ModelAdmin):
    """A row limits a person to a school; a person without a row sees all schools."""

    empty_hint = "Everybody sees all schools. Add a row to limit a person to a school."
    list_display = ("user", "school")
    list_select_related = ("user", "school")
    list_filter = (("user", AutocompleteSelectFilter), ("school", AutocompleteSelectFilter))
    search_fields = ("user__username", "user__last_name", "school__name")
    search_help_text = "Search by person or school"
    autocomplete_fields = ("user", "school")
