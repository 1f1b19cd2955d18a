"""What the page of a run tells: its numbers with their links, its issues, and what proves it complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.db.models import Count, Q
from django.urls import reverse

from integrations.admin.issue import code_label
from integrations.admin.run_students import records_and_students
from integrations.admin.scoping import at_schools
from integrations.admin.words import STATUS_COLOURS, STATUS_SENTENCES, UNDO_SENTENCES, UNDO_STATUSES
from integrations.inbound.verify import NOT_COUNTED
from integrations.models import Change, RecordIssue, SyncRun
from integrations.models.run import APPLIED, OPEN, Status
from mapping.models import DataEntityMappingValue
from students.models import School
from students.scope import allowed_schools


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
    """The counts of a run, each with the address of its rows."""
    if run.kind == SyncRun.Kind.UNDO:
        return _undo_numbers(run)
    if run.kind == SyncRun.Kind.PICTURES:
        return _picture_numbers(run)
    counts: Mapping[str, int] = run.counts
    dropped = counts.get("dropped", 0) - counts.get("left", 0)
    told = [
        Number("Students read", counts.get("received", 0), students_link(run, "received"), "sent by the system"),
        Number("New", counts.get("created", 0), changes_link(run, kind="create")),
        Number("Changed", counts.get("updated", 0), changes_link(run, kind="update")),
        Number("Unchanged", counts.get("unchanged", 0), students_link(run, "unchanged"), "nothing to write"),
        Number("Returned", counts.get("reopened", 0), changes_link(run, kind="reopen")),
        Number("Not imported", counts.get("rejected", 0), students_link(run, "rejected"), "kept out by an issue"),
        Number(
            "Inactive",
            counts.get("inactive", 0),
            students_link(run, "inactive"),
            "not current in the system, nothing to end here",
        ),
        Number("Left, says the SIS", counts.get("left", 0), changes_link(run, kind="left")),
        Number("Dropped: not in file", dropped, changes_link(run, kind="drop"), "not among the students read"),
        Number(
            "Withheld fields",
            counts.get("withheld_fields", 0),
            changes_link(run, withheld="yes"),
            "fields, not students: owned elsewhere or locked",
        ),
    ]
    if ended := run.changes.filter(entity="student", kind=Change.Kind.ENDED).exclude(status__in=NOT_COUNTED).count():
        told.append(Number("Year ended", ended, changes_link(run, kind="ended"), "last year's enrollment, no drop"))
    if kept := run.changes.filter(entity="student").exclude(keep_reason="").count():
        told.append(Number("Kept enrolled", kept, changes_link(run, kept="yes"), "by a person's decision"))
    return [Number(n.label, n.value, n.link if n.value else "", n.hint) for n in told]


def sum_in_words(run: SyncRun) -> str:
    """How the numbers of an import add up, "" for another run."""
    if run.kind != SyncRun.Kind.IMPORT or not run.counts:
        return ""
    parts = (
        ("created", "new"), ("updated", "changed"), ("unchanged", "unchanged"), ("reopened", "returned"),
        ("rejected", "not imported"), ("inactive", "inactive"), ("left", "left"),
    )  # fmt: skip
    told = " + ".join(f"{run.counts.get(name, 0):,} {word}" for name, word in parts)
    return (
        f"{run.counts.get('received', 0):,} students read = {told}. Every number counts students, each once. "
        "Those dropped are not part of the sum, because the system did not send them."
    )


def _picture_numbers(run: SyncRun) -> list[Number]:
    refused = issues_link(run, code__exact="picture_refused")
    told = [
        Number("Pictures read", run.counts.get("received", 0), "", "of students enrolled here"),
        Number("New", run.counts.get("created", 0), changes_link(run, entity="photo", kind__exact="create")),
        Number("Changed", run.counts.get("updated", 0), changes_link(run, entity="photo", kind__exact="update")),
        Number("Unchanged", run.counts.get("unchanged", 0), "", "nothing to store"),
        Number("Refused", run.counts.get("rejected", 0), refused, "no picture that can be kept"),
    ]
    return [Number(n.label, n.value, n.link if n.value else "", n.hint) for n in told]


def _undo_numbers(run: SyncRun) -> list[Number]:
    looked_at = run.changes.filter(entity="student")
    students, later = looked_at.exclude(status__in=NOT_COUNTED), looked_at.exclude(withheld={}).count()
    deleted = students.filter(kind=Change.Kind.DELETE).count()
    contacts = run.changes.filter(entity="contact").exclude(status__in=NOT_COUNTED).count()
    told = [
        Number("Students taken back", students.count(), changes_link(run, entity="student", counted="yes")),
        Number("Deleted", deleted, changes_link(run, kind="delete"), "the undone run had added them"),
        Number("Later value kept", later, changes_link(run, entity="student", withheld="yes"), "changed since"),
        Number("Contacts taken back", contacts, changes_link(run, entity="contact", counted="yes")),
    ]
    return [Number(n.label, n.value, n.link if n.value else "", n.hint) for n in told]


def students_link(run: SyncRun, what: str) -> str:
    """The list of the run's students who came to this."""
    return f"{reverse('admin:integrations_syncrun_students', args=[run.pk])}?what={what}"


