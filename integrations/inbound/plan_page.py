"""Plan one page: decode what differs, find out who it is, and say what would change."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from integrations.connectors.base import Connector, RawRecord, SourceSchool
from integrations.errors import RecordError
from integrations.models import Change, SourceRecord
from mapping.translate import translate
from students.differ import Fields, diff_contact
from students.families import family_key
from students.records import CURRENT, UNLISTED, ContactRecord, Facts
from students.state_ids import bare_state_id
from students.student_plan import Spoken, StudentPlan, plan_student

from . import hub, issues
from .block import Entry
from .check_text import check_text
from .outside_year import outside_year
from .resolve import Match, Start, person_key, resolve, said_new
from .rules import Rules
from .told import earlier_entries, facts_of


class PlannedChange(msgspec.Struct, kw_only=True, gc=False):
    """One change before it is stored; the names are those of ``integrations.models.Change``."""

    entity: str
    external_id: str
    kind: str
    fields: Fields
    withheld: dict[str, list[Any]] = {}
    target: int | None = None
    schools: list[str] = []
    digest: str = ""
    key: int | None = None
    state_id: str = ""
    deferred: bool = False


class PagePlan(msgspec.Struct, kw_only=True):
    """What a page comes to: entries for its block, changes, issues, and earlier changes to defer or withdraw."""

    entries: list[Entry] = []
    changes: list[PlannedChange] = []
    issues: list[issues.Found] = []
    defer: list[str] = []
    withdraw: list[str] = []


def plan_page(
    run_id: int,
    records: Sequence[tuple[RawRecord, int]],
    *,
    school: SourceSchool,
    connector: Connector,
    rules: Rules,
    start: Start,
    others: Collection[str],
) -> PagePlan:
    """The plan for the changed records of one page, each given with its fingerprint.

    start: what there was when the run began. others: external ids that records of other schools speak of.
    """
    plan = PagePlan()
    ours = rules.buildings[school.code]
    entries = [e for raw, mark in records if (e := decode(raw, mark, school, ours, connector, rules, plan.issues))]
    if not entries:
        return plan
    elsewhere = _current_elsewhere(rules, school, [e.external_id for e in entries if e.external_id in others])
    planned = _planned(run_id, entries)
    earlier = {external_id for external_id, _, _ in planned} & {entry.external_id for entry in entries}
    several = earlier | elsewhere | start.silent
    plan.defer = sorted(earlier)
    linked, held = _linked(rules, entries, start=start)
    matches = resolve(rules.integration_id, [entry.record for entry in entries], known=linked, empty=start.empty)
    new = {external_id for external_id, match in matches.items() if match.student is None}
    plan.issues = [issues.of_new(one) if one.external_id in new else one for one in plan.issues]
    found = [m.student for m in matches.values() if m.student and m.found]
    held |= hub.load(rules.integration_id, found, unlocked=start.unlocked, allergies=tell_allergies(entries))
    for entry in entries:
        match = matches[entry.external_id]
        if outside := outside_year(entry, held.get(match.student or 0), rules=rules):
            plan.issues.append(outside)
        elif match.code and entry.facts.status == CURRENT:
            plan.issues.append(_undecided(entry, match))
        elif match.code:
            continue
        elif entry.external_id in several:
            plan.entries.append(entry)
            if entry.external_id not in earlier:
                plan.changes.append(_placeholder(entry, match))
        else:
            _plan_one(plan, entry, match, held.get(match.student or 0), rules=rules)
    _name_found(plan, matches)
    _reject_twins(run_id, plan, planned, rules=rules)
    speaking = [e for e in plan.entries if e.facts.status == CURRENT and e.external_id not in several]
    add_contacts(run_id, plan, speaking, rules=rules, start=start)
    return plan


def _plan_one(plan: PagePlan, entry: Entry, match: Match, known: hub.Held | None, *, rules: Rules) -> None:
    """Add what one record alone says of its student."""
    if known is None:
        if entry.facts.status != CURRENT:
            return
        if nameless(entry):
            plan.issues.append(issues.nameless(entry.external_id, entry.ours))
            return
        plan.entries.append(entry)
        plan.changes.append(_creation(entry, rules=rules))
        return
    student_plan = one_student(known, [entry], rules=rules)
    plan.entries.append(entry)
    if student_plan is not None:
        plan.changes.append(_change_of(entry, student_plan, target=match.student))
    elif match.found:
        plan.changes.append(unchanged(entry.external_id, entry.ours, target=match.student))


def decode(
    raw: RawRecord,
    mark: int,
    school: SourceSchool,
    ours: str,
    connector: Connector,
    rules: Rules,
    found: list[issues.Found],
) -> Entry | None:
    """The record in our codes; None when it cannot be taken, with the reason added to found."""
    if raw.facts.role == UNLISTED and raw.facts.status == CURRENT:
        found.append(issues.unlisted_program(raw.external_id, ours, program=raw.facts.program))
        return None
    try:
        record = connector.normalise(raw, school)
    except RecordError as error:
        found.append(
            issues.unreadable(
                raw.external_id,
                ours,
                code=error.code,
                field=error.field,
                message=error.message,
                current=raw.facts.status == CURRENT,
            )
        )
        return None
    household = record.household
    record, unmapped = translate(record, rules.tables, school=ours)
    record, texts = check_text(record, school=ours)
    found += texts
    for one in unmapped:
        found.append(
            issues.unmapped(
                raw.external_id,
                ours,
                entity=one.entity,
                code=one.code,
                field=one.field,
                fatal=one.fatal,
                whom=one.whom,
            )
        )
    if any(one.fatal for one in unmapped):
        return None
    family = family_key(household, rules.family_identifier, namespace=rules.family_namespace)
    return Entry(
        external_id=raw.external_id,
        school=school.code,
        ours=ours,
        fingerprint=mark,
        facts=raw.facts,
        record=record,
        family=family,
        clean=not unmapped and not texts,
    )


def one_student(
    known: hub.Held | None,
    entries: Sequence[Entry],
    *,
    rules: Rules,
    others: dict[str, Facts] | None = None,
    gone: frozenset[str] = frozenset(),
) -> StudentPlan | None:
    """The plan for one student from its decoded entries and the facts of its other records."""
    return plan_student(
        None if known is None else known.as_known(),
        [Spoken(school=e.ours, facts=e.facts, record=e.record, family=e.family) for e in entries],
        others=others,
        gone=gone,
        year=rules.year,
        today=rules.today,
        policy=rules.policy,
        family=bool(rules.family_identifier),
    )


def _linked(rules: Rules, entries: Sequence[Entry], *, start: Start) -> tuple[dict[str, int], dict[int, hub.Held]]:
    if start.unknown:
        return {}, {}
    ids = [entry.external_id for entry in entries]
    return hub.load_linked(rules.integration_id, ids, unlocked=start.unlocked, allergies=tell_allergies(entries))


def tell_allergies(entries: Sequence[Entry]) -> bool:
    """Whether the source was asked for allergies, so that ours have to be compared."""
    return any(entry.record.allergies is not UNSET for entry in entries)


def _creation(entry: Entry, *, rules: Rules) -> PlannedChange:
    """The change that adds a student: a digest alone, its values stand in the block."""
    return PlannedChange(
        entity="student", external_id=entry.external_id, kind="create", fields={}, schools=[entry.ours],
        digest=_digest_of((entry.record, entry.family, rules.year.name)), key=person_key(entry.record),
        state_id=_state_id(entry),
    )  # fmt: skip


def _change_of(entry: Entry, plan: StudentPlan, *, target: int | None) -> PlannedChange:
    """The change that stores the plan of a student we hold."""
    schools = {entry.ours} | {path.split(".")[1] for path in plan.fields if path.startswith("enrollments.")}
    return PlannedChange(
        entity="student", external_id=entry.external_id, kind=plan.kind, fields=plan.fields,
        withheld=plan.withheld, target=target, schools=sorted(schools),
    )  # fmt: skip


def _state_id(entry: Entry) -> str:
    """The state ID without leading zeros, as a run's records are compared by it; "" for none."""
    return bare_state_id(entry.record.state_id) if isinstance(entry.record.state_id, str) else ""


