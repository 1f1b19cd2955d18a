"""Contacts: on the student's page, and as a list of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin_base import HistoryAdmin, StackedInline, display
from students.admin.base import EstimatingPaginator, form_changed, or_dash, tell_edited
from students.models import Contact, Student, StudentContact
from students.scope import visible_contacts, visible_students

LINK_FIELDS = (("relationship", "order"), ("lives_with", "emergency"), ("receives_mail", "restricted"))


class StudentContactInline(StackedInline):
    """The contacts of one student."""

    model = StudentContact
    fields = ("contact", *LINK_FIELDS)
    autocomplete_fields = ("contact",)
    verbose_name = "contact"
    verbose_name_plural = "Contacts"


class ChildInline(StackedInline):
    """The students of one contact."""

    model = StudentContact
    fields = ("student", *LINK_FIELDS)
    autocomplete_fields = ("student",)
    verbose_name = "student"
    verbose_name_plural = "Students"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudentContact]:
        """The links to students the person may see."""
        queryset: QuerySet[StudentContact] = super().get_queryset(request)
        return queryset.filter(student__in=visible_students(Student.objects.order_by(), request.user))


@admin.register(Contact)
class ContactAdmin(HistoryAdmin):
    """Parents, guardians and other people to reach."""

    empty_hint = "Contacts come with the first import of students."
    empty_without_add = True
    list_display = ("name", "children", "phone", "email_shown")
    search_fields = ("last_name", "first_name", "email", "home_phone", "mobile_phone")
    search_help_text = "Search by name, email or phone"
    ordering = ("last_name", "first_name", "id")
    paginator = EstimatingPaginator
    inlines = (ChildInline,)
    fieldsets = (
        ("Name", {"fields": (("prefix", "suffix"), "first_name", "middle_name", "last_name")}),
        ("Reach", {"fields": ("email", "home_phone", "mobile_phone", "work_phone")}),
        ("Address", {"fields": ("line1", "line2", "city", "state", "postal_code")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        """Those of students the person may see."""
        queryset: QuerySet[Contact] = super().get_queryset(request)
        return visible_contacts(queryset, request.user).prefetch_related("student_links__student")

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        """Save, and make the edit known for every student of the contact."""
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            tell_edited(request, _children(obj))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the links, and make the edit known for the students on either side of it."""
        before = _children(form.instance)
        super().save_related(request, form, formsets, change)
        if form_changed(form, formsets):
            tell_edited(request, {*before, *_children(form.instance)})

    @display(description="Name", ordering="last_name")
    def name(self, contact: Contact) -> str:
        """The last name first, as in a list of people."""
        return ", ".join(part for part in (contact.last_name, contact.first_name) if part) or "(no name)"

    @display(description="Students")
    def children(self, contact: Contact) -> str:
        """The contact's students, at most three by name."""
        names = [f"{link.student.first_name} {link.student.last_name}" for link in contact.student_links.all()]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return or_dash(", ".join(names[:3]) + more)

    @display(description="Phone")
    def phone(self, contact: Contact) -> str:
        """The number most likely to be answered."""
        return or_dash(contact.mobile_phone or contact.home_phone or contact.work_phone)

    @display(description="Email", ordering="email")
    def email_shown(self, contact: Contact) -> str:
        """The email address."""
        return or_dash(contact.email)


def _children(contact: Contact) -> list[int]:
    return list(StudentContact.objects.filter(contact=contact.pk).values_list("student_id", flat=True))
