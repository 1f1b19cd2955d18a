"""What the page of a run tells: its numbers with their links, its issues, and what proves it complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.db.models import Count, Q
from django.urls import reverse

from integrations.admin.issue import code_label
from integrations.admin.scoping import at_schools
from integrations.admin.words import STATUS_COLOURS, STATUS_SENTENCES
from integrations.models import Change, RecordIssue, SyncRun
from integrations.models.run import APPLIED, OPEN, Status
from mapping.models import DataEntityMappingValue
from students.models import School


class Number(msgspec.Struct, frozen=True):
    """A number of a run. link: where its rows are, "" when there are none to show. hint: what it means."""

    label: str
    value: int
    link: str
    hint: str = ""


class SchoolProof(msgspec.Struct, frozen=True):
    """How the reading of one school went. good: None while it is going on."""

    name: str
    good: bool | None
    sentence: str
    problems: tuple[str, ...] = ()


def numbers(run: SyncRun) -> list[Number]:
    """The counts of a run, those with rows linked to them."""
    counts: Mapping[str, int] = run.counts
    dropped = counts.get("dropped", 0) - counts.get("left", 0)
    told = [
        Number("Students read", counts.get("received", 0), "", "by the system, all schools together"),
        Number("New", counts.get("created", 0), changes_link(run, kind="create")),
        Number("Changed", counts.get("updated", 0), changes_link(run, kind="update")),
        Number("Returned", counts.get("reopened", 0), changes_link(run, kind="reopen")),
        Number("Unchanged", counts.get("unchanged", 0), "", "the same as at the last import"),
        Number("Left, says the SIS", counts.get("left", 0), changes_link(run, kind="left")),
        Number("Dropped: not in file", dropped, changes_link(run, kind="drop")),
        Number("Not imported", counts.get("rejected", 0), issues_link(run, severity__exact="error")),
        Number("Inactive", counts.get("inactive", 0), "", "not current in the system, and not here either"),
        Number("Withheld fields", counts.get("withheld_fields", 0), changes_link(run, withheld="yes")),
    ]
    return [Number(n.label, n.value, n.link if n.value else "", n.hint) for n in told]


def changes_link(run: SyncRun, **filters: str) -> str:
    """The list of the run's changes; kind: only students with this kind of change."""
    query = {"run__id__exact": str(run.pk)}
    if kind := filters.pop("kind", ""):
        query |= {"kind__exact": kind, "entity": "student"}
    return f"{reverse('admin:integrations_change_changelist')}?{urlencode({**query, **filters})}"


def issues_link(run: SyncRun, **filters: str) -> str:
    """The list of the run's issues."""
    query = {"run__id__exact": str(run.pk), **filters}
    return f"{reverse('admin:integrations_recordissue_changelist')}?{urlencode(query)}"


def issue_groups(run: SyncRun, user: Any) -> list[tuple[str, int, str, str]]:
    """(kind, how many, address of the list, remedy of one) of every kind of issue, most frequent first."""
    rows = at_schools(RecordIssue.objects.filter(run=run), user)
    grouped = rows.order_by().values_list("code").annotate(number=Count("pk")).order_by("-number", "code")
    told = []
    for code, number in grouped:
        remedy = rows.filter(code=code).values_list("remedy", flat=True).first() or ""
        told.append((code_label(code), number, issues_link(run, code=code), remedy if number == 1 else ""))
    return told


def run_problems(run: SyncRun) -> list[RecordIssue]:
    """Issues of the run as a whole: what was wrong and how to go on."""
    return list(run.issues.filter(severity=RecordIssue.Severity.RUN).order_by("id")[:20])


def proofs(run: SyncRun) -> list[SchoolProof]:
    """How each school was read, by name."""
    names = school_names(run)
    told = [_proof(names.get(code, code), state) for code, state in run.certificate.get("schools", {}).items()]
    return sorted(told, key=lambda proof: proof.name)


def school_names(run: SyncRun) -> dict[str, str]:
    """The system's school code → our school's name, for every school of the Building mapping."""
    ours = dict(School.objects.values_list("code", "name"))
    pairs = DataEntityMappingValue.objects.filter(mapping=run.integration.building_id)
    return {code: ours.get(value, value) for code, value in pairs.values_list("external_value", "value")}


def progress(run: SyncRun) -> dict[str, Any]:
    """How far an open run has come. percent: whole, or None when it cannot be told."""
    if run.status == "applying":
        counts = run.changes.aggregate(done=Count("pk", filter=~Q(status=Change.Status.PLANNED)), total=Count("pk"))
        done, total = counts["done"], counts["total"]
        text = f"{done:,} of {total:,} changes written"
    else:
        schools = run.certificate.get("schools", {})
        done, total = sum(bool(s.get("done")) for s in schools.values()), len(school_names(run))
        if run.scope_schools:
            total = min(total, len(run.scope_schools))
        rows = sum(int(s.get("seen") or s.get("rows") or 0) for s in schools.values())
        text = f"{done} of {total} schools read, {rows:,} students so far"
    return {"text": text, "percent": round(100 * done / total) if total else None}


def context(run: SyncRun, user: Any) -> dict[str, Any]:
    """Everything the page shows of the run itself."""
    is_open = run.status in OPEN
    return {
        "run": run,
        "is_open": is_open,
        "status": run.get_status_display(),
        "colour": STATUS_COLOURS[run.status],
        "sentence": sentence(run),
        "progress": progress(run) if is_open else None,
        "numbers": numbers(run) if run.counts and run.kind != SyncRun.Kind.UNDO else [],
        "issues": issue_groups(run, user),
        "problems": run_problems(run),
        "proofs": proofs(run),
        "all_changes": changes_link(run),
        "all_issues": issues_link(run),
        "has_changes": run.changes.exists(),
        "by": by_whom(run),
        "undone_by": run.undone_by.order_by("-pk").first(),
    }


def sentence(run: SyncRun) -> str:
    """What the status of the run means; an undo reads nothing from the system."""
    if run.kind == SyncRun.Kind.UNDO and run.status in APPLIED:
        count = run.counts.get("updated", 0)
        taken = f"{count} student{'s' if count != 1 else ''} taken back to what was there before run {run.undoes_id}."
        kept = " What was changed later was kept: see the changes." if run.status != Status.COMPLETE else ""
        return taken + kept
    return STATUS_SENTENCES[run.status]


def by_whom(run: SyncRun) -> str:
    """The person who asked for the run, else what did."""
    if run.requested_by is not None:
        return run.requested_by.get_full_name() or run.requested_by.get_username()
    return run.get_trigger_display()


def _proof(name: str, state: Mapping[str, Any]) -> SchoolProof:
    problems = tuple(str(problem[1]) for problem in state.get("problems", []))
    seen, pages = int(state.get("seen") or 0), int(state.get("pages") or 0)
    read = f"{seen:,} student{'' if seen == 1 else 's'} in {pages} page{'' if pages == 1 else 's'}"
    if not state.get("done"):
        return SchoolProof(name, False if problems else None, f"Not read to its end: {read} so far", problems)
    if problems:
        return SchoolProof(name, False, f"Not proven whole: {read}", problems)
    return SchoolProof(name, True, f"Read whole: {read}")