def _digest_of(told: object) -> str:
    """64 hex digits for what a create is made of."""
    return hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()


def nameless(entry: Entry) -> bool:
    """Whether the record lacks a first or a last name, without which no student can be created."""
    return not (isinstance(entry.record.first_name, str) and isinstance(entry.record.last_name, str))


def add_contacts(
    run_id: int, plan: PagePlan, entries: Sequence[Entry], *, rules: Rules, start: Start | None = None
) -> None:
    """Add the changes of the contacts the entries speak of, each contact once in the whole run.

    A student of whom only a contact changes is given a change without fields, so that the student counts
    as changed.
    """
    spoken: dict[str, tuple[ContactRecord, str]] = {}
    for entry in entries:
        if entry.record.contacts is not UNSET:
            for contact in entry.record.contacts:
                spoken.setdefault(contact.external_id, (contact, entry.ours))
    known = {} if start and start.unknown else hub.contact_values(rules.integration_id, spoken)
    changes = _contact_changes(spoken, known, rules=rules)
    if not changes:
        return
    planned = Change.objects.filter(run=run_id, entity="contact", external_id__among=changes).order_by()
    done = set(planned.values_list("external_id", flat=True))
    plan.changes += [change for external_id, change in changes.items() if external_id not in done]
    written = {e for e, change in changes.items() if change.kind == "create" or change.fields}
    changed = {change.external_id for change in plan.changes if change.entity == "student"}
    touched = {
        entry.external_id: entry.ours
        for entry in entries
        if isinstance(entry.record.contacts, tuple)
        and entry.external_id not in changed
        and any(contact.external_id in written for contact in entry.record.contacts)
    }
    targets = hub.student_ids(rules.integration_id, touched)
    plan.changes += [
        unchanged(external_id, school, target=targets.get(external_id)) for external_id, school in touched.items()
    ]


