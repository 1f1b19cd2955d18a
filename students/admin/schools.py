"""Schools and academic years."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from config.admin_base import ModelAdmin, display
from students.models import AcademicYear, School
from students.scope import allowed_schools


@admin.register(School)
class SchoolAdmin(ModelAdmin):
    """The schools of the district."""

    empty_hint = "Add the schools of the district first; a Building mapping leads to them."
    list_display = ("name", "code", "grades", "students_now", "active")
    list_filter = ("active",)
    search_fields = ("name", "code")
    search_help_text = "Search by name or school code"
    fieldsets = (
        (None, {"fields": ("name", "code", "active")}),
        ("Grades it teaches", {"fields": ("low_grade", "high_grade")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[School]:
        """Those the person may see."""
        queryset: QuerySet[School] = super().get_queryset(request)
        codes = allowed_schools(request.user)
        queryset = queryset if codes is None else queryset.filter(code__in=codes)
        return queryset.annotate(students_count=Count("enrollments", filter=Q(enrollments__left=None)))

    @display(description="Grades")
    def grades(self, school: School) -> str:
        """From the lowest to the highest."""
        ends = [label for label in (school.get_low_grade_display(), school.get_high_grade_display()) if label]
        return " to ".join(dict.fromkeys(ends)) or "not stated"

    @display(description="Students now", ordering="students_count")
    def students_now(self, school: School) -> int:
        """Current enrollments."""
        count: int = getattr(school, "students_count", 0)
        return count


@admin.register(AcademicYear)
class AcademicYearAdmin(ModelAdmin):
    """School years and their first and last days."""

    empty_hint = "Add the school year with its first and last day."
    list_display = ("name", "starts", "ends")
    search_fields = ("name",)
    search_help_text = "Search by name, for example 2026-2027"
