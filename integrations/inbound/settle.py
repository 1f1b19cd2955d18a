"""Decide, once the last school is read, about students of whom several schools speak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from django.db import transaction

from integrations.models import Change, RunPage, SourceRecord
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students.differ import Policy, diff_contact
from students.families import same_name
from students.records import CURRENT, PRIMARY, Facts
from students.stays import current, outlived
from students.student_plan import StudentPlan

from . import hub, issues, store
from .block import Entry, unpack
from .fetch import Reading
from .plan_page import PagePlan, PlannedChange, add_contacts, nameless, one_student, unchanged
from .planned import Planned
from .rules import Rules
from .seen import seen_at
from .told import facts_of

CHUNK = 500


def settle(reading: Reading) -> None:
    """Replace every deferred change by what all schools together say. Each chunk is one transaction."""
    while True:
        waiting = Change.objects.filter(run=reading.run, deferred=True).exclude(external_id__in=reading.start.silent)
        changes = list(waiting.order_by("page_id", "id")[:CHUNK])
        if not changes:
            return
        _settle_chunk(reading, changes)


def entries_of(changes: Sequence[Change | Planned]) -> dict[str, list[Entry]]:
    """External id → the decoded entries of the pages that speak of a change's student."""
    wanted = {change.external_id for change in changes}
    pages = sorted({page for change in changes for page in change.page_ids})
    found: dict[str, list[Entry]] = defaultdict(list)
    for page in pages:
        block = RunPage.objects.filter(pk=page).values_list("block", flat=True).first()
        for entry in unpack(block):
            if entry.external_id in wanted:
                found[entry.external_id].append(entry)
    return found


def _settle_chunk(reading: Reading, changes: list[Change]) -> None:
    rules, run_id = reading.rules, reading.run.pk
    entries = entries_of(changes)
    ids = [change.external_id for change in changes]
    facts = _stored_facts(reading, ids, entries)
    linked = hub.student_ids(rules.integration_id, ids)
    held = hub.load(rules.integration_id, [*linked.values(), *(c.target for c in changes if c.target)])
    plan = PagePlan()
    kept: list[tuple[Change, PlannedChange]] = []
    speaking: list[Entry] = []
    for change in changes:
        spoken = entries.get(change.external_id, [])
        target = linked.get(change.external_id) or change.target
        if _two_people(spoken):
            plan.issues.append(issues.one_id_two_people(change.external_id, spoken[0].ours, facts=facts_of(*spoken)))
            continue
        known = held.get(target) if target else None
        stored, gone = facts.get(change.external_id, ({}, frozenset()))
        # What a school said before the enrollment there ended, or last year, is no claim any more.
        others = {school: one for school, one in stored.items() if _stands(known, school, rules)}
        decided = one_student(known, spoken, rules=rules, others=others, gone=gone)
        main = next((e for e in spoken if decided and e.ours == decided.main), None)
        if decided is not None and known is None and main is not None and nameless(main):
            plan.issues.append(issues.nameless(change.external_id, main.ours))
            continue
        if main is None and decided is None:
            main = next((e for e in spoken if e.facts.status == CURRENT), None)
        if main is not None:
            speaking.append(main)
        if contested(spoken, others):
            plan.issues.append(issues.two_primaries(change.external_id, main.ours if main else ""))
        if decided is not None:
            kept.append((change, _settled(change, decided, spoken, target)))
        elif target and change.external_id not in linked and spoken:
            kept.append((change, unchanged(change.external_id, spoken[0].ours, target=target)))
    plan.changes = [planned for _, planned in kept]
    add_contacts(run_id, plan, speaking, rules=rules)
    spell_out_contacts(plan, speaking)
    pages = {change.external_id: change.page_ids for change in changes}
    reach("settle.before")
    with transaction.atomic():
        Change.objects.filter(pk__in=[change.pk for change in changes]).delete()
        store.insert_changes(run_id, plan.changes, page_id=None)
        remember_pages(run_id, pages)
        store.insert_issues(run_id, plan.issues)
        lease.checked(run_id, reading.fence)
        reach("settle.commit")
    reach("settle.after")


