"""Write a plan, a batch at a time: lock, check the fence, compare, write in bulk, remember the fingerprint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone

from integrations.models import Change, ExternalIdentity, RecordIssue, RunPage, SourceRecord, SyncRun
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students import bulk
from students.newcomers import new_contact, new_student, planned_contact, planned_student
from students.records import PRIMARY, ContactRecord

from . import hub, issues, planned, store
from .appeared import already_here, contacts_of, may_have_appeared
from .block import Entry, unpack
from .planned import Planned
from .rules import Rules
from .settle import entries_of
from .withhold import ELSEWHERE, KEPT, REMOVALS
from .write import Batch, Places, load_places

_RECORD_COLUMNS = (
    "integration", "school", "external_id", "fingerprint", "facts", "missing_since", "missing_runs",
)  # fmt: skip
BATCH = 500
PAGES = 50
BLOCKS = 512 << 10
"""Most changes, pages, and bytes of their blocks that one transaction applies."""


def apply(run: SyncRun, rules: Rules, *, fence: int) -> None:
    """Apply every planned change of the run: page by page, then those that belong to no page.

    Each batch is one transaction; a killed apply goes on with the next batch. Raises LeaseLost.
    """
    places = load_places()
    recheck = may_have_appeared(run)
    refused = RecordIssue.objects.filter(run=run).exclude(external_id="").exists()
    done = run.checkpoint.get("applied_page", 0)
    pages = RunPage.objects.filter(run=run, pk__gt=done).exclude(block=None).order_by("pk")
    for group in _groups(list(pages.values_list("pk", Length("block")))):
        reach("apply.before")
        with transaction.atomic():
            bulk.commit_without_waiting()
            run.checkpoint = {**run.checkpoint, "applied_page": group[-1]}
            lease.checked(run.pk, fence, checkpoint=run.checkpoint)
            _apply_pages(run, rules, group, places, refused=refused, recheck=recheck)
            reach("apply.commit")
        reach("apply.after")
    while True:
        reach("rest.before")
        with transaction.atomic():
            bulk.commit_without_waiting()
            lease.checked(run.pk, fence)
            rest = Change.objects.filter(run=run, status=Change.Status.PLANNED).order_by("entity", "pk")
            changes = planned.whole(rest.select_for_update()[:BATCH])
            if not changes:
                return
            _apply_rest(run, rules, changes, places, recheck=recheck)
            reach("rest.commit")
        reach("rest.after")


def _groups(pages: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """The pages, each given with the bytes of its block, in groups that one transaction applies."""
    group: list[int] = []
    size = 0
    for page, more in pages:
        if group and (size + more > BLOCKS or len(group) == PAGES):
            yield group
            group, size = [], 0
        group.append(page)
        size += more
    if group:
        yield group


def _apply_pages(run: SyncRun, rules: Rules, pages: list[int], places: Places, *, refused: bool, recheck: bool) -> None:
    blocks = RunPage.objects.filter(pk__in=pages).order_by("pk").values_list("block", flat=True)
    entries = [entry for block in blocks for entry in unpack(block)]
    changes = planned.of_pages(pages)
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
    _look_again(run.integration_id, changes)


def _apply_rest(run: SyncRun, rules: Rules, changes: Sequence[Planned], places: Places, *, recheck: bool) -> None:
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
    ended = [c.external_id for c in changes if c.kind in REMOVALS]
    ended += [c.external_id for c in changes if not c.page_ids]
    # The record of the school that is primary now has not spoken for the student before.
    ended += [c.external_id for c in changes if any(path.endswith(".primary") for path in c.fields)]
    forget(run.integration_id, ended)
    _look_again(run.integration_id, changes)


def apply_changes(
    run: SyncRun,
    rules: Rules,
    changes: Sequence[Planned],
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
    agreed = [c for c in changes if c.status == Change.Status.PLANNED]
    _add_new(batch, [c for c in agreed if c.creates], entries, rules)
    students = [c for c in agreed if c.entity == "student" and not c.creates]
    contacts = [c for c in agreed if c.entity == "contact" and not c.creates]
    batch.load(students, contacts)
    for change in contacts:
        batch.take_contact(change, policy=rules.policy)
    for change in students:
        batch.take_student(change, policy=rules.policy)
    batch.write()
    _mark(changes)
    told = [
        issues.conflict(c.external_id, c.schools[0] if c.schools else "", fields=conflicts, entity=c.entity)
        for c in changes
        if (conflicts := [path for path, entry in c.withheld.items() if entry[2] == "conflict"])
    ]
    store.insert_issues(run.pk, told)
    return batch


def _refuse_appeared(run: SyncRun, changes: Sequence[Planned], entries: Sequence[Entry]) -> set[str]:
    """Turn new students who are here by now, and contacts of theirs alone, into conflicts; returns their ids."""
    here = already_here(run.integration_id, changes, entries)
    if not here:
        return set()
    contacts = contacts_of(set(here), entries)
    schools = {entry.external_id: entry.ours for entry in entries}
    for change in changes:
        if change.creates and change.external_id in (here if change.entity == "student" else contacts):
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
            e.facts,
            None,
            0,
        )
        for e in wanted
        if e.external_id in linked or e.external_id in known
    }
    # Deleted and inserted anew: one statement each, and what a complete run missed counts from nothing again.
    bulk.delete(SourceRecord, _RECORD_COLUMNS[:3], [row[:3] for row in rows.values()])
    bulk.insert(SourceRecord, _RECORD_COLUMNS, rows.values())


def forget(integration_id: int, external_ids: Sequence[str]) -> None:
    """Clear the fingerprints of students, so that the next run looks at them again."""
    SourceRecord.objects.filter(integration_id=integration_id, external_id__in=external_ids).update(fingerprint=None)


def _look_again(integration_id: int, changes: Sequence[Planned]) -> None:
    """Clear the fingerprints of students whose ending was withheld, and in every other integration of those who ended.

    What another system says of a student who ended here has to be looked at again although it did not change.
    """
    held = [c.external_id for c in changes if any(why in (KEPT, ELSEWHERE) for _, _, why in c.withheld.values())]
    if held:
        forget(integration_id, held)
    ended = [c.target for c in changes if c.target and c.kind in REMOVALS]
    if not ended:
        return
    others = ExternalIdentity.objects.filter(entity="student", student__in=ended).exclude(integration=integration_id)
    by_integration: dict[int, list[str]] = defaultdict(list)
    for other, external_id in others.values_list("integration_id", "external_id"):
        by_integration[other].append(external_id)
    for other, ids in by_integration.items():
        forget(other, ids)


def _add_new(batch: Batch, creates: Sequence[Planned], entries: Sequence[Entry], rules: Rules) -> None:
    """Take in the new: their values stand in the pages' blocks, or in the change where several schools speak."""
    if not creates:
        return
    by_id = {entry.external_id: entry for entry in entries}
    people: dict[str, ContactRecord] = {}
    for entry in entries:
        for contact in entry.record.contacts or ():
            people.setdefault(contact.external_id, contact)
    for change in creates:
        spelled_out = change.page_id is None
        if change.entity == "contact":
            values = planned_contact(change.fields) if spelled_out else new_contact(people[change.external_id])
            batch.add_contact(change, values)
        elif spelled_out:
            batch.add_student(change, planned_student(change.external_id, change.fields))
        else:
            entry = by_id[change.external_id]
            primary = entry.facts.role == PRIMARY
            batch.add_student(
                change, new_student(entry.record, family=entry.family, year=rules.year.name, primary=primary)
            )


