"""The page on which a person decides on a child's family: take out, join, lift."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from students.family_decisions import (
    DecisionRefused,
    decisions_on,
    family_after,
    join_students,
    lift_decisions,
    split_student,
)
from students.models import Student
from students.scope import visible_students

MOST = 10
BEYOND = "The family has children at schools you may not see. Ask somebody who may see all schools."


def decide_page(request: HttpRequest, site: AdminSite, pk: int) -> HttpResponse:
    """The page of one child's family; a POST decides. 404 for a child the person may not see."""
    if not request.user.has_perm("students.change_student"):
        raise PermissionDenied
    student = visible_students(Student.objects.select_related("family"), request.user).filter(pk=pk).first()
    if student is None:
        raise Http404
    if request.method == "POST":
        return _decide(request, student)
    words = request.GET.get("q", "").strip()
    siblings = _siblings(student, request.user)
    decisions = decisions_on([student, *siblings])
    context = {
        **site.each_context(request),
        "title": f"Family of {student.first_name} {student.last_name}",
        "student": student,
        "siblings": siblings,
        "decisions": decisions,
        "own": any(lock.student_id == student.pk for lock in decisions),
        "words": words,
        "found": _found(student, words, request.user),
        "back": reverse("admin:students_student_change", args=[student.pk]),
    }
    return TemplateResponse(request, "console/family_decide.html", context)


def _decide(request: HttpRequest, student: Student) -> HttpResponse:
    """Do what the pressed button says, and come back to the page with what was done."""
    own = reverse("admin:students_family_of", args=[student.pk])
    what, reason = request.POST.get("what"), request.POST.get("reason", "")
    user: Any = request.user
    try:
        if what == "split":
            split_student(student=student, reason=reason, user=user)
            messages.success(request, f"{student} is in no family now, and no import changes that.")
        elif what == "join":
            _join(request, student, reason)
        elif what in ("lift", "lift_all"):
            everyone = [student, *_siblings(student, user)] if what == "lift_all" else [student]
            if len(everyone) > 1:
                _check_all_seen(everyone, user)
            lift_decisions(students=everyone, user=user)
            messages.success(request, "Lifted. The next import decides on the family again.")
        else:
            raise Http404
    except DecisionRefused as error:
        messages.error(request, error.message)
    return HttpResponseRedirect(own)


def _join(request: HttpRequest, student: Student, reason: str) -> None:
    wanted = request.POST.get("other", "")
    seen = visible_students(Student.objects.all(), request.user)
    other = seen.filter(pk=int(wanted)).first() if wanted.isdigit() else None
    if other is None:
        raise DecisionRefused("Choose the child to join with.")
    whole = bool(request.POST.get("whole"))
    members = family_after(student=student, other=other, whole=whole)
    _check_all_seen(members, request.user)
    join_students(student=student, other=other, whole=whole, reason=reason, user=request.user)
    names = ", ".join(one.first_name for one in members)
    messages.success(request, f"One family now: {names}. No import changes that until the decision is lifted.")


def _check_all_seen(students: list[Student], user: Any) -> None:
    """Raises DecisionRefused when one of the students, or of their families, is none the person may see."""
    everyone = Student.objects.filter(
        Q(pk__in=[one.pk for one in students]) | Q(family__in=[one.family_id for one in students if one.family_id])
    )
    if visible_students(everyone, user).count() < everyone.count():
        raise DecisionRefused(BEYOND)


def _siblings(student: Student, user: Any) -> list[Student]:
    if student.family_id is None:
        return []
    others = Student.objects.filter(family=student.family_id).exclude(pk=student.pk)
    return list(visible_students(others, user))


def _found(student: Student, words: str, user: Any) -> list[Student]:
    """The first children the words fit who are not in the family yet."""
    if not words:
        return []
    rows: QuerySet[Student] = visible_students(Student.objects.select_related("family"), user).exclude(pk=student.pk)
    if student.family_id is not None:
        rows = rows.exclude(family=student.family_id)
    for word in words.split():
        rows = rows.filter(
            Q(last_name__icontains=word) | Q(first_name__icontains=word) | Q(local_id=word) | Q(state_id=word)
        )
    return list(rows.order_by("last_name", "first_name", "pk")[:MOST])
