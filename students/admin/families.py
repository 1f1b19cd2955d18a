"""Families: who was grouped, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.admin_base import ReadOnlyAdmin, display
from students.admin.base import EstimatingPaginator, or_dash
from students.admin.family_decision import decide_page
from students.admin.household import other_values, shared_values
from students.families import FAMILY_FIELDS
from students.family_decisions import decisions_on
from students.models import Family, FieldLock, Student
from students.scope import visible_families, visible_students


class Origin(NamedTuple):
    """What made children one family. system: the integration's name; run: its run, with a link if one may look."""

    system: str
    run: SafeString | str
    chosen: list[str]


class SizeFilter(admin.SimpleListFilter):
    """Families by the number of children one may see. Those with one child only are left out unless asked for.

    A search looks through all of them.
    """

    title = "number of children"
    parameter_name = "children"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """What is not the usual."""
        return [("one", "One child"), ("any", "Any number")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """The usual first, called what it is, then the others."""
        usual, *others = super().choices(changelist)
        yield {**usual, "display": "Two or more; any while searching"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The families of that size."""
        if self.value() == "any" or (self.value() is None and request.GET.get(SEARCH_VAR)):
            return queryset
        return queryset.filter(size=1) if self.value() == "one" else queryset.filter(size__gte=2)


@admin.register(Family)
class FamilyAdmin(ReadOnlyAdmin):
    """Children of one household. An import forms and dissolves families, unless a person has decided."""

    empty_hint = "An import forms families by the Family Identifier of its integration."
    list_before_template = "console/families_top.html"
    list_display = ("family_name", "children", "number")
    list_filter = (SizeFilter,)
    search_fields = ("students__last_name", "students__first_name", "students__local_id")
    search_help_text = "Search by a student's name or student ID"
    paginator = EstimatingPaginator
    fieldsets = (
        ("Children", {"fields": ("member_list",)}),
        ("Why they are one family", {"fields": ("decided", "made_by", "why", "besides")}),
    )
    readonly_fields = ("member_list", "decided", "made_by", "why", "besides")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Family]:
        """Those with a member the person may see, with their number and a name to sort by."""
        queryset: QuerySet[Family] = super().get_queryset(request)
        students = visible_students(Student.objects.order_by(), request.user)
        here = students.filter(family=OuterRef("pk"))
        shown = students.order_by("last_name", "first_name", "pk").prefetch_related("contact_links__contact")
        return (
            visible_families(queryset, request.user)
            .annotate(
                size=Subquery(here.values("family").annotate(number=Count("pk")).values("number")),
                first_last_name=Subquery(here.order_by("last_name").values("last_name")[:1]),
            )
            .order_by("first_last_name", "id")
            .prefetch_related(Prefetch("students", queryset=shown, to_attr="members_to_see"))
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Family | None:
        """The family, with what made it one."""
        family: Family | None = super().get_object(request, object_id, from_field)
        if family is not None:
            self.prepare(request, family)
        return family

    def get_urls(self) -> list[URLPattern]:
        """The address of deciding on a child's family, too."""
        view = self.admin_site.admin_view(self.of_child)
        return [path("of/<int:pk>/", view, name="students_family_of"), *super().get_urls()]

    def of_child(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page on which a person decides on the family of a child."""
        return decide_page(request, self.admin_site, pk)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The sections; the children with the way to decide, for those who may."""
        sections = super().get_fieldsets(request, obj)
        if obj is not None:
            obj.may_decide = request.user.has_perm("students.change_student")
        return sections

    def prepare(self, _request: HttpRequest, _family: Family) -> None:
        """Note on the family, as ``origin``, what made it one. Here nothing is known of it."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Family], search_term: str
    ) -> tuple[QuerySet[Family], bool]:
        """The families with a student found by the students' own search; no row comes twice."""
        if not search_term:
            return queryset, False
        students = admin.site.get_model_admin(Student)
        found, _ = students.get_search_results(request, Student.objects.order_by(), search_term)
        return queryset.filter(pk__in=found.values("family")), False

    @display(description="Family", ordering="first_last_name")
    def family_name(self, family: Family) -> str:
        """The last names of its members."""
        return " / ".join(sorted({student.last_name for student in _members(family)})) or "(no children)"

    @display(description="Children")
    def children(self, family: Family) -> str:
        """First names and grades."""
        eldest_first = sorted(_members(family), key=lambda s: (s.birth_date is None, s.birth_date, s.pk))
        return or_dash(", ".join(student.first_name for student in eldest_first[:6]))

    @display(description="Number", ordering="size")
    def number(self, family: Family) -> int:
        """How many children the person may see."""
        return len(_members(family))

    @display(description="Children")
    def member_list(self, family: Family) -> SafeString:
        """Each child with a link, those the person may see."""
        rows = [
            (
                reverse("admin:students_student_change", args=[student.pk]),
                str(student),
                student.get_grade_level_display() or "no grade",
                student.get_status_display().lower(),
                self._way_to_decide(family, student),
            )
            for student in _members(family)
        ]
        listed = format_html_join("", '<li><a class="console-link" href="{}">{}</a> ({}, {}){}</li>', rows)
        return format_html('<ul class="console-list">{}</ul>', listed)

    def _way_to_decide(self, family: Family, student: Student) -> SafeString | str:
        if not getattr(family, "may_decide", False):
            return ""
        page = reverse("admin:students_family_of", args=[student.pk])
        return format_html(' <a class="console-link" href="{}">take out or join</a>', page)

    @display(description="Decided")
    def decided(self, family: Family) -> SafeString | str:
        """Which children a person has put here, why, and who."""
        locks = decisions_on(_members(family))
        if not locks:
            return "Nothing by a person: imports decide."
        rows = [
            (one.first_name, one.last_name, lock.reason, lock.user or "somebody who has left", _date_of(lock))
            for lock in locks
            for one in [lock.student]
        ]
        listed = format_html_join("", "<li>{} {} stays here: {} ({}, {})</li>", rows)
        return format_html('<ul class="console-list">{}</ul>', listed)

    @display(description="Not compared")
    def besides(self, family: Family) -> SafeString | str:
        """The other fields that could be a Family Identifier: would they keep these children together?"""
        origin: Origin | None = getattr(family, "origin", None)
        others = [option for option in FAMILY_FIELDS if option not in (origin.chosen if origin else ())]
        rows = other_values(_members(family), others)
        if not rows:
            return or_dash("")
        return format_html(
            '<dl class="console-facts">{}</dl><p class="console-quiet">These fields are not compared. What is the same '
            "for all would keep them one family; what differs or is blank would part them.</p>",
            format_html_join("", "<dt>{}</dt><dd>{}: {}</dd>", rows),
        )

    @display(description="Grouped by")
    def made_by(self, family: Family) -> SafeString | str:
        """The integration and its run."""
        origin: Origin | None = getattr(family, "origin", None)
        if origin is None:
            return "No import that is still on record."
        return format_html("{}, {}", origin.system, origin.run)

    @display(description="What they share")
    def why(self, family: Family) -> SafeString | str:
        """The fields that are equal, with their values."""
        origin: Origin | None = getattr(family, "origin", None)
        if origin is None or not origin.chosen:
            return "Which fields were compared is not known any more: the integration has no Family Identifier now."
        rows = format_html_join("", "<dt>{}</dt><dd>{}</dd>", shared_values(_members(family), origin.chosen))
        return format_html(
            '<dl class="console-facts">{}</dl><p class="console-quiet">These are the fields {} compares as Family '
            "Identifier, with the values held here now. Capitals, spaces and abbreviations do not count.</p>",
            rows,
            origin.system,
        )


def _date_of(lock: FieldLock) -> str:
    return date_format(timezone.localtime(lock.created))


def _members(family: Family) -> list[Student]:
    found: list[Student] = getattr(family, "members_to_see", [])
    return found
