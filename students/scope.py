"""Which schools, and so which students, a person may see."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from students.models import Contact, Enrollment, Family, SchoolScope, Student, StudentContact


def allowed_schools(user: Any) -> frozenset[str] | None:
    """The codes of the schools the person is limited to, None for a person who may see all."""
    codes = frozenset(SchoolScope.objects.filter(user=user.pk).values_list("school__code", flat=True))
    return codes or None


def visible_students(students: QuerySet[Student], user: Any) -> QuerySet[Student]:
    """Those of the students who are or were enrolled at a school the person may see."""
    codes = allowed_schools(user)
    if codes is None:
        return students
    return students.filter(Exists(Enrollment.objects.filter(student=OuterRef("pk"), school__code__in=codes)))


def visible_contacts(contacts: QuerySet[Contact], user: Any) -> QuerySet[Contact]:
    """Those of the contacts who belong to a student the person may see."""
    codes = allowed_schools(user)
    if codes is None:
        return contacts
    links = StudentContact.objects.filter(contact=OuterRef("pk"), student__enrollments__school__code__in=codes)
    return contacts.filter(Exists(links))


def visible_families(families: QuerySet[Family], user: Any) -> QuerySet[Family]:
    """Those of the families with a member the person may see."""
    codes = allowed_schools(user)
    if codes is None:
        return families
    members = Student.objects.filter(family=OuterRef("pk"), enrollments__school__code__in=codes)
    return families.filter(Exists(members))
