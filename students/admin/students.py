"""The list of students and the page of one."""

from __future__ import annotations

import copy
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import FileResponse, HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.admin_base import (
    ChoicesDropdownFilter,
    DropdownFilter,
    HistoryAdmin,
    TabularInline,
    display,
)
from students.admin.allergies import StudentAllergyInline
from students.admin.base import EstimatingPaginator, day, form_changed, or_dash, tell_edited
from students.admin.contacts import StudentContactInline
from students.admin.enrollments import EnrollmentInline
from students.admin.forms import LockForm, StudentForm
from students.admin.ownership import CONSOLE
from students.admin.photo import photo_answer
from students.labels import WHOLE_LISTS, field_label, phone_label, value_label
from students.models import Enrollment, FieldLock, FieldOwnership, School, Student
from students.scope import allowed_schools, visible_students


class SchoolFilter(DropdownFilter):
    """Students currently enrolled at a school."""

    title = "school"
    parameter_name = "school"

    def lookups(self, request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The schools the person may see."""
        codes = allowed_schools(request.user)
        schools = School.objects.all() if codes is None else School.objects.filter(code__in=codes)
        return [(str(pk), name) for pk, name in schools.values_list("pk", "name")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Student]) -> QuerySet[Student]:
        """The students enrolled there now."""
        value = self.value()
        if not value or not value.isdigit():
            return queryset
        here = Enrollment.objects.filter(student=OuterRef("pk"), left=None, school=int(value))
        return queryset.filter(Exists(here))


class FieldLockInline(TabularInline):
    """Fields that no integration may write until the lock is lifted."""

    model = FieldLock
    form = LockForm
    fields = ("field", "reason", "by")
    readonly_fields = ("by",)
    verbose_name = "lock"
    verbose_name_plural = "Locked fields"
    hide_title = True

    @display(description="Locked by")
    def by(self, lock: FieldLock) -> str:
        """Who set the lock, and when."""
        return f"{lock.user or 'somebody who has left'}, {lock.created:%b %-d, %Y}" if lock.pk else "you"


class StudentAdmin(HistoryAdmin):
    """Students."""

    empty_hint = "Students come with the first import: open SIS Integrations and press the refresh icon of one."
    empty_without_add = True
    form = StudentForm
    list_display = ("name", "student_id", "grade", "school", "born", "status_label")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        SchoolFilter,
        ("grade_level", ChoicesDropdownFilter),
    )
    search_fields = ("last_name", "first_name", "local_id", "state_id")
    search_help_text = "Search by name, student ID or state ID"
    ordering = ("last_name", "first_name", "id")
    paginator = EstimatingPaginator
    inlines: tuple[type[Any], ...] = (EnrollmentInline, StudentContactInline, StudentAllergyInline, FieldLockInline)
    readonly_fields = ("family_shown", "races_shown", "home_phone_shown", "mobile_phone_shown")
    change_form_before_template = "console/student_writers.html"
    fieldsets = (
        (
            "Student",
            {
                "fields": (
                    ("first_name", "middle_name"),
                    ("last_name", "suffix"),
                    ("preferred_first_name", "preferred_last_name"),
                    ("local_id", "state_id"),
                    ("grade_level", "status"),
                    ("birth_date", "pin"),
                )
            },
        ),
        ("Family", {"fields": ("family_shown",)}),
        (
            "About the child",
            {
                "fields": (
                    ("gender", "ethnicity"),
                    "races",
                    ("home_language", "correspondence_language"),
                )
            },
        ),
        ("Reach", {"fields": (("home_phone", "mobile_phone"), "email")}),
        (
            "Home address",
            {
                "fields": (
                    ("residence_line1", "residence_line2"),
                    ("residence_city", "residence_state"),
                    "residence_postal_code",
                )
            },
        ),
        (
            "Mailing address",
            {
                "fields": (
                    ("mailing_line1", "mailing_line2"),
                    ("mailing_city", "mailing_state"),
                    "mailing_postal_code",
                )
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """The address of the picture, too."""
        view = self.admin_site.admin_view(self.photo)
        return [path("<int:pk>/photo/", view, name="students_student_photo"), *super().get_urls()]

    def photo(self, request: HttpRequest, pk: int) -> FileResponse:
        """The child's picture; 404 for a child this person may not see."""
        student = self.visible_or_404(request, str(pk))
        assert isinstance(student, Student)
        if not self.has_view_permission(request, student):
            raise PermissionDenied
        return photo_answer(student)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The sections; for those who only look, races and phones in words."""
        sections = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return sections
        return [(title, {**body, "fields": _shown(body["fields"])}) for title, body in sections]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form; each field says when an import writes over it, or never does."""
        notes = self.field_notes(obj) if obj is not None else {}
        form = super().get_form(request, obj, change=change, **{"help_texts": notes, **kwargs})
        for name in notes.keys() & form.base_fields.keys():
            field = form.base_fields[name] = copy.deepcopy(form.base_fields[name])
            field.help_text = " ".join(dict.fromkeys(part for part in (field.help_text, notes[name]) if part))
        return form

    def field_notes(self, student: Student) -> dict[str, str]:
        """Field → a sentence on who may write it, for fields that are owned or locked."""
        owners = self.owner_names()
        notes = {}
        for row in FieldOwnership.objects.filter(entity="student").exclude(owner=""):
            owner = owners.get(row.owner, "another system")
            notes[row.field] = f"Owned by {owner}; edits are overwritten at its next import."
            if row.owner == CONSOLE:
                notes[row.field] = "Owned by this console; no import changes it."
        for lock in student.locks.select_related("user"):
            notes[lock.field] = f"Locked: {lock.reason}. No import changes it."
        return notes

    def owner_names(self) -> dict[str, str]:
        """Key → name of the systems that can own fields; here none is known."""
        return {}

    def supplied_by(self, _student: Student) -> list[str]:
        """The names of the systems whose imports write to this student; here none is known."""
        return []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The page, with who writes to this student above the form."""
        student = kwargs.get("obj")
        if student is not None:
            notes = self.field_notes(student)
            context["suppliers"] = self.supplied_by(student)
            context["whole_notes"] = [
                (field_label("student", name), notes[name])
                for name in ("family", "allergies", *WHOLE_LISTS)
                if name in notes
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def history_value(self, field: Any, value: Any) -> Any:
        """Races as their labels, anything else as usual."""
        if field.name == "races" and isinstance(value, list):
            return value_label("student", "races", value)
        return super().history_value(field, value)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Student]:
        """Those at schools the person may see."""
        current = Enrollment.objects.filter(left=None).select_related("school").order_by("-primary", "id")
        queryset: QuerySet[Student] = super().get_queryset(request)
        return visible_students(queryset, request.user).prefetch_related(
            Prefetch("enrollments", queryset=current, to_attr="current_enrollments"),
            Prefetch(
                "family__students",
                queryset=visible_students(Student.objects.all(), request.user),
                to_attr="members_to_see",
            ),
        )

    def save_model(self, request: HttpRequest, obj: Student, form: Any, change: bool) -> None:
        """Save, and make an edit known."""
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            tell_edited(request, [obj.pk])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the rows of a tab; a new lock remembers who set it."""
        if formset.model is FieldLock:
            for row in formset.forms:
                if row.instance.pk is None:
                    row.instance.user = request.user
        super().save_formset(request, form, formset, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the tabs, and make an edit known."""
        super().save_related(request, form, formsets, change)
        if form_changed(form, formsets):
            tell_edited(request, [form.instance.pk])

    @display(description="Name", ordering="last_name")
    def name(self, student: Student) -> str:
        """Last name, first name."""
        return str(student)

    @display(description="Student ID", ordering="local_id")
    def student_id(self, student: Student) -> str:
        """The district's own id."""
        return or_dash(student.local_id)

    @display(description="Grade", ordering="grade_level")
    def grade(self, student: Student) -> str:
        """The grade in words."""
        return or_dash(student.get_grade_level_display())

    @display(description="School")
    def school(self, student: Student) -> str:
        """Where the student is enrolled now, the primary enrollment first."""
        stays: list[Enrollment] = getattr(student, "current_enrollments", [])
        return or_dash(", ".join(stay.school.name for stay in stays))

    @display(description="Born", ordering="birth_date")
    def born(self, student: Student) -> str | SafeString:
        """The birth date."""
        return day(student.birth_date)

    @display(description="Status", ordering="status", label={"Current": "success"})
    def status_label(self, student: Student) -> str:
        """Current or former."""
        return student.get_status_display()

    @display(description="Races")
    def races_shown(self, student: Student) -> str:
        """The races in words, in order."""
        return or_dash(student.race_labels())

    @display(description="Home phone")
    def home_phone_shown(self, student: Student) -> str:
        """The number as people write it."""
        return or_dash(phone_label(student.home_phone))

    @display(description="Mobile phone")
    def mobile_phone_shown(self, student: Student) -> str:
        """The number as people write it."""
        return or_dash(phone_label(student.mobile_phone))

    @display(description="Family")
    def family_shown(self, student: Student) -> SafeString | str:
        """The other members, each with a link, and the family's own page."""
        if student._state.adding:
            return or_dash("")
        way = reverse("admin:students_family_of", args=[student.pk])
        if student.family is None:
            told = "No family: the fields that would decide are blank, or no other child shares them."
            decided = next((lock for lock in student.locks.all() if lock.field == "family"), None)
            told = f"No family, as decided: {decided.reason}" if decided else told
            return format_html('{} (<a class="console-link" href="{}">join</a>)', told, way)
        members: list[Student] = getattr(student.family, "members_to_see", [])
        names = format_html_join(
            ", ",
            '<a class="console-link" href="{}">{}</a>',
            [
                (reverse("admin:students_student_change", args=[one.pk]), f"{one.first_name} {one.last_name}")
                for one in members
                if one.pk != student.pk
            ],
        )
        page = reverse("admin:students_family_change", args=[student.family.pk])
        return format_html(
            '{} (<a class="console-link" href="{}">why</a>, <a class="console-link" href="{}">take out or join</a>)',
            names or "No other student shares these fields", page, way,
        )  # fmt: skip


SHOWN = {"races": "races_shown", "home_phone": "home_phone_shown", "mobile_phone": "mobile_phone_shown"}


def _shown(fields: Any) -> list[Any]:
    """The same fields, those that have one by their column in words."""
    return [tuple(_shown(field)) if isinstance(field, tuple) else SHOWN.get(field, field) for field in fields]


admin.site.register(Student, StudentAdmin)
