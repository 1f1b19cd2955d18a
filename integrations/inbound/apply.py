"""Write a plan, a batch at a time: lock, check the fence, compare, write in bulk, remember the fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.models import Change, RecordIssue, RunPage, SourceRecord, SyncRun
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students import bulk
from students.differ import Policy, diff_contact

from . import hub, issues, store
from .appeared import already_here, contacts_of, may_have_appeared
from .block import Entry, unpack
from .plan_page import one_student
from .rules import Rules
from .settle import entries_of
from .write import Batch, Places, load_places

BATCH = 500
PAGES = 4


def apply(run: SyncRun, rules: Rules, *, fence: int) -> None:
    """Apply every planned change of the run: page by page, then those that belong to no page.

    Each batch is one transaction; a killed apply goes on with the next batch. Raises LeaseLost.
    """
    places = load_places()
    recheck = may_have_appeared(run)
    refused = RecordIssue.objects.filter(run=run).exclude(external_id="").exists()
    done = run.checkpoint.get("applied_page", 0)
    pages = RunPage.objects.filter(run=run, pk__gt=done).exclude(block=None).order_by("pk")
    waiting = list(pages.values_list("pk", flat=True))
    for start in range(0, len(waiting), PAGES):
        group = waiting[start : start + PAGES]
        reach("apply.before")
        with transaction.atomic():
            run.checkpoint = {**run.checkpoint, "applied_page": group[-1]}
            lease.checked(run.pk, fence, checkpoint=run.checkpoint)
            _apply_pages(run, rules, group, places, refused=refused, recheck=recheck)
            reach("apply.commit")
        reach("apply.after")
    while True:
        reach("rest.before")
        with transaction.atomic():
            lease.checked(run.pk, fence)
            rest = Change.objects.filter(run=run, status=Change.Status.PLANNED).order_by("entity", "pk")
            changes = list(rest.select_for_update()[:BATCH])
            if not changes:
                return
            _apply_rest(run, rules, changes, places, recheck=recheck)
            reach("rest.commit")
        reach("rest.after")


def _apply_pages(run: SyncRun, rules: Rules, pages: list[int], places: Places, *, refused: bool, recheck: bool) -> None:
    blocks = RunPage.objects.filter(pk__in=pages).order_by("pk").values_list("block", flat=True)
    entries = [entry for block in blocks for entry in unpack(block)]
    planned = Change.objects.filter(page__in=pages, status=Change.Status.PLANNED).order_by("pk")
    changes = list(planned.only("entity", "external_id", "kind", "target", "fields", "withheld", "status", "page"))
    batch = apply_changes(run, rules, changes, entries, places, recheck=recheck)
    ids = [entry.external_id for entry in entries]
    waiting = _waiting(run, ids)
    bad = _refused(run, ids) if refused else set()
    remember(
        rules,
        [e for e in entries if e.external_id not in waiting],
        unsure=batch.conflicts | bad,
        linked=batch.linked,
        changed={change.external_id for change in changes},
    )


def _apply_rest(run: SyncRun, rules: Rules, changes: Sequence[Change], places: Places, *, recheck: bool) -> None:
    spoken = entries_of([c for c in changes if c.page_ids])
    entries = [entry for found in spoken.values() for entry in found]
    batch = apply_changes(run, rules, changes, entries, places, recheck=recheck)
    bad = _refused(run, list(spoken))
    remember(
        rules,
        entries,
        unsure=batch.conflicts | bad,
        linked=batch.linked,
        changed={c.external_id for c in changes},
    )
    ended = [c.external_id for c in changes if c.kind in (Change.Kind.LEFT, Change.Kind.DROP)]
    ended += [c.external_id for c in changes if not c.page_ids]
    # The record of the school that is primary now has not spoken for the student before.
    ended += [c.external_id for c in changes if any(path.endswith(".primary") for path in c.fields)]
    forget(run.integration_id, ended)


def apply_changes(
    run: SyncRun,
    rules: Rules,
    changes: Sequence[Change],
    entries: Sequence[Entry],
    places: Places,
    *,
    recheck: bool,
) -> Batch:
    """Apply these changes in the caller's transaction and set their statuses.

    entries: where the values of creates stand. recheck: look again whether a new student is here by now.
    Returns what was written and what was not.
    """
    batch = Batch(run.integration_id, places)
    refused = _refuse_appeared(run, changes, entries) if recheck else set()
    batch.conflicts |= refused
    planned = [c for c in changes if c.status == Change.Status.PLANNED]
    students = [c for c in planned if c.entity == "student"]
    contacts = [c for c in planned if c.entity == "contact"]
    batch.load(students, contacts)
    _fill_in_creates(students, contacts, entries, rules)
    for change in contacts:
        batch.take_contact(change, policy=rules.policy)
    for change in students:
        batch.take_student(change, policy=rules.policy)
    batch.write()
    _mark(changes)
    told = [
        issues.conflict(c.external_id, c.schools[0] if c.schools else "", fields=conflicts)
        for c in changes
        if (conflicts := [path for path, entry in c.withheld.items() if entry[2] == "conflict"])
    ]
    store.insert_issues(run.pk, told)
    return batch


def _refuse_appeared(run: SyncRun, changes: Sequence[Change], entries: Sequence[Entry]) -> set[str]:
    """Turn new students who are here by now, and contacts of theirs alone, into conflicts; returns their ids."""
    here = already_here(run.integration_id, changes, entries)
    if not here:
        return set()
    contacts = contacts_of(set(here), entries)
    schools = {entry.external_id: entry.ours for entry in entries}
    for change in changes:
        if change.kind == Change.Kind.CREATE and change.external_id in (
            here if change.entity == "student" else contacts
        ):
            change.status = Change.Status.CONFLICT
    told = [issues.appeared(e, schools[e], other=student) for e, student in sorted(here.items())]
    store.insert_issues(run.pk, told)
    return set(here)


def remember(
    rules: Rules, entries: Iterable[Entry], *, unsure: set[str], linked: dict[str, int], changed: set[str]
) -> None:
    """Keep the facts of the entries, and the fingerprint of those that are applied without any doubt."""
    wanted = list(entries)
    known = hub.student_ids(rules.integration_id, [e.external_id for e in wanted if e.external_id not in linked])
    rows = {
        (e.external_id, e.school): (
            rules.integration_id,
            e.school,
            e.external_id,
            e.fingerprint if e.clean and e.external_id not in unsure else None,
            msgspec.to_builtins(e.facts),
            None,
            0,
        )
        for e in wanted
        if e.external_id in linked or e.external_id in known
    }
    by_school: dict[str, list[str]] = {}
    for external_id, school in rows:
        by_school.setdefault(school, []).append(external_id)
    for school, ids in by_school.items():
        SourceRecord.objects.filter(
            integration_id=rules.integration_id, school=school, external_id__in=ids
        )._raw_delete(using="default")
    columns = (
        "integration",
        "school",
        "external_id",
        "fingerprint",
        "facts",
        "missing_since",
        "missing_runs",
    )
    bulk.insert(SourceRecord, columns, rows.values())


def forget(integration_id: int, external_ids: Sequence[str]) -> None:
    """Clear the fingerprints of students, so that the next run looks at them again."""
    SourceRecord.objects.filter(integration_id=integration_id, external_id__in=external_ids).update(fingerprint=None)


def _fill_in_creates(
    students: Sequence[Change], contacts: Sequence[Change], entries: Sequence[Entry], rules: Rules
) -> None:
    """Give planned creates of a page their values, which stand in its block."""
    by_id = {entry.external_id: entry for entry in entries}
    for change in students:
        if change.kind == Change.Kind.CREATE and not change.fields:
            plan = one_student(None, [by_id[change.external_id]], rules=rules)
            change.fields = plan.fields if plan else {}
    if not any(change.kind == Change.Kind.CREATE for change in contacts):
        return
    people = {
        contact.external_id: contact
        for entry in entries
        if isinstance(entry.record.contacts, tuple)
        for contact in entry.record.contacts
    }
    for change in contacts:
        if change.kind == Change.Kind.CREATE and not change.fields and change.external_id in people:
            change.fields = diff_contact({}, people[change.external_id], policy=Policy())[0]


def _mark(changes: Sequence[Change]) -> None:
    """Store what became of the changes. A create that was applied keeps no values: the row holds them."""
    now = timezone.now()
    bulk.update(
        Change,
        ("status", "target", "student", "applied_at"),
        [(c.pk, c.status, c.target, _student_of(c), now) for c in changes],
    )
    bulk.update(Change, ("withheld",), [(c.pk, c.withheld) for c in changes if c.withheld])
    spelled_out = [c.pk for c in changes if c.kind == Change.Kind.CREATE and c.page_id is None]
    if spelled_out:
        Change.objects.filter(pk__in=spelled_out).update(fields={})


def _student_of(change: Change) -> int | None:
    return change.target if change.entity == "student" and change.kind != Change.Kind.DELETE else None


def _waiting(run: SyncRun, external_ids: list[str]) -> set[str]:
    """Those of whom nothing is remembered here: settled later, left out of the plan, or kept enrolled."""
    left_out = Q(page=None) | Q(status=Change.Status.DISCARDED) | ~Q(keep_reason="")
    rows = Change.objects.filter(left_out, run=run, entity="student", external_id__in=external_ids)
    return set(rows.values_list("external_id", flat=True))


def _refused(run: SyncRun, external_ids: list[str]) -> set[str]:
    rows = RecordIssue.objects.filter(run=run, external_id__in=external_ids)
    return set(rows.values_list("external_id", flat=True))
