"""Contacts: on the student's page, and as a list of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin_base import HistoryAdmin, StackedInline, display
from students.admin.base import EstimatingPaginator, form_changed, or_dash, tell_edited
from students.admin.forms import ContactForm
from students.labels import phone_label
from students.models import Contact, Student, StudentContact
from students.scope import visible_contacts, visible_students

LINK_FIELDS = (("relationship", "order"), ("lives_with", "emergency"), ("receives_mail", "restricted"))
NO_NAME = "(no name)"
NO_NAME_WHY = "The SIS sent this contact without a name"
PHONES = {"mobile_phone": "mobile", "home_phone": "home", "work_phone": "work"}


def named_first(path: str = "") -> Case:
    """An ordering that puts contacts without any name last. path: leads to the contact, as in ``contact__``."""
    return Case(When(**{f"{path}first_name": "", f"{path}last_name": ""}, then=Value(1)), default=Value(0))


def phones_of(contact: Contact) -> str:
    """All numbers, each with its kind, as in "(559) 555-0142 mobile"."""
    numbers = ((getattr(contact, field), kind) for field, kind in PHONES.items())
    return ", ".join(f"{phone_label(number)} {kind}" for number, kind in numbers if number)


class StudentContactInline(StackedInline):
    """The contacts of one student."""

    model = StudentContact
    fields = ("contact", "reach", *LINK_FIELDS)
    readonly_fields = ("reach",)
    autocomplete_fields = ("contact",)
    verbose_name = "contact"
    verbose_name_plural = "Contacts"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudentContact]:
        """By priority; contacts without a name last."""
        queryset: QuerySet[StudentContact] = super().get_queryset(request)
        return queryset.select_related("contact").order_by(named_first("contact__"), "order", "id")

    @display(description="Reach")
    def reach(self, link: StudentContact) -> SafeString | str:
        """Phones and email, with the way to the contact's page."""
        if link._state.adding:
            return or_dash("")
        contact = link.contact
        told = "; ".join(part for part in (phones_of(contact), contact.email) if part)
        page = reverse("admin:students_contact_change", args=[contact.pk])
        why = "" if contact.first_name or contact.last_name else f"{NO_NAME_WHY}. "
        return format_html(
            '{}{} <a class="console-link" href="{}">Open the contact</a>', why, told or "No phone, no email.", page
        )


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

    empty_hint = "Contacts come with the first import: open SIS Integrations and press the refresh icon of one."
    empty_without_add = True
    list_display = ("name", "children", "phone", "email_shown")
    search_fields = ("last_name", "first_name", "email", "home_phone", "mobile_phone")
    search_help_text = "Search by name, email or phone"
    form = ContactForm
    ordering = (named_first(), "last_name", "first_name", "id")
    paginator = EstimatingPaginator
    inlines = (ChildInline,)
    readonly_fields = ("phones_shown",)
    fieldsets = (
        ("Name", {"fields": (("prefix", "suffix"), "first_name", "middle_name", "last_name")}),
        ("Reach", {"fields": ("email", "home_phone", "mobile_phone", "work_phone")}),
        ("Address", {"fields": ("line1", "line2", "city", "state", "postal_code")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The sections; for those who only look, the phones as people write them."""
        sections = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return sections
        return [
            (title, {**body, "fields": ("email", "phones_shown") if title == "Reach" else body["fields"]})
            for title, body in sections
        ]

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
    def name(self, contact: Contact) -> str | SafeString:
        """The last name first, as in a list of people."""
        told = ", ".join(part for part in (contact.last_name, contact.first_name) if part)
        return told or format_html('{} <span class="console-quiet">{}</span>', NO_NAME, NO_NAME_WHY)

    @display(description="Phones")
    def phones_shown(self, contact: Contact) -> str | SafeString:
        """All numbers, as people write them."""
        return or_dash(phones_of(contact))

    @display(description="Students")
    def children(self, contact: Contact) -> str:
        """The contact's students, at most three by name."""
        names = [f"{link.student.first_name} {link.student.last_name}" for link in contact.student_links.all()]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return or_dash(", ".join(names[:3]) + more)

    @display(description="Phone")
    def phone(self, contact: Contact) -> str | SafeString:
        """The number most likely to be answered."""
        number = contact.mobile_phone or contact.home_phone or contact.work_phone
        return format_html('<span class="console-nowrap">{}</span>', phone_label(number)) if number else or_dash("")

    @display(description="Email", ordering="email")
    def email_shown(self, contact: Contact) -> str:
        """The email address."""
        return or_dash(contact.email)


def _children(contact: Contact) -> list[int]:
    return list(StudentContact.objects.filter(contact=contact.pk).values_list("student_id", flat=True))
