"""Plan one page: decode what differs, find out who it is, and say what would change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Q
from msgspec import UNSET

from integrations.connectors.base import Connector, RawRecord, SourceSchool
from integrations.errors import RecordError
from integrations.models import Change, SourceRecord
from mapping.translate import translate
from students.differ import Fields, Policy, diff_contact
from students.families import family_key
from students.records import CURRENT, UNLISTED, ContactRecord, Facts
from students.student_plan import Spoken, StudentPlan, plan_student

from . import hub, issues
from .block import Entry
from .check_text import check_text
from .resolve import Match, Start, person_key, resolve
from .rules import Rules


class PlannedChange(msgspec.Struct, kw_only=True):
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
    start: Start | None = None,
) -> PagePlan:
    """The plan for the changed records of one page, each given with its fingerprint.

    start: what there was when the run began.
    """
    start = start or Start()
    plan = PagePlan()
    ours = rules.buildings[school.code]
    entries = [e for raw, mark in records if (e := decode(raw, mark, school, ours, connector, rules, plan.issues))]
    if not entries:
        return plan
    ids = [entry.external_id for entry in entries]
    others = {} if start.unknown else _other_facts(rules, school, ids)
    planned = _planned(run_id, entries)
    earlier = {external_id for external_id, _, _ in planned} & set(ids)
    several = earlier | {e for e, facts in others.items() if any(f.status == CURRENT for f in facts)}
    plan.defer = sorted(earlier)
    matches = resolve(rules.integration_id, [entry.record for entry in entries], start=start)
    held = hub.load(rules.integration_id, (m.student for m in matches.values() if m.student is not None))
    for entry in entries:
        match = matches[entry.external_id]
        if match.code and entry.facts.status == CURRENT:
            plan.issues.append(_undecided(entry, match))
        elif match.code:
            continue
        elif entry.external_id in several:
            plan.entries.append(entry)
            if entry.external_id not in earlier:
                plan.changes.append(_placeholder(entry, match))
        else:
            known = held.get(match.student) if match.student else None
            student_plan = one_student(known, [entry], rules=rules)
            if student_plan is None and known is None:
                continue
            if known is None and nameless(entry):
                plan.issues.append(issues.nameless(entry.external_id, ours))
                continue
            plan.entries.append(entry)
            if student_plan is not None:
                plan.changes.append(change_of(entry, student_plan, target=match.student))
            elif match.found:
                plan.changes.append(unchanged(entry.external_id, entry.ours, target=match.student))
    _name_found(plan, matches)
    _reject_twins(plan, planned)
    speaking = [e for e in plan.entries if e.facts.status == CURRENT and e.external_id not in several]
    add_contacts(run_id, plan, speaking, rules=rules, start=start)
    return plan


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
            issues.unmapped(raw.external_id, ours, entity=one.entity, code=one.code, field=one.field, fatal=one.fatal)
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


def change_of(entry: Entry, plan: StudentPlan, *, target: int | None) -> PlannedChange:
    """The change that stores a student's plan; a create keeps only a digest, its values stand in the block."""
    create = plan.kind == "create"
    schools = {entry.ours} | {path.split(".")[1] for path in plan.fields if path.startswith("enrollments.")}
    return PlannedChange(
        entity="student",
        external_id=entry.external_id,
        kind=plan.kind,
        fields={} if create else plan.fields,
        withheld=plan.withheld,
        target=target,
        schools=sorted(schools),
        digest=digest_of(plan.fields) if create else "",
        key=person_key(entry.record) if create else None,
        state_id=_state_id(entry) if create else "",
    )


def _state_id(entry: Entry) -> str:
    return entry.record.state_id if isinstance(entry.record.state_id, str) else ""


