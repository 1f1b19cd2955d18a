"""The student's page, with where each id comes from and what runs did lately."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from config.admin_base import TabularInline, display
from integrations.admin import refresh
from integrations.admin.scoping import at_schools
from integrations.admin.words import lines_of, names_for
from integrations.models import Change, ExternalIdentity, Integration
from students.admin.students import StudentAdmin
from students.models import Student

RECENT = 10

admin.site.unregister(Student)


class IdentityInline(TabularInline):
    """The id each system uses for the student."""

    model = ExternalIdentity
    fields = readonly_fields = ("system", "integration", "external_id")
    verbose_name_plural = "IDs in other systems"
    hide_title = True
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, *_args: Any) -> bool:
        """An import links ids; nobody types them."""
        return False

    def has_change_permission(self, _request: HttpRequest, *_args: Any) -> bool:
        """An import links ids; nobody types them."""
        return False

    @display(description="System")
    def system(self, identity: ExternalIdentity) -> str:
        """The kind of system."""
        return identity.integration.get_system_display()


@admin.register(Student)
class StudentWithRunsAdmin(StudentAdmin):
    """Students, with what integrations know and did."""

    inlines: tuple[type[Any], ...] = (*StudentAdmin.inlines, IdentityInline)
    change_form_outer_after_template = "console/student_changes.html"
    list_before_template = "console/students_top.html"

    def get_urls(self) -> list[URLPattern]:
        """The addresses of Refresh this student from the SIS."""
        wrap = self.admin_site.admin_view
        own = [
            path("refresh/", wrap(self.refresh_by_id), name="students_student_refresh"),
            path("<int:pk>/refresh/", wrap(self.refresh), name="students_student_refresh_one"),
        ]
        return own + super().get_urls()

    def refresh_by_id(self, request: HttpRequest) -> HttpResponse:
        """The form for a student who is not known yet."""
        return refresh.form(request, self.admin_site)

    @method_decorator(require_POST)
    def refresh(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read this student again; 404 for one the person may not see."""
        student = self.visible_or_404(request, str(pk))
        assert isinstance(student, Student)
        return refresh.start(request, student)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the way to read one more student."""
        more = {"may_refresh": request.user.has_perm("integrations.run_import"), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, more)
        return response

    def owner_names(self) -> dict[str, str]:
        """Key → name of every integration."""
        return {one.owner_key: one.name for one in Integration.objects.all()}

    def supplied_by(self, student: Student) -> list[str]:
        """The integrations that know the student and are allowed to import."""
        known = Integration.objects.filter(identities__student=student, active=True, import_enabled=True)
        return list(known.order_by("name").values_list("name", flat=True).distinct())

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """With the latest changes by runs below the form."""
        student = kwargs.get("obj")
        if student is not None:
            context["refreshable"] = refresh.buttons(request, student)
        if student is not None and request.user.has_perm("students.view_studentmerge"):
            context["merges"] = student.merges.select_related("survivor", "user", "undone_by")
            context["may_merge"] = request.user.has_perm("students.add_studentmerge")
        if student is not None and request.user.has_perm("integrations.view_change"):
            rows = at_schools(Change.objects.filter(entity="student", target=student.pk), request.user)
            changes = list(rows.select_related("run__integration").order_by("-id")[:RECENT])
            names = names_for(changes, request.user)
            context["recent_changes"] = [(change, lines_of(change, names)) for change in changes]
        return super().render_change_form(request, context, *args, **kwargs)