def _mark(changes: Sequence[Planned]) -> None:
    """Store what became of the changes. A create that was applied keeps no values: the row holds them."""
    now = timezone.now()
    new = [c for c in changes if c.creates and c.status == Change.Status.APPLIED]
    bulk.update(
        Change,
        ("target", "student"),
        [(c.pk, c.target, c.target if c.entity == "student" else None) for c in new],
        same={"status": Change.Status.APPLIED, "applied_at": now},
    )
    for status in sorted({c.status for c in changes}):
        known = [c.pk for c in changes if c.status == status and not (c.creates and status == Change.Status.APPLIED)]
        if known:
            Change.objects.filter(pk__among=known).update(status=status, applied_at=now)
    bulk.update(Change, ("withheld",), [(c.pk, c.withheld) for c in changes if c.withheld])
    spelled_out = [c.pk for c in changes if c.creates and c.page_id is None]
    if spelled_out:
        Change.objects.filter(pk__among=spelled_out).update(fields={})


def _waiting(run: SyncRun, external_ids: list[str]) -> set[str]:
    """Those of whom nothing is remembered here: settled later, left out of the plan, or kept enrolled."""
    # A leaving withheld for another integration is remembered all the same: that integration asks for it.
    heard = Q(status=Change.Status.WITHHELD, kind__in=REMOVALS)
    left_out = (Q(page=None) & ~heard) | Q(status=Change.Status.DISCARDED) | ~Q(keep_reason="")
    rows = Change.objects.filter(left_out, run=run, entity="student", external_id__among=external_ids)
    return set(rows.order_by().values_list("external_id", flat=True))


def _refused(run: SyncRun, external_ids: list[str]) -> set[str]:
    rows = RecordIssue.objects.filter(run=run, external_id__among=external_ids)
    return set(rows.order_by().values_list("external_id", flat=True))