def digest_of(fields: Fields) -> str:
    """64 hex digits for the values of a create."""
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


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
    planned = Change.objects.filter(run=run_id, entity="contact", external_id__in=list(changes))
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
    targets = hub.student_ids(rules.integration_id, list(touched)) if touched else {}
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
        fields, withheld = diff_contact(ours or {}, contact, policy=Policy() if ours is None else rules.policy)
        if ours is not None and not fields and not withheld:
            continue
        changes[external_id] = PlannedChange(
            entity="contact",
            external_id=external_id,
            kind="create" if ours is None else "update",
            fields={} if ours is None else fields,
            withheld=withheld,
            target=None if ours is None else ours["id"],
            schools=[school],
            digest=digest_of(fields) if ours is None else "",
        )
    return changes


def _placeholder(entry: Entry, match: Match) -> PlannedChange:
    return PlannedChange(
        entity="student", external_id=entry.external_id, kind="update", fields={}, target=match.student,
        schools=[entry.ours], key=None if match.student else person_key(entry.record),
        state_id="" if match.student else _state_id(entry), deferred=True,
    )  # fmt: skip


def _other_facts(rules: Rules, school: SourceSchool, ids: list[str]) -> dict[str, list[Facts]]:
    rows = SourceRecord.objects.filter(integration_id=rules.integration_id, external_id__in=ids).exclude(
        school=school.code
    )
    found: dict[str, list[Facts]] = {}
    for external_id, code, facts in rows.values_list("external_id", "school", "facts"):
        if code in rules.buildings:
            found.setdefault(external_id, []).append(msgspec.convert(facts, Facts))
    return found


def _undecided(entry: Entry, match: Match) -> issues.Found:
    return issues.who_is_it(entry.external_id, entry.ours, code=match.code, other=match.other or 0)


Planned = list[tuple[str, int | None, str]]
"""External id, person key and state id of changes the run has planned before."""


def _planned(run_id: int, entries: Sequence[Entry]) -> Planned:
    """The run's changes for the same ids, and its new students who may be the same people."""
    same_person = Q(key__in={key for e in entries if (key := person_key(e.record)) is not None})
    same_state = Q(state_id__in={state for e in entries if (state := _state_id(e))}) & ~Q(state_id="")
    same_id = Q(external_id__in=[entry.external_id for entry in entries])
    rows = Change.objects.filter(Q(run=run_id, entity="student") & (same_id | same_person | same_state))
    return list(rows.order_by("pk").values_list("external_id", "key", "state_id"))


def _name_found(plan: PagePlan, matches: Mapping[str, Match]) -> None:
    """Keep the state ID of students just found by it, so that a second record that claims one shows."""
    found = {e.external_id: _state_id(e) for e in plan.entries if matches[e.external_id].found}
    for change in plan.changes:
        if change.external_id in found:
            change.state_id = found[change.external_id]


def _reject_twins(plan: PagePlan, planned: Planned) -> None:
    """Take out students, new or just found by state ID, who look like another one of the run.

    The same state ID refuses both; the same name and birth date refuses the later one.
    """
    students = [change for change in plan.changes if change.entity == "student"]
    creates = [change for change in students if change.target is None or change.state_id]
    if not creates:
        return
    by_key: dict[int | None, str] = {}
    by_state: dict[str, set[str]] = {}
    for external_id, key, state_id in planned:
        by_key.setdefault(key, external_id)
        by_state.setdefault(state_id, set()).add(external_id)
    for change in creates:
        by_key.setdefault(change.key, change.external_id)
        by_state.setdefault(change.state_id, set()).add(change.external_id)
    shared = {e for state, found in by_state.items() if state and len(found) > 1 for e in found}
    later = {c.external_id for c in creates if c.key is not None and by_key[c.key] != c.external_id}
    refused = shared | later
    if not refused:
        return
    ours = {entry.external_id: entry.ours for entry in plan.entries}
    for external_id in sorted(refused):
        plan.issues.append(issues.who_is_it(external_id, ours.get(external_id, ""), code="possible_duplicate", other=0))
    plan.withdraw = sorted(shared - set(ours))
    plan.entries = [e for e in plan.entries if e.external_id not in refused]
    plan.changes = [c for c in plan.changes if c.external_id not in refused]
