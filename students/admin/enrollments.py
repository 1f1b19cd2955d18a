"""Enrollments: on the student's page, and as a list of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin_base import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    HistoryAdmin,
    RelatedDropdownFilter,
    StackedInline,
    display,
)
from students.admin.base import EstimatingPaginator, tell_edited
from students.models import Enrollment
from students.scope import allowed_schools


class EnrollmentInline(StackedInline):
    """The stays of one student."""

    model = Enrollment
    fields = (("school", "academic_year"), ("grade_level", "primary"), ("entered", "left"), "exit_reason")
    verbose_name_plural = "Enrollments"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        """The stays with their schools and years."""
        queryset: QuerySet[Enrollment] = super().get_queryset(request)
        return queryset.select_related("school", "academic_year")


class CurrentFilter(admin.SimpleListFilter):
    """Whether the student still is at the school."""

    title = "whether current"
    parameter_name = "current"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """Current or ended."""
        return [("yes", "Current"), ("no", "Ended")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
        """The enrollments of that kind."""
        if self.value() in ("yes", "no"):
            return queryset.filter(left__isnull=self.value() == "yes")
        return queryset


@admin.register(Enrollment)
class EnrollmentAdmin(HistoryAdmin):
    """Who is, and was, enrolled where."""

    empty_hint = "Enrollments come with the first import of students."
    empty_without_add = True
    list_display = ("student", "school_name", "academic_year", "grade_level", "entered", "left", "primary")
    list_display_links = ("student",)
    list_select_related = ("student", "school", "academic_year")
    list_filter = (
        CurrentFilter,
        ("school", AutocompleteSelectFilter),
        ("academic_year", RelatedDropdownFilter),
        ("grade_level", ChoicesDropdownFilter),
    )
    search_fields = ("student__last_name", "student__first_name", "student__local_id", "student__state_id")
    search_help_text = "Search by name, student ID or state ID"
    autocomplete_fields = ("student", "school")
    fields = (
        "student",
        "school",
        "academic_year",
        "grade_level",
        "entered",
        "left",
        "exit_reason",
        "primary",
    )
    ordering = ("-id",)
    paginator = EstimatingPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        """Those at schools the person may see."""
        queryset: QuerySet[Enrollment] = super().get_queryset(request)
        codes = allowed_schools(request.user)
        return queryset if codes is None else queryset.filter(school__code__in=codes)

    def save_model(self, request: HttpRequest, obj: Enrollment, form: Any, change: bool) -> None:
        """Save, and make the edit known."""
        super().save_model(request, obj, form, change)
        tell_edited(request, [obj.student_id])

    def delete_model(self, request: HttpRequest, obj: Enrollment) -> None:
        """Delete, and make it known."""
        super().delete_model(request, obj)
        tell_edited(request, [obj.student_id])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Enrollment]) -> None:
        """Delete the chosen ones, and make it known."""
        students = list(queryset.values_list("student_id", flat=True))
        super().delete_queryset(request, queryset)
        tell_edited(request, students)

    @display(description="School", ordering="school__name")
    def school_name(self, enrollment: Enrollment) -> str:
        """The school without its code."""
        return enrollment.school.name
