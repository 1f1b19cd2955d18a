"""The students behind a number of a run that has no changes of its own: read, unchanged, inactive, not imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from integrations.admin.responses import page
from integrations.admin.scoping import at_schools
from integrations.inbound.verify import NOT_COUNTED
from integrations.models import Change, ExternalIdentity, RecordIssue, RunPage, SyncRun
from mapping.models import DataEntityMappingValue
from students.models import School, Student
from students.scope import allowed_schools, visible_students

PER_PAGE = 50
WHATS = {
    "received": "Students read",
    "unchanged": "Unchanged",
    "inactive": "Inactive",
    "rejected": "Not imported",
}


class Seen(msgspec.Struct, frozen=True):
    """What one record came to. schools: our codes of those that sent it. outcome: in words."""

    external_id: str
    schools: tuple[str, ...]
    what: str
    outcome: str


class Row(msgspec.Struct, frozen=True):
    """One student of the list. student: None for a record of nobody we have, or may see."""

    seen: Seen
    student: Student | None
    schools: str
    issues: list[RecordIssue]


def show(request: HttpRequest, run: SyncRun, site: AdminSite) -> HttpResponse:
    """The list behind ``?what=``, by name, those first whom we have. Raises Http404 for a number there is not."""
    what = request.GET.get("what", "received")
    if what not in WHATS:
        raise Http404
    wanted = [one for one in seen_in(run, request.user) if what in ("received", one.what)]
    words = request.GET.get("q", "").strip()
    listed = Paginator(_by_name(run, wanted, words, request.user), PER_PAGE)
    shown = listed.get_page(request.GET.get("page"))
    return page(
        request,
        site,
        "console/run_students.html",
        title=f"{WHATS[what]}: run {run.pk} of {run.integration}",
        run=run,
        what=what,
        words=words,
        rows=_rows(run, list(shown.object_list), request.user),
        shown=shown,
        pages=listed.get_elided_page_range(shown.number),
        limited=allowed_schools(request.user) is not None,
        back=reverse("admin:integrations_syncrun_change", args=[run.pk]),
    )


def seen_in(run: SyncRun, user: Any) -> list[Seen]:
    """Every record the run has read at schools the person may see, each once, with what it came to."""
    schools, current = _schools(run, user)
    changes = at_schools(run.changes.filter(entity="student"), user).exclude(status__in=NOT_COUNTED)
    kinds = dict(changes.values_list("external_id", "kind"))
    asked = changes.filter(kind=Change.Kind.LEFT, page=None, page_ids=[]).values_list("external_id", "schools")
    for external_id, left in asked:
        schools.setdefault(external_id, set()).update(left)
    errors = at_schools(run.issues.filter(severity=RecordIssue.Severity.ERROR), user).exclude(external_id="")
    refused = set(errors.values_list("external_id", flat=True)) - kinds.keys()
    labels = dict(Change.Kind.choices)
    told = []
    for external_id, codes in schools.items():
        kind = kinds.get(external_id, "")
        if external_id in refused:
            what, outcome = "rejected", WHATS["rejected"]
        elif kind and kind not in (Change.Kind.DROP, Change.Kind.ENDED):
            what, outcome = "changed", labels[kind]
        elif external_id not in current:
            what, outcome = "inactive", WHATS["inactive"]
        else:
            what, outcome = "unchanged", WHATS["unchanged"]
        told.append(Seen(external_id, tuple(sorted(codes)), what, outcome))
    return told


def records_and_students(run: SyncRun) -> tuple[int, int]:
    """How many records the pages of a run hold, a student of two schools twice, and how many students that are."""
    records, students = 0, set()
    for ids in RunPage.objects.filter(run=run).values_list("external_ids", flat=True).iterator(chunk_size=50):
        here = ids.split("\n") if ids else []
        records += len(here)
        students.update(here)
    return records, len(students)


def _schools(run: SyncRun, user: Any) -> tuple[dict[str, set[str]], set[str]]:
    """External id → our codes of the schools that sent the record, and the ids that are current at any school."""
    ours = dict(
        DataEntityMappingValue.objects.filter(mapping=run.integration.building_id).values_list(
            "external_value", "value"
        )
    )
    allowed = allowed_schools(user)
    found: dict[str, set[str]] = {}
    current: set[str] = set()
    pages = RunPage.objects.filter(run=run).values_list("school", "external_ids", "inactive_ids")
    for school, ids, inactive in pages.iterator(chunk_size=50):
        code = ours.get(school, school)
        if not ids or (allowed is not None and code not in allowed):
            continue
        here = ids.split("\n")
        current.update(set(here) - set(inactive.split("\n")))
        for external_id in here:
            found.setdefault(external_id, set()).add(code)
    return found, current


def _by_name(run: SyncRun, wanted: Iterable[Seen], words: str, user: Any) -> list[Seen]:
    """By last and first name; those without a student here last, by SIS id. words: of a name or SIS id."""
    rows = ExternalIdentity.objects.filter(integration=run.integration_id, entity="student", student__isnull=False)
    if allowed_schools(user) is not None:
        rows = rows.filter(student__in=visible_students(Student.objects.all(), user))
    names = {
        e: (last, first)
        for e, last, first in rows.values_list("external_id", "student__last_name", "student__first_name")
    }

    def fits(one: Seen) -> bool:
        last, first = names.get(one.external_id, ("", ""))
        text = f"{last} {first} {one.external_id}".casefold()
        return all(word in text for word in words.casefold().split())

    def place(one: Seen) -> tuple[bool, str, str, str]:
        last, first = names.get(one.external_id, ("", ""))
        return (one.external_id not in names, last.casefold(), first.casefold(), one.external_id)

    return sorted((one for one in wanted if not words or fits(one)), key=place)


def _rows(run: SyncRun, seen: list[Seen], user: Any) -> list[Row]:
    ids = [one.external_id for one in seen]
    linked = dict(
        ExternalIdentity.objects.filter(
            integration=run.integration_id, entity="student", external_id__in=ids, student__isnull=False
        ).values_list("external_id", "student")
    )
    students = visible_students(Student.objects.all(), user).in_bulk(list(linked.values()))
    names = dict(School.objects.values_list("code", "name"))
    issues: dict[str, list[RecordIssue]] = {}
    for issue in at_schools(run.issues.filter(external_id__in=ids), user):
        issues.setdefault(issue.external_id, []).append(issue)
    return [
        Row(
            one,
            students.get(linked.get(one.external_id, 0)),
            ", ".join(names.get(code, code) for code in one.schools),
            issues.get(one.external_id, []),
        )
        for one in seen
    ]