def unchanged(external_id: str, school: str, *, target: int | None) -> PlannedChange:
    """A change without fields, for a student who is only linked or of whom only a contact changes."""
    return PlannedChange(
        entity="student", external_id=external_id, kind="update", fields={}, target=target, schools=[school]
    )


def _contact_changes(
    spoken: Mapping[str, tuple[ContactRecord, str]], known: Mapping[str, dict[str, Any]], *, rules: Rules
) -> dict[str, PlannedChange]:
    changes: dict[str, PlannedChange] = {}
    for external_id, (contact, school) in spoken.items():
        ours = known.get(external_id)
        if ours is None:
            changes[external_id] = PlannedChange(
                entity="contact", external_id=external_id, kind="create", fields={}, schools=[school],
                digest=_digest_of(contact),
            )  # fmt: skip
            continue
        fields, withheld = diff_contact(ours, contact, policy=rules.policy)
        if fields or withheld:
            changes[external_id] = PlannedChange(
                entity="contact", external_id=external_id, kind="update", fields=fields, withheld=withheld,
                target=ours["id"], schools=[school],
            )  # fmt: skip
    return changes


def _placeholder(entry: Entry, match: Match) -> PlannedChange:
    return PlannedChange(
        entity="student", external_id=entry.external_id, kind="update", fields={}, target=match.student,
        schools=[entry.ours], key=None if match.student else person_key(entry.record),
        state_id="" if match.student else _state_id(entry), deferred=True,
    )  # fmt: skip


def _current_elsewhere(rules: Rules, school: SourceSchool, ids: Sequence[str]) -> set[str]:
    """Those of the ids that the record of another covered school, as last applied, says are current there."""
    if not ids:
        return set()
    rows = SourceRecord.objects.filter(integration_id=rules.integration_id, external_id__among=ids)
    told = rows.exclude(school=school.code).values_list("external_id", "school", "facts")
    return {e for e, code, facts in told if code in rules.buildings and _is_current(facts)}


