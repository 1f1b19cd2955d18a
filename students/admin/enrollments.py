"""Enrollments: on the student's page, and as a list of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from config.admin_base import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    HistoryAdmin,
    RelatedDropdownFilter,
    StackedInline,
    display,
)
from students.admin.base import EstimatingPaginator, day, or_dash, tell_edited
from students.labels import exit_label
from students.models import Enrollment
from students.scope import allowed_schools

HELP_TEXTS = {
    "left": "Empty while the student is enrolled.",
    "exit_reason": "Why the student left. A short code is the SIS's own exit code.",
    "primary": "Off: an alternate enrollment beside the primary one.",
}


class InWords:
    """Enrollments in words: for lists, and for those who only look."""

    @display(description="Entered", ordering="entered")
    def entered_on(self, stay: Enrollment) -> str | SafeString:
        """The first day."""
        return day(stay.entered)

    @display(description="Left", ordering="left")
    def left_on(self, stay: Enrollment) -> str | SafeString:
        """The last day, or that there is none yet."""
        return day(stay.left, none="still enrolled")

    @display(description="Why the student left")
    def reason(self, stay: Enrollment) -> str | SafeString:
        """The exit reason; a code of the SIS called what it is."""
        return or_dash(exit_label(stay.exit_reason))

    @display(description="Kind", ordering="primary")
    def kind(self, stay: Enrollment) -> str:
        """Primary or alternate."""
        return "Primary" if stay.primary else "Alternate"


IN_WORDS = {"entered": "entered_on", "left": "left_on", "exit_reason": "reason", "primary": "kind"}


def in_words(fields: Iterable[Any]) -> list[Any]:
    """The same fields, as ``InWords`` tells them."""
    return [tuple(in_words(field)) if isinstance(field, tuple) else IN_WORDS.get(field, field) for field in fields]


class EnrollmentInline(InWords, StackedInline):
    """The stays of one student."""

    model = Enrollment
    fields = (("school", "academic_year"), ("grade_level", "primary"), ("entered", "left"), "exit_reason")
    readonly_fields = tuple(IN_WORDS.values())
    verbose_name_plural = "Enrollments"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The rows, with what their fields mean."""
        return super().get_formset(request, obj, **{"help_texts": HELP_TEXTS, **kwargs})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields; in words for those who only look."""
        return self.fields if self.has_change_permission(request, obj) else in_words(self.fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        """The stays with their schools and years."""
        queryset: QuerySet[Enrollment] = super().get_queryset(request)
        return queryset.select_related("school", "academic_year")


class CurrentFilter(admin.SimpleListFilter):
    """Whether the student still is at the school."""

    title = "current or ended"
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
class EnrollmentAdmin(InWords, HistoryAdmin):
    """Who is, and was, enrolled where."""

    empty_hint = "Enrollments come with the first import: open SIS Integrations and press the refresh icon of one."
    empty_without_add = True
    list_display = ("student", "school_name", "academic_year", "grade_level", "entered_on", "left_on", "kind")
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
    readonly_fields = tuple(IN_WORDS.values())
    ordering = ("student__last_name", "student__first_name", "student_id", "-id")
    paginator = EstimatingPaginator

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with what its fields mean."""
        return super().get_form(request, obj, change=change, **{"help_texts": HELP_TEXTS, **kwargs})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields; in words for those who only look."""
        return self.fields if obj is None or self.has_change_permission(request, obj) else in_words(self.fields)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The page, named by its student too."""
        stay = kwargs.get("obj")
        if stay is not None:
            context["subtitle"] = f"{stay.student}: {stay}"
        return super().render_change_form(request, context, *args, **kwargs)

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
