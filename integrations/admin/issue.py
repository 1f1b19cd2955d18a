"""Issues: what happened, to whom, why, and the link that mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config.admin_base import ChoicesDropdownFilter, DropdownFilter, ReadOnlyAdmin, display
from integrations import matching
from integrations.admin.change import AtSchoolFilter
from integrations.admin.responses import page, refused
from integrations.admin.scoping import at_schools, visible_runs
from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, RecordIssue, SyncRun
from integrations.models.integration import MAPPING_FIELDS
from mapping.models import Entity
from students.admin.base import EstimatingPaginator, or_dash
from students.models import School, Student
from students.scope import visible_students

CODE_LABELS = {
    "unmapped_code": "Unmapped code",
    "possible_match": "Possible match",
    "possible_duplicate": "Possible duplicate",
    "identity_conflict": "Same state ID, another child",
    "duplicate_in_source": "One ID, two children",
    "missing_required": "Name missing",
    "too_long": "Text too long",
    "bad_text": "Unreadable text",
    "unlisted_enrollment_code": "Unlisted enrollment code",
    "two_primary_enrollments": "Two primary enrollments",
    "found_active": "Missing, but active",
    "could_not_ask": "Could not be asked",
    "conflict": "Edited meanwhile",
    "count_disagrees": "Counts disagree",
    "page_repeated": "Page repeated",
    "page_skipped": "Page skipped",
    "page_truncated": "Page cut short",
    "school_empty": "School came empty",
    "school_failed": "School not read",
    "school_missing": "School missing",
    "unreadable_rows": "Unreadable rows",
    "bad_date": "Unreadable date",
    "unreadable": "Unreadable record",
    "moved_meanwhile": "Moved while being read",
    "resume_differs": "Changed while being read",
    "page_size_ignored": "Page size ignored",
}
MATCHES = ("possible_match", "possible_duplicate", "identity_conflict")


def code_label(code: str) -> str:
    """The kind of issue in words."""
    return CODE_LABELS.get(code) or code.replace("_", " ").capitalize()


class KindFilter(DropdownFilter):
    """Issues of one kind."""

    title = "kind"
    parameter_name = "code"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """Every kind that has a name."""
        return sorted(CODE_LABELS.items(), key=lambda pair: pair[1])

    def queryset(self, _request: HttpRequest, queryset: QuerySet[RecordIssue]) -> QuerySet[RecordIssue]:
        """Those of the kind."""
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(RecordIssue)
class RecordIssueAdmin(ReadOnlyAdmin):
    """Problems of records and of whole runs, each with its remedy."""

    empty_hint = "No run has met a problem."
    list_display = ("kind", "message_shown", "remedy_shown", "where", "severity_label")
    list_display_links = ("kind",)
    list_filter = (KindFilter, ("severity", ChoicesDropdownFilter), AtSchoolFilter)
    list_select_related = ("run__integration",)
    search_fields = ("external_id", "message", "raw_code")
    search_help_text = "Search by SIS ID, code or words of the message"
    list_before_template = "console/list_of_run.html"
    ordering = ("-run_id", "id")
    sortable_by = ()
    paginator = EstimatingPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecordIssue]:
        """Those at schools the person may see."""
        return at_schools(super().get_queryset(request), request.user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; of one run when it is asked for."""
        run_id = request.GET.get("run__id__exact", "")
        run = visible_runs(SyncRun.objects.all(), request.user).filter(pk=run_id).first() if run_id.isdigit() else None
        title = f"Issues of run {run.pk}" if run else "Issues"
        more = {"title": title, "run": run, **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, more)
        if isinstance(response, TemplateResponse) and (listed := (response.context_data or {}).get("cl")):
            _tell(list(listed.result_list))
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One issue in full."""
        issue = self.get_object(request, object_id)
        if issue is None:
            return self._get_obj_does_not_exist_redirect()
        if not self.has_view_permission(request, issue):
            return HttpResponse(status=403)
        _tell([issue])
        return page(
            request,
            self.admin_site,
            "console/issue.html",
            title=f"Run {issue.run_id}: {code_label(issue.code)}",
            issue=issue,
            kind=code_label(issue.code),
            schools=self.where(issue),
            links=[link for link in mending_links(issue) if link[1] != request.path],
            candidate=self._candidate(request, issue),
            may_match=request.user.has_perm("students.change_student"),
            back=f"{reverse('admin:integrations_recordissue_changelist')}?run__id__exact={issue.run_id}",
        )

    def get_urls(self) -> list[URLPattern]:
        """The addresses of the two answers to whose record it is."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/link/", wrap(self.link), name="integrations_recordissue_link"),
            path("<int:pk>/not-the-same/", wrap(self.not_same), name="integrations_recordissue_not_same"),
        ]
        return own + list(super().get_urls())

    @method_decorator(require_POST)
    def link(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The record is the student it may be."""
        return self._answer(request, pk, matching.link_record, "Linked. The next import writes what it says.")

    @method_decorator(require_POST)
    def not_same(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The record is another child."""
        said = "Noted: they are two children. The next import adds the new one."
        return self._answer(request, pk, matching.not_the_same, said)

    def _answer(self, request: HttpRequest, pk: int, decide: Callable[..., None], said: str) -> HttpResponse:
        issue = self.get_object(request, str(pk))
        if issue is None or self._candidate(request, issue) is None:
            raise Http404
        if not request.user.has_perm("students.change_student"):
            raise PermissionDenied
        own = reverse("admin:integrations_recordissue_change", args=[pk])
        try:
            decide(issue=issue, user=request.user)
        except RunRefused as error:
            return refused(request, error, back=own)
        messages.success(request, said)
        return HttpResponseRedirect(own)

    def _candidate(self, request: HttpRequest, issue: RecordIssue) -> Student | None:
        """The student the record may be, when there is one that the person may see."""
        if issue.candidate_id is None:
            return None
        return visible_students(Student.objects.all(), request.user).filter(pk=issue.candidate_id).first()

    @display(description="What")
    def kind(self, issue: RecordIssue) -> str:
        """The kind of issue."""
        return code_label(issue.code)

    @display(description="What happened")
    def message_shown(self, issue: RecordIssue) -> SafeString:
        """The message, and whose record it is."""
        whom = f"SIS ID {issue.external_id}" if issue.external_id else ""
        return format_html(
            '<span class="console-stack console-wrap"><span>{}</span><span class="console-quiet">{}</span></span>',
            issue.message,
            whom,
        )

    @display(description="What to do")
    def remedy_shown(self, issue: RecordIssue) -> SafeString:
        """The remedy, with the links that mend it."""
        links = format_html_join(
            " ",
            '<a class="console-link" href="{}">{}</a>',
            ((url, text) for text, url in mending_links(issue)),
        )
        return format_html(
            '<span class="console-stack console-wrap"><span>{}</span><span>{}</span></span>',
            issue.remedy,
            links,
        )

    @display(description="School")
    def where(self, issue: RecordIssue) -> str:
        """The schools by name."""
        names: dict[str, str] = getattr(issue, "school_names", {})
        return or_dash(", ".join(names.get(code, code) for code in issue.schools))

    @display(
        description="Effect",
        label={"Record not imported": "danger", "Field left as it was": "warning", "Whole run": "danger"},
    )
    def severity_label(self, issue: RecordIssue) -> str:
        """What the issue came to; resolved ones say so."""
        return "Resolved" if issue.resolved else issue.get_severity_display()


def mending_links(issue: RecordIssue) -> list[tuple[str, str]]:
    """(text, address) of the pages where the issue can be mended."""
    integration = issue.run.integration
    links: list[tuple[str, str]] = []
    if issue.code == "unmapped_code" and issue.entity in MAPPING_FIELDS:
        label = Entity(issue.entity).label
        mapping = getattr(integration, f"{issue.entity}_id")
        if mapping:
            links.append((f"{label} mapping", reverse("admin:mapping_dataentitymapping_change", args=[mapping])))
    if issue.candidate_id:
        links.append(("Compare and decide", reverse("admin:integrations_recordissue_change", args=[issue.pk])))
    students: dict[str, int] = getattr(issue, "students", {})
    if student := students.get(issue.external_id):
        links.append(("Student", reverse("admin:students_student_change", args=[student])))
    if issue.severity == RecordIssue.Severity.RUN or issue.code == "unlisted_enrollment_code" or not links:
        url = reverse("admin:integrations_integration_change", args=[integration.pk])
        links.append((f"Integration {integration.name}", url))
    return links


def _tell(issues: list[RecordIssue]) -> None:
    """Give every row the names of schools and the students its links lead to."""
    names = dict(School.objects.values_list("code", "name"))
    found: dict[int, dict[str, int]] = {}
    for integration in {issue.run.integration_id for issue in issues}:
        ids = [issue.external_id for issue in issues if issue.run.integration_id == integration]
        rows = ExternalIdentity.objects.filter(
            integration=integration, entity="student", external_id__in=ids, student__isnull=False
        )
        found[integration] = {external: pk for external, pk in rows.values_list("external_id", "student") if pk}
    for issue in issues:
        issue.school_names = names  # type: ignore[attr-defined]
        issue.students = found[issue.run.integration_id]  # type: ignore[attr-defined]
