"""Write what a page came to: the page, its changes, its issues and its unmapped codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone

from integrations.models import Change, RecordIssue, RunPage, UnmappedCode
from students import bulk

from . import issues
from .block import pack
from .plan_page import PagePlan, PlannedChange
from .rules import Rules

_CHANGE_COLUMNS = (
    "run", "page", "position", "entity", "target", "student", "schools", "deferred", "page_ids", "external_id",
    "kind", "fields", "withheld", "digest", "key", "state_id", "status", "keep_reason",
)  # fmt: skip
_ISSUE_COLUMNS = (
    "run", "page", "external_id", "schools", "severity", "code", "entity", "raw_code", "field", "candidate",
    "message", "remedy", "facts",
)  # fmt: skip


def store_page(page: RunPage, plan: PagePlan, rejected: Sequence[tuple[str, str, str]], *, rules: Rules) -> None:
    """Insert the page and all that it came to. The caller holds the transaction and checks the fence."""
    page.block = pack(plan.entries)
    page.save(force_insert=True)
    ours = rules.buildings[page.school]
    found = plan.issues + [
        issues.unreadable(external_id, ours, code="unreadable", field=field, message=message)
        for external_id, field, message in rejected
    ]
    insert_changes(page.run_id, plan.changes, page_id=page.pk)
    _defer_earlier(page, plan.defer)
    if plan.withdraw:
        Change.objects.filter(run=page.run_id, entity="student", external_id__in=plan.withdraw).delete()
    insert_issues(page.run_id, found, page_id=page.pk)
    count_unmapped(rules.integration_id, page.run_id, found)


def insert_changes(run_id: int, changes: Iterable[PlannedChange], *, page_id: int | None) -> int:
    """Insert planned changes of a page, or of no page in particular; returns how many."""
    rows = [
        (
            run_id, page_id, position, c.entity, c.target, c.target if c.entity == "student" else None,
            c.schools, c.deferred, [page_id] if c.deferred and page_id else [], c.external_id, c.kind, c.fields,
            c.withheld, c.digest, c.key, c.state_id, _status(c), "",
        )
        for position, c in enumerate(changes)
    ]  # fmt: skip
    return bulk.insert(Change, _CHANGE_COLUMNS, rows)


def insert_endings(run_id: int, endings: Sequence[PlannedChange]) -> None:
    """Insert changes that end enrollments; one the run already plans for the student takes them in."""
    for start in range(0, len(endings), 500):
        chunk = {change.external_id: change for change in endings[start : start + 500]}
        planned = Change.objects.filter(run=run_id, entity="student", external_id__among=chunk).order_by()
        rows = []
        for row in planned:
            ending = chunk.pop(row.external_id)
            schools = sorted({*row.schools, *ending.schools})
            kind = ending.kind if row.kind == Change.Kind.UPDATE else row.kind
            rows.append((row.pk, kind, {**ending.fields, **row.fields}, schools, Change.Status.PLANNED))
        bulk.update(Change, ("kind", "fields", "schools", "status"), rows)
        insert_changes(run_id, chunk.values(), page_id=None)


def insert_issues(run_id: int, found: Iterable[issues.Found], *, page_id: int | None = None) -> int:
    """Insert issues; returns how many."""
    rows = [
        (
            run_id, page_id, f.external_id[:64], [f.school] if f.school else [], f.severity, f.code, f.entity,
            f.raw_code[:120], f.field[:64], f.candidate, f.message, f.remedy, f.facts,
        )
        for f in found
    ]  # fmt: skip
    return bulk.insert(RecordIssue, _ISSUE_COLUMNS, rows)


def count_unmapped(integration_id: int, run_id: int, found: Iterable[issues.Found]) -> None:
    """Count the unmapped codes among the issues, per integration, entity and code."""
    counts = Counter((f.entity, f.raw_code[:120]) for f in found if f.code == "unmapped_code")
    if not counts:
        return
    examples = {(f.entity, f.raw_code[:120]): f.external_id for f in found}
    now = timezone.now()
    rows = UnmappedCode.objects.filter(
        integration=integration_id,
        entity__in={entity for entity, _ in counts},
        value__in={value for _, value in counts},
    )
    known = {(row.entity, row.value): row for row in rows}
    updates = []
    for key in counts.keys() & known.keys():
        row = known[key]
        count = counts[key] + (row.count if row.run_id == run_id else 0)
        updates.append((row.pk, count, now, run_id))
    bulk.update(UnmappedCode, ("count", "last_seen", "run"), updates)
    inserts = [
        (integration_id, entity, value, counts[entity, value], examples[entity, value], now, now, run_id)
        for entity, value in sorted(counts.keys() - known.keys())
    ]
    bulk.insert(
        UnmappedCode,
        ("integration", "entity", "value", "count", "example", "first_seen", "last_seen", "run"),
        inserts,
    )


def clear_school(run_id: int, school: str) -> None:
    """Delete what the run has read of a school and planned from it."""
    gone = set(RunPage.objects.filter(run=run_id, school=school).values_list("pk", flat=True))
    for change in Change.objects.filter(run=run_id, deferred=True):
        left = [page for page in change.page_ids if page not in gone]
        if left and left != change.page_ids:
            change.page_ids, change.page_id = left, left[0]
            change.save(update_fields=["page_ids", "page"])
    RunPage.objects.filter(pk__in=gone).delete()


def _defer_earlier(page: RunPage, external_ids: list[str]) -> None:
    """Let earlier changes of students this page speaks of too wait for the last school."""
    if not external_ids:
        return
    rows: list[tuple[Any, ...]] = []
    earlier = Change.objects.filter(run=page.run_id, entity="student", external_id__among=external_ids).order_by()
    for change in earlier:
        pages = change.page_ids or ([change.page_id] if change.page_id else [])
        rows.append((change.pk, True, [*pages, page.pk]))
    bulk.update(Change, ("deferred", "page_ids"), rows)


def _status(change: PlannedChange) -> str:
    withheld_only = change.withheld and not change.fields and change.kind == "update"
    return Change.Status.WITHHELD if withheld_only else Change.Status.PLANNED
