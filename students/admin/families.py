"""Families: who was grouped, and why."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.admin_base import ReadOnlyAdmin, display
from students.admin.base import EstimatingPaginator, or_dash
from students.models import Family, Student
from students.scope import visible_families, visible_students


@admin.register(Family)
class FamilyAdmin(ReadOnlyAdmin):
    """Children of one household. An import forms and dissolves families; nobody does it by hand."""

    empty_hint = "An import forms families by the Family Identifier of its integration."
    list_display = ("family_name", "members", "size")
    search_fields = ("students__last_name", "students__first_name", "students__local_id")
    search_help_text = "Search by a student's name or student ID"
    ordering = ("id",)
    paginator = EstimatingPaginator
    fieldsets = (
        ("Who", {"fields": ("member_list",)}),
        ("Why they are one family", {"fields": ("why", "key")}),
    )
    readonly_fields = ("member_list", "why", "key")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Family]:
        """Those with a member the person may see."""
        queryset: QuerySet[Family] = super().get_queryset(request)
        members = visible_students(Student.objects.all(), request.user)
        return visible_families(queryset, request.user).prefetch_related(
            Prefetch("students", queryset=members, to_attr="members_to_see")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Family], search_term: str
    ) -> tuple[QuerySet[Family], bool]:
        """The families with a student found by the students' own search; no row comes twice."""
        if not search_term:
            return queryset, False
        students = admin.site.get_model_admin(Student)
        found, _ = students.get_search_results(request, Student.objects.order_by(), search_term)
        return queryset.filter(pk__in=found.values("family")), False

    @display(description="Family")
    def family_name(self, family: Family) -> str:
        """The last names of its members."""
        return " / ".join(sorted({student.last_name for student in _members(family)})) or "(no members)"

    @display(description="Members")
    def members(self, family: Family) -> str:
        """First names and grades."""
        students = sorted(_members(family), key=lambda s: (s.birth_date is None, s.birth_date, s.pk))
        return or_dash(", ".join(student.first_name for student in students[:6]))

    @display(description="Number")
    def size(self, family: Family) -> int:
        """How many members."""
        return len(_members(family))

    @display(description="Members")
    def member_list(self, family: Family) -> SafeString:
        """Each member with a link, those the person may see."""
        students = _members(family)
        rows = [
            (
                reverse("admin:students_student_change", args=[student.pk]),
                str(student),
                student.get_grade_level_display() or "no grade",
                student.get_status_display().lower(),
            )
            for student in students
        ]
        listed = format_html_join("", '<li><a class="console-link" href="{}">{}</a> ({}, {})</li>', rows)
        return format_html('<ul class="console-list">{}</ul>', listed)

    @display(description="Why")
    def why(self, _family: Family) -> str:
        """What makes children one family."""
        return (
            "The fields chosen as Family Identifier in the integration are equal for all of them. "
            "The family's key below is made of those fields; it holds no readable data."
        )


def _members(family: Family) -> list[Student]:
    found: list[Student] = getattr(family, "members_to_see", [])
    return found