def _stands(known: hub.Held | None, school: str, rules: Rules) -> bool:
    """Whether the student is enrolled at a school in the year imported."""
    stay = current(known.stays, school) if known else None
    return stay is not None and not outlived(stay, rules.year)


def contested(spoken: Sequence[Entry], others: Mapping[str, Facts]) -> bool:
    """Whether several schools claim the student's primary enrollment."""
    facts = [*others.values(), *(entry.facts for entry in spoken)]
    return sum(one.status == CURRENT and one.role == PRIMARY for one in facts) > 1


def _settled(change: Change, plan: StudentPlan, spoken: Sequence[Entry], target: int | None) -> PlannedChange:
    schools = {entry.ours for entry in spoken} | {
        path.split(".")[1] for path in plan.fields if path.startswith("enrollments.")
    }
    return PlannedChange(
        entity="student", external_id=change.external_id, kind=plan.kind, fields=plan.fields,
        withheld=plan.withheld, target=target, schools=sorted(schools), key=change.key, state_id=change.state_id,
    )  # fmt: skip


def spell_out_contacts(plan: PagePlan, speaking: Sequence[Entry]) -> None:
    """Give creates of contacts their values: settled changes belong to no one page's block."""
    records = {
        contact.external_id: contact
        for entry in speaking
        if isinstance(entry.record.contacts, tuple)
        for contact in entry.record.contacts
    }
    for change in plan.changes:
        if change.entity == "contact" and change.kind == "create":
            change.fields = diff_contact({}, records[change.external_id], policy=Policy())[0]


def remember_pages(run_id: int, pages: dict[str, list[int]]) -> None:
    """Note on the run's changes of students which pages speak of them. pages: external id → primary keys."""
    rows = Change.objects.filter(run=run_id, entity="student", external_id__among=pages).order_by()
    for change in rows:
        change.page_ids = pages[change.external_id]
    Change.objects.bulk_update(rows, ["page_ids"])


def _stored_facts(
    reading: Reading, ids: list[str], entries: dict[str, list[Entry]]
) -> dict[str, tuple[dict[str, Facts], frozenset[str]]]:
    """External id → (our school code → facts of records that did not change, our codes of schools it left)."""
    rows = SourceRecord.objects.filter(integration_id=reading.rules.integration_id, external_id__in=ids)
    by_school: dict[str, list[tuple[str, Facts]]] = defaultdict(list)
    for external_id, school, facts in rows.values_list("external_id", "school", "facts"):
        if school in reading.rules.buildings and not any(e.school == school for e in entries.get(external_id, [])):
            by_school[school].append((external_id, msgspec.convert(facts, Facts)))
    others: dict[str, dict[str, Facts]] = defaultdict(dict)
    gone: dict[str, set[str]] = defaultdict(set)
    for school, found in by_school.items():
        ours = reading.rules.buildings[school]
        state = reading.schools.get(school)
        seen = seen_at(reading.run.pk, school)
        for external_id, facts in found:
            if external_id in seen or state is None or not state.complete:
                if ours not in others[external_id] or facts.status == CURRENT:
                    others[external_id][ours] = facts
            else:
                gone[external_id].add(ours)
    return {e: (others.get(e, {}), frozenset(gone.get(e, ()))) for e in ids}


def _two_people(entries: Sequence[Entry]) -> bool:
    people = {
        (same_name(str(e.record.first_name)), same_name(str(e.record.last_name)), str(e.record.birth_date))
        for e in entries
        if e.facts.status == CURRENT
    }
    firsts = {first for first, _, _ in people}
    births = {birth for _, _, birth in people}
    return len(people) > 1 and len(firsts) > 1 and len(births) > 1