def _is_current(facts: object) -> bool:
    return msgspec.convert(facts, Facts).status == CURRENT


def _undecided(entry: Entry, match: Match) -> issues.Found:
    told = facts_of(entry)
    return issues.who_is_it(entry.external_id, entry.ours, code=match.code, other=match.other or 0, facts=told)


Planned = list[tuple[str, int | None, str]]
"""External id, person key and state id of changes the run has planned before."""


def _planned(run_id: int, entries: Sequence[Entry]) -> Planned:
    """The run's changes for the same ids, and its new students who may be the same people."""
    mine = Change.objects.filter(run=run_id, entity="student").order_by()
    keys = [key for e in entries if (key := person_key(e.record)) is not None]
    states = [state for e in entries if (state := _state_id(e))]
    # Three look-ups in one statement: each has an index of its own, which an OR of the three would not use.
    rows = mine.filter(external_id__among=[entry.external_id for entry in entries]).union(
        mine.filter(key__among=keys), mine.exclude(state_id="").filter(state_id__among=states)
    )
    found = sorted(rows.values_list("pk", "external_id", "key", "state_id"))
    return [(external_id, key, state_id) for _, external_id, key, state_id in found]


def _name_found(plan: PagePlan, matches: Mapping[str, Match]) -> None:
    """Keep the state ID of students just found by it, so that a second record that claims one shows."""
    found = {e.external_id: _state_id(e) for e in plan.entries if matches[e.external_id].found}
    for change in plan.changes:
        if change.external_id in found:
            change.state_id = found[change.external_id]


def _reject_twins(run_id: int, plan: PagePlan, planned: Planned, *, rules: Rules) -> None:
    """Take out students, new or just found by state ID, who look like another one of the run.

    The same state ID refuses both; the same name and birth date refuses the later one. Whom a person called new
    stays in.
    """
    students = [change for change in plan.changes if change.entity == "student"]
    creates = [change for change in students if change.target is None or change.state_id]
    alike, shared = _lookalikes(creates, planned)
    if not alike:
        return
    refused = alike.keys() - said_new(rules.integration_id, alike)
    here = {entry.external_id: entry for entry in plan.entries}
    earlier = sorted(refused - here.keys())
    entries = here | earlier_entries(run_id, earlier) if earlier else here
    for external_id in sorted(refused):
        plan.issues.append(_doubled(external_id, entries.get(external_id), alike[external_id]))
    plan.withdraw = sorted((shared & refused) - here.keys())
    plan.entries = [e for e in plan.entries if e.external_id not in refused]
    plan.changes = [c for c in plan.changes if c.external_id not in refused]


def _lookalikes(creates: Sequence[PlannedChange], planned: Planned) -> tuple[dict[str, set[str]], set[str]]:
    """External id → the ids it looks like, of all to be refused; and those of them that share a state ID."""
    if not creates:
        return {}, set()
    by_key: dict[int | None, str] = {}
    by_state: dict[str, set[str]] = {}
    for external_id, key, state_id in planned:
        by_key.setdefault(key, external_id)
        by_state.setdefault(state_id, set()).add(external_id)
    for change in creates:
        by_key.setdefault(change.key, change.external_id)
        by_state.setdefault(change.state_id, set()).add(change.external_id)
    shared = {e: found - {e} for state, found in by_state.items() if state and len(found) > 1 for e in found}
    later = {c.external_id: {by_key[c.key]} for c in creates if c.key is not None and by_key[c.key] != c.external_id}
    alike = {e: shared.get(e, set()) | later.get(e, set()) for e in shared.keys() | later.keys()}
    return alike, set(shared)


def _doubled(external_id: str, entry: Entry | None, others: Collection[str]) -> issues.Found:
    facts = facts_of(*([entry] if entry else []), others=sorted(others))
    school = entry.ours if entry else ""
    return issues.who_is_it(external_id, school, code="possible_duplicate", other=0, facts=facts)