def changes_link(run: SyncRun, **filters: str) -> str:
    """The list of the run's changes; kind: only students with this kind of change, left out ones not."""
    query = {"run__id__exact": str(run.pk)}
    if kind := filters.pop("kind", ""):
        query |= {"kind__exact": kind, "entity": "student", "counted": "yes"}
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


def run_problems(run: SyncRun, user: Any) -> list[RecordIssue]:
    """Issues of the run as a whole, those the person may see: what was wrong and how to go on."""
    rows = RecordIssue.objects.filter(run=run, severity=RecordIssue.Severity.RUN)
    return list(at_schools(rows, user).order_by("id")[:20])


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
    if run.status == Status.APPLYING:
        counts = run.changes.aggregate(done=Count("pk", filter=~Q(status=Change.Status.PLANNED)), total=Count("pk"))
        done, total = counts["done"], counts["total"]
        text = f"{done:,} of {total:,} changes {'taken back' if run.kind == SyncRun.Kind.UNDO else 'written'}"
    elif run.kind == SyncRun.Kind.UNDO:
        return {"text": "Looking at what was changed since", "percent": None}
    elif run.kind == SyncRun.Kind.PICTURES:
        done, total = len(run.checkpoint.get("schools", {})), len(run.scope_schools) or len(school_names(run))
        text = f"{done} of {total} schools read, {run.counts.get('received', 0):,} pictures so far"
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
        "status": status_label(run),
        "colour": STATUS_COLOURS[run.status],
        "sentence": sentence(run),
        "progress": progress(run) if is_open else None,
        "only_schools": [school_names(run).get(code, code) for code in run.scope_schools],
        "numbers": numbers(run) if run.counts else [],
        "sum": sum_in_words(run),
        "limited": allowed_schools(user) is not None,
        "issues": issue_groups(run, user),
        "problems": run_problems(run, user),
        "proofs": proofs(run),
        "twice": twice_in_words(run),
        "all_changes": changes_link(run),
        "all_issues": issues_link(run),
        "has_changes": run.changes.exists(),
        "by": by_whom(run),
        "undone_by": run.undone_by.order_by("-pk").first(),
    }


def sentence(run: SyncRun) -> str:
    """What the status of the run means; an undo reads nothing from the system."""
    if run.kind != SyncRun.Kind.UNDO:
        return STATUS_SENTENCES[run.status]
    if run.status not in APPLIED:
        return UNDO_SENTENCES.get(run.status, STATUS_SENTENCES[run.status])
    count = run.counts.get("updated", 0)
    taken = f"{count:,} student{'s' if count != 1 else ''} taken back to what was there before run {run.undoes_id}."
    kept = " What was changed later was kept: see Later value kept." if run.status != Status.COMPLETE else ""
    return taken + kept


def status_label(run: SyncRun) -> str:
    """The status in words; an undo fetches nothing."""
    if run.kind == SyncRun.Kind.UNDO and run.status in UNDO_STATUSES:
        return UNDO_STATUSES[run.status]
    return run.get_status_display()


def title(run: SyncRun) -> str:
    """What the page of the run is called."""
    if run.kind == SyncRun.Kind.UNDO:
        return f"Run {run.pk}: undo of run {run.undoes_id} of {run.integration}"
    return f"{run.get_kind_display()} {run.pk} of {run.integration}"


def twice_in_words(run: SyncRun) -> str:
    """Why the schools' numbers come to more than the students read; "" when they do not."""
    records, students = records_and_students(run)
    if records == students:
        return ""
    several = records - students
    return (
        f"{records:,} in all, which are {students:,} different students: "
        f"{several:,} more because some are sent by more than one school."
    )


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
