"""Issues: what happened, to whom, why, and the link that mends it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.admin_base import DropdownFilter, ReadOnlyAdmin, RelatedDropdownFilter, display
from integrations.admin.change import AtSchoolFilter
from integrations.admin.responses import page
from integrations.admin.scoping import at_schools, latest_imports, visible_runs
from integrations.models import ExternalIdentity, RecordIssue, SyncRun
from integrations.models.integration import MAPPING_FIELDS
from integrations.models.run import REVIEWED
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
    "merged_record": "Merged record",
    "missing_required": "Required value missing",
    "too_long": "Text too long",
    "bad_text": "Unreadable text",
    "unlisted_enrollment_code": "Unlisted enrollment code",
    "two_primary_enrollments": "Two primary enrollments",
    "outside_school_year": "Outside the academic year",
    "year_over": "The chosen year is over",
    "not_found": "Student not found",
    "found_active": "Missing, but active",
    "picture_refused": "Picture not taken",
    "pictures_of_nobody": "Pictures of others",
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
    "bad_type": "Unreadable value",
    "unreadable": "Unreadable record",
    "moved_meanwhile": "Moved while being read",
    "current_elsewhere": "Current in another system",
    "resume_differs": "Changed while being read",
    "page_size_ignored": "Page size ignored",
    "count_untold": "Count not told",
    "delta_only": "Delta",
    "delta_in_part": "Delta in part",
    "demographics_missing": "Demographics missing",
}


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


class EffectFilter(DropdownFilter):
    """Issues by what they came to."""

    title = "effect"
    parameter_name = "effect"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The three there are."""
        return list(RecordIssue.Severity.choices)

    def queryset(self, _request: HttpRequest, queryset: QuerySet[RecordIssue]) -> QuerySet[RecordIssue]:
        """Those with the effect."""
        return queryset.filter(severity=self.value()) if self.value() else queryset


