"""Duplicate Students: who may be here twice, the two side by side, the merge, and its undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST, require_safe

from config.admin_base import ReadOnlyAdmin
from integrations.admin.merge_words import sides_of, told
from integrations.admin.responses import page, refused
from integrations.merging import MergeRefused, conflicts_of, merge_students, preview_merge, undo_merge
from integrations.models import ExternalIdentity
from students.duplicates import Group, find_duplicates, pair, preselected
from students.merging import DUPLICATE
from students.models import Enrollment, NotDuplicate, Student, StudentMerge
from students.scope import allowed_schools, visible_students

PER_PAGE = 20
RECENT = 20
LIST = "admin:students_studentmerge_changelist"
FIELD = "field-"


class Shown(msgspec.Struct, frozen=True):
    """One group on the page. stays, goes: the primary keys preselected."""

    why: str
    students: Sequence[Student]
    stays: int
    goes: int


@admin.register(StudentMerge)
class DuplicatesAdmin(ReadOnlyAdmin):
    """Students who may be one child, and the merges that were made."""

    def has_merge_permission(self, request: HttpRequest) -> bool:
        """Whether the person may merge, undo a merge, and say that two are two children."""
        return request.user.has_perm("students.add_studentmerge")

    def get_urls(self) -> list[URLPattern]:
        """The addresses of comparing, merging, deciding and undoing."""
        wrap = self.admin_site.admin_view
        own = [
            path("compare/", wrap(self.compare), name="students_studentmerge_compare"),
            path("merge/", wrap(self.merge), name="students_studentmerge_merge"),
            path("not-the-same/", wrap(self.not_same), name="students_studentmerge_not_same"),
            path("not-the-same/<int:pk>/lift/", wrap(self.lift), name="students_studentmerge_lift"),
            path("<int:pk>/undo/", wrap(self.undo), name="students_studentmerge_undo"),
        ]
        return own + list(super().get_urls())

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudentMerge]:
        """The merges into students the person may see."""
        seen = visible_students(Student.objects.order_by(), request.user)
        queryset: QuerySet[StudentMerge] = super().get_queryset(request)
        return queryset.filter(survivor__in=seen).select_related("survivor", "user", "undone_by")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The groups, the latest merges, and what was decided not to be the same."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        words = request.GET.get("q", "").strip()
        groups = _groups(request, words)
        shown = Paginator(groups, PER_PAGE).get_page(request.GET.get("page"))
        seen = visible_students(Student.objects.order_by(), request.user)
        decided = NotDuplicate.objects.filter(first__in=seen, second__in=seen).select_related("first", "second", "user")
        return page(
            request,
            self.admin_site,
            "console/duplicates.html",
            title="Duplicate Students",
            groups=_shown(shown),
            shown=shown,
            pages=list(shown.paginator.get_elided_page_range(shown.number)),
            words=words,
            merges=self.get_queryset(request)[:RECENT],
            decided=decided.order_by("-pk")[:RECENT],
            may_merge=self.has_merge_permission(request),
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A merge has no page of its own: it stands on the page of the student who stayed."""
        merge = self.get_object(request, object_id)
        if merge is None:
            raise Http404
        return HttpResponseRedirect(reverse("admin:students_student_change", args=[merge.survivor_id]))

    @method_decorator(require_safe)
    def compare(self, request: HttpRequest) -> HttpResponse:
        """The two side by side: only the fields in which they differ."""
        survivor, duplicate = self._two(request, request.GET)
        if reason := _why_not(request.user, (survivor, duplicate)):
            messages.error(request, reason)
            return HttpResponseRedirect(reverse(LIST))
        return page(
            request,
            self.admin_site,
            "console/duplicates_compare.html",
            title="Duplicate Students: compare",
            survivor=survivor,
            duplicate=duplicate,
            sides=sides_of(conflicts_of(survivor, duplicate), request.user),
            known=_ids_of((survivor, duplicate)),
            back=reverse(LIST),
        )

    @method_decorator(require_POST)
    def merge(self, request: HttpRequest) -> HttpResponse:
        """Say what moves; once that is confirmed, merge."""
        survivor, duplicate = self._two(request, request.POST)
        back = f"{reverse('admin:students_studentmerge_compare')}?stays={survivor.pk}&goes={duplicate.pk}"
        choices = {key.removeprefix(FIELD): request.POST[key] for key in request.POST if key.startswith(FIELD)}
        try:
            if reason := _why_not(request.user, (survivor, duplicate)):
                raise MergeRefused(reason)
            if request.POST.get("confirmed") != "yes":
                return self._confirm(request, survivor, duplicate, choices, back=back)
            made = merge_students(survivor=survivor, duplicate=duplicate, choices=choices, user=request.user)
        except MergeRefused as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(back)
        messages.success(request, f"{made.name} was merged into {made.survivor}. The merge can be undone on this page.")
        return HttpResponseRedirect(reverse("admin:students_student_change", args=[survivor.pk]))

    def _confirm(
        self, request: HttpRequest, survivor: Student, duplicate: Student, choices: Mapping[str, str], *, back: str
    ) -> HttpResponse:
        made = preview_merge(survivor=survivor, duplicate=duplicate, choices=choices)
        taken = [
            (one.label, one.duplicate if choices.get(one.field, one.chosen) == DUPLICATE else one.survivor)
            for one in sides_of(conflicts_of(survivor, duplicate), request.user)
        ]
        return page(
            request,
            self.admin_site,
            "console/duplicates_confirm.html",
            title="Duplicate Students: merge",
            survivor=survivor,
            duplicate=duplicate,
            name=made.name,
            taken=taken,
            told=told(made),
            choices=choices,
            back=back,
        )

    @method_decorator(require_POST)
    def not_same(self, request: HttpRequest) -> HttpResponse:
        """Remember that two students are two children."""
        one, other = self._two(request, request.POST)
        if reason := _why_not(request.user, (one, other)):
            messages.error(request, reason)
            return HttpResponseRedirect(reverse(LIST))
        first, second = pair(one.pk, other.pk)
        user: Any = request.user
        NotDuplicate.objects.get_or_create(first_id=first, second_id=second, defaults={"user": user})
        messages.success(request, f"Noted: {one} and {other} are two children. They are not listed together any more.")
        return HttpResponseRedirect(reverse(LIST))

    @method_decorator(require_POST)
    def lift(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take back the word that two students are two children."""
        if not self.has_merge_permission(request):
            raise PermissionDenied
        seen = visible_students(Student.objects.order_by(), request.user)
        decided = NotDuplicate.objects.filter(pk=pk, first__in=seen, second__in=seen).first()
        if decided is None:
            raise Http404
        decided.delete()
        messages.success(request, "Taken back. The two are listed together again if they look the same.")
        return HttpResponseRedirect(reverse(LIST))

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say what an undo gives back; once that is confirmed, undo."""
        if not self.has_merge_permission(request):
            raise PermissionDenied
        merge = self.get_queryset(request).filter(pk=pk).first()
        if merge is None:
            raise Http404
        back = reverse("admin:students_student_change", args=[merge.survivor_id])
        if request.method != "POST":
            title = "Undo a merge of students"
            return page(
                request, self.admin_site, "console/duplicates_undo.html", title=title, merge=merge, told=told(merge),
                back=back,
            )  # fmt: skip
        try:
            if reason := _why_not(request.user, (merge.survivor,)):
                raise MergeRefused(reason)
            kept = undo_merge(merge=merge, user=request.user)
        except MergeRefused as error:
            return refused(request, error, back=back)
        again = reverse("admin:students_student_change", args=[merge.duplicate])
        messages.success(request, f"{merge.name} is a student again.")
        for sentence in kept:
            messages.warning(request, f"Kept as it is now. {sentence}.")
        return HttpResponseRedirect(again if Student.objects.filter(pk=merge.duplicate).exists() else back)

    def _two(self, request: HttpRequest, data: Any) -> tuple[Student, Student]:
        """The student who stays and the one who goes, out of those the person may see."""
        if not self.has_merge_permission(request):
            raise PermissionDenied
        wanted = [data.get("stays", ""), data.get("goes", "")]
        if not all(one.isdigit() for one in wanted):
            raise Http404
        seen = visible_students(Student.objects.all(), request.user).in_bulk([int(one) for one in wanted])
        if len(seen) < len(set(wanted)):
            raise Http404
        return seen[int(wanted[0])], seen[int(wanted[1])]


def _groups(request: HttpRequest, words: str) -> list[Group]:
    """The groups among the students the person may see; those with somebody the words fit."""
    seen = visible_students(Student.objects.all(), request.user)
    groups = find_duplicates(seen)
    if not words:
        return groups
    fits = Q()
    for word in words.split():
        fits &= Q(last_name__icontains=word) | Q(first_name__icontains=word) | Q(local_id=word) | Q(state_id=word)
    found = set(seen.filter(fits).values_list("pk", flat=True))
    return [group for group in groups if found.intersection(group.students)]


def _shown(groups: Page[Group]) -> list[Shown]:
    ids = [pk for group in groups for pk in group.students]
    stays = Enrollment.objects.filter(left=None).select_related("school").order_by("-primary", "pk")
    rows = Student.objects.filter(pk__in=ids).prefetch_related(
        Prefetch("enrollments", queryset=stays, to_attr="current_enrollments"), _IDENTITIES
    )
    students = {one.pk: one for one in rows}
    known = ExternalIdentity.objects.filter(student__in=ids, entity="student").order_by().values_list("student")
    systems = {pk: number for pk, number in known.annotate(Count("integration", distinct=True)) if pk}
    found = []
    for group in groups:
        members = [students[pk] for pk in group.students if pk in students]
        if len(members) < 2:
            continue
        first = preselected(members, systems=systems)
        members.sort(key=lambda one: (one.pk != first.pk, one.pk))
        found.append(Shown(", ".join(group.why), members, first.pk, members[1].pk))
    return found


_IDENTITIES = Prefetch(
    "identities",
    queryset=ExternalIdentity.objects.filter(entity="student").select_related("integration").order_by("pk"),
    to_attr="ids_elsewhere",
)


def _ids_of(students: tuple[Student, ...]) -> list[list[ExternalIdentity]]:
    """The ids of each of the students in other systems."""
    rows = ExternalIdentity.objects.filter(entity="student").select_related("integration").order_by("pk")
    return [list(rows.filter(student=one)) for one in students]


def _why_not(user: Any, students: tuple[Student, ...]) -> str:
    """Why the person may not decide on these students, "" when they may: it needs all schools they are enrolled at."""
    if len(students) == 2 and students[0].pk == students[1].pk:
        return "Choose two different students."
    codes = allowed_schools(user)
    if codes is None:
        return ""
    stay = Enrollment.objects.filter(student__in=students, left=None).exclude(school__code__in=codes).first()
    if stay is None:
        return ""
    return f"{stay.student} is also enrolled at a school you may not see. Ask somebody who may see all schools."
