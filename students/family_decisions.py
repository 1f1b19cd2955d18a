"""A person's word on who is one family: take a child out, join children, and lift the decision again.

A decision is a lock of the field ``family``, with its reason: imports leave the family of a locked child alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction

from .models import Family, FieldLock, Student
from .signals import student_edited

FIELD = "family"


class DecisionRefused(Exception):
    """A decision on a family that cannot be; the message tells a person why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def split_student(*, student: Student, reason: str, user: Any = None) -> None:
    """Take the child out of its family, and keep it out. Raises DecisionRefused."""
    _check(reason)
    with transaction.atomic():
        found = Student.objects.select_for_update().get(pk=student.pk)
        if found.family_id is None:
            raise DecisionRefused(f"{found} is in no family.")
        _decide([found], None, reason=reason, user=user)


def family_after(*, student: Student, other: Student, whole: bool) -> list[Student]:
    """The children who are one family once the child, or with ``whole`` its whole family, is joined with the other."""
    keys = {student.pk, other.pk}
    families = {other.family_id} if other.family_id else {student.family_id}
    families |= {student.family_id} if whole else set()
    siblings = Student.objects.filter(family__in=[one for one in families if one])
    return list(Student.objects.filter(pk__in=keys) | siblings)


def join_students(*, student: Student, other: Student, whole: bool, reason: str, user: Any = None) -> Family:
    """Make the child, or with ``whole`` its whole family, one family with the other child; the family they are.

    They join the other child's family; where that has none, the other joins theirs; else the family is new. Every
    child of it is locked, so that no import parts them. Raises DecisionRefused.
    """
    _check(reason)
    if student.pk == other.pk:
        raise DecisionRefused("Choose another child to join with.")
    with transaction.atomic():
        found = {one.pk: one for one in Student.objects.select_for_update().filter(pk__in=[student.pk, other.pk])}
        one, with_whom = found[student.pk], found[other.pk]
        if one.family_id and one.family_id == with_whom.family_id:
            raise DecisionRefused(f"{one} and {with_whom} are one family already.")
        members = family_after(student=one, other=with_whom, whole=whole)
        family = with_whom.family or one.family or Family.objects.create(key=uuid.uuid4().hex)
        _decide(members, family, reason=reason, user=user)
    return family


def lift_decisions(*, students: Iterable[Student], user: Any = None) -> int:
    """Let imports decide on the family of these children again; how many decisions were lifted.

    The children stay as they are until the next import.
    """
    ids = [student.pk for student in students]
    with transaction.atomic():
        locks = FieldLock.objects.filter(student__in=ids, field=FIELD)
        freed = list(locks.values_list("student", flat=True))
        locks.delete()
        student_edited.send(sender=Student, student_ids=freed, user=user)
    return len(freed)


def decisions_on(students: Collection[Student]) -> list[FieldLock]:
    """The decisions in force on these children, by name."""
    rows = FieldLock.objects.filter(student__in=students, field=FIELD).select_related("student", "user")
    return list(rows.order_by("student__last_name", "student__first_name", "student"))


def _check(reason: str) -> None:
    if not reason.strip():
        raise DecisionRefused("Say why. Nothing was changed.")


def _decide(students: list[Student], family: Family | None, *, reason: str, user: Any) -> None:
    left = {one.family_id for one in students if one.family_id} - {family.pk if family else None}
    for student in students:
        if student.family_id != (family.pk if family else None):
            student.family = family
            student.save(update_fields=["family"])
        FieldLock.objects.update_or_create(
            student=student, field=FIELD, defaults={"reason": reason.strip()[:200], "user": user}
        )
    Family.objects.filter(pk__in=left, students=None).delete()
    student_edited.send(sender=Student, student_ids=[one.pk for one in students], user=user)