class RunsFilter(admin.SimpleListFilter):
    """Issues of the latest whole import of each integration, unless all are asked for, or one run's."""

    title = "runs"
    parameter_name = "runs"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice beside the latest."""
        return [("all", "All runs")]

    def choices(self, changelist: Any) -> Any:
        """Latest runs, which is what shows unless something else is asked for; all runs."""
        told = list(super().choices(changelist))
        return [{**told[0], "display": "Latest runs"}, *told[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RecordIssue]) -> QuerySet[RecordIssue]:
        """Those of the runs."""
        if self.value() == "all" or "run__id__exact" in request.GET:
            return queryset
        return queryset.filter(run__in=latest_imports())


@admin.register(RecordIssue)
class RecordIssueAdmin(ReadOnlyAdmin):
    """Problems of records and of whole runs, each with its remedy."""

    empty_hint = "The latest import of each integration has met no problem that you may see."
    list_display = ("run_shown", "student_shown", "where", "message_shown", "remedy_shown")
    list_display_links = None
    list_filter = (
        RunsFilter,
        ("run__integration", RelatedDropdownFilter),
        KindFilter,
        EffectFilter,
        AtSchoolFilter,
    )
    list_select_related = ("run__integration",)
    search_fields = ("external_id", "message", "raw_code")
    search_help_text = "Search by SIS ID, code or words of the message"
    list_before_template = "console/issues_top.html"
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
        title = f"Issues of run {run.pk}" if run else "Issues of the latest runs"
        every = run is None and request.GET.get("runs") == "all"
        more = {
            "title": "Issues of all runs" if every else title,
            "run": run,
            "every_run": every,
            **(extra_context or {}),
        }
        response: HttpResponse = super().changelist_view(request, more)
        if isinstance(response, TemplateResponse) and (listed := (response.context_data or {}).get("cl")):
            _tell(list(listed.result_list), request.user)
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
        _tell([issue], request.user)
        return page(
            request,
            self.admin_site,
            "console/issue.html",
            title=f"Run {issue.run_id}: {code_label(issue.code)}",
            issue=issue,
            kind=code_label(issue.code),
            effect=issue.get_severity_display(),
            student=_student_of(issue),
            schools=self.where(issue),
            links=[link for link in mending_links(issue) if link[1] != request.path],
            back=f"{reverse('admin:integrations_recordissue_changelist')}?run__id__exact={issue.run_id}",
        )

    @display(description="Run")
    def run_shown(self, issue: RecordIssue) -> SafeString:
        """The run with its date and integration."""
        return format_html(
            '<span class="console-stack"><a class="console-link" href="{}">Run {}</a>'
            '<span class="console-quiet">{}</span><span class="console-quiet">{}</span></span>',
            reverse("admin:integrations_syncrun_change", args=[issue.run_id]),
            issue.run_id,
            date_format(timezone.localtime(issue.run.started or issue.run.created), "DATETIME_FORMAT"),
            issue.run.integration.name,
        )

    @display(description="Student")
    def student_shown(self, issue: RecordIssue) -> SafeString | str:
        """Whose record it is, with the link where we have the student; nobody for an issue of a whole run."""
        if not issue.external_id:
            return or_dash("")
        told = _student_of(issue)
        name: str = "Not in our records"
        if told:
            url = reverse("admin:students_student_change", args=[told.pk])
            name = format_html('<a class="console-link" href="{}">{}</a>', url, told)
        return format_html(
            '<span class="console-stack"><span>{}</span><span class="console-quiet">SIS ID {}</span></span>',
            name,
            issue.external_id,
        )

    @display(description="What happened")
    def message_shown(self, issue: RecordIssue) -> SafeString:
        """The kind of issue, the message and what it came to."""
        return format_html(
            '<span class="console-stack console-wrap"><a class="console-link" href="{}">{}</a><span>{}</span>'
            '<span class="console-quiet">{}</span></span>',
            reverse("admin:integrations_recordissue_change", args=[issue.pk]),
            code_label(issue.code),
            issue.message,
            "Resolved" if issue.resolved else issue.get_severity_display(),
        )

    @display(description="What to do")
    def remedy_shown(self, issue: RecordIssue) -> SafeString:
        """The remedy, with the links that mend it."""
        links = format_html_join(
            " ",
            '<a class="console-link" href="{}">{}</a>',
            ((url, text) for text, url in mending_links(issue) if text != "Student"),
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


def mending_links(issue: RecordIssue) -> list[tuple[str, str]]:
    """(text, address) of the pages where the issue can be mended."""
    integration = issue.run.integration
    links: list[tuple[str, str]] = []
    if issue.code == "unmapped_code" and issue.entity in MAPPING_FIELDS:
        label = Entity(issue.entity).label
        mapping = getattr(integration, f"{issue.entity}_id")
        if mapping:
            links.append((f"{label} mapping", reverse("admin:mapping_dataentitymapping_change", args=[mapping])))
    if issue.code in REVIEWED:
        links.append(("Compare and decide", reverse("admin:integrations_matchdecision_record", args=[issue.pk])))
    if student := _student_of(issue):
        links.append(("Student", reverse("admin:students_student_change", args=[student.pk])))
    if issue.severity == RecordIssue.Severity.RUN or issue.code == "unlisted_enrollment_code" or not links:
        url = reverse("admin:integrations_integration_change", args=[integration.pk])
        links.append((f"Integration {integration.name}", url))
    return links


def _student_of(issue: RecordIssue) -> Student | None:
    students: dict[str, Student] = getattr(issue, "students", {})
    return students.get(issue.external_id)


def _tell(issues: list[RecordIssue], user: Any) -> None:
    """Give every row the names of schools, and the students whose records they are as far as the person may see."""
    names = dict(School.objects.values_list("code", "name"))
    found: dict[int, dict[str, Student]] = {}
    for integration in {issue.run.integration_id for issue in issues}:
        ids = [issue.external_id for issue in issues if issue.run.integration_id == integration]
        rows = ExternalIdentity.objects.filter(integration=integration, entity="student", external_id__in=ids)
        students = visible_students(Student.objects.all(), user).in_bulk(rows.values_list("student", flat=True))
        pairs = rows.values_list("external_id", "student")
        found[integration] = {external: students[pk] for external, pk in pairs if pk in students}
    for issue in issues:
        issue.school_names = names  # type: ignore[attr-defined]
        issue.students = found[issue.run.integration_id]  # type: ignore[attr-defined]
