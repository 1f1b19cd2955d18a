"""Who a source record is: this integration's id, then the state id, then a person decides."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec
from django.db.models import Q

from integrations.models import ExternalIdentity, MatchDecision
from students.families import name_key
from students.models import FieldLock, Student
from students.records import StudentRecord
from students.state_ids import bare_state_id, spellings


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a record was resolved to.

    student: the primary key, None for a new student. code: a reason code when a person has to decide
    (possible_match, identity_conflict), else "". other: the student it could be. rekeyed: the other student
    is already known to this integration under another id. found: the student was found just now, by state
    id, and has to be linked.
    """

    student: int | None = None
    code: str = ""
    other: int | None = None
    rekeyed: bool = False
    found: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What there was when the run began, so that a first load does not look for what cannot be there.

    unknown: the integration had linked nobody. empty: there was no student at all. unlocked: no field of
    any student was locked; who locks one meanwhile finds it kept when the plan is applied. silent: external ids
    of merged records, for which another id speaks.
    """

    unknown: bool = False
    empty: bool = False
    unlocked: bool = False
    silent: frozenset[str] = frozenset()


def start_of(integration_id: int) -> Start:
    """What there is now for an integration."""
    mine = ExternalIdentity.objects.filter(integration_id=integration_id)
    unknown = not mine.exists()
    empty = unknown and not Student.objects.exists()
    silent = frozenset(mine.filter(entity="student", silent=True).values_list("external_id", flat=True))
    return Start(unknown=unknown, empty=empty, unlocked=not FieldLock.objects.exists(), silent=silent)


def resolve(
    integration_id: int, records: Sequence[StudentRecord], *, known: Mapping[str, int], empty: bool = False
) -> dict[str, Match]:
    """External id → Match for every record.

    known: external id → student of the ids this integration has linked. empty: there is no student at all. State ids
    are compared without leading zeros; one links only when the name agrees too, or the first name and the birth
    date; the same name and birth date never link by themselves.
    """
    matches = {external_id: Match(student=student) for external_id, student in known.items()}
    new = [record for record in records if record.external_id not in known]
    if not new:
        return matches
    candidates = {} if empty else _candidates(new)
    if candidates:
        candidates = _without_denied(integration_id, candidates)
    linked = (
        set(
            ExternalIdentity.objects.filter(
                integration_id=integration_id,
                entity="student",
                student__in={person.id for found in candidates.values() for person in found},
            ).values_list("student_id", flat=True)
        )
        if candidates
        else set()
    )
    for record in new:
        matches[record.external_id] = _decide(record, candidates.get(record.external_id, []), linked)
    return matches


def person_key(record: StudentRecord) -> int | None:
    """A number equal for records of the same name and birth date, None when either is not stated."""
    if not isinstance(record.birth_date, dt.date):
        return None
    text = f"{_name(record)}|{record.birth_date}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def said_new(integration_id: int, external_ids: Collection[str]) -> set[str]:
    """Those of the ids of which a person has said that they are new students, whoever looks the same."""
    rows = MatchDecision.objects.filter(integration_id=integration_id, external_id__in=list(external_ids))
    return set(rows.filter(kind=MatchDecision.Kind.NEW).values_list("external_id", flat=True))


class _Person(msgspec.Struct, frozen=True):
    id: int
    state_id: str
    name_key: str
    birth_date: dt.date | None


def _candidates(records: Sequence[StudentRecord]) -> Mapping[str, list[_Person]]:
    state_ids = {spelt for r in records if isinstance(r.state_id, str) for spelt in spellings(r.state_id)}
    births = {r.birth_date for r in records if isinstance(r.birth_date, dt.date)}
    names = {_name(r) for r in records}
    wanted = Q(state_id__among=state_ids) & ~Q(state_id="")
    wanted |= Q(birth_date__in=births, name_key__in=names)
    rows = Student.objects.filter(wanted).order_by("pk")
    by_state: dict[str, list[_Person]] = defaultdict(list)
    by_person: dict[tuple[str, dt.date | None], list[_Person]] = defaultdict(list)
    for row in rows.values_list("id", "state_id", "name_key", "birth_date"):
        person = _Person(*row)
        if person.state_id:
            by_state[bare_state_id(person.state_id)].append(person)
        by_person[person.name_key, person.birth_date].append(person)
    found: dict[str, list[_Person]] = {}
    for record in records:
        people = list(by_state.get(bare_state_id(record.state_id), [])) if isinstance(record.state_id, str) else []
        if isinstance(record.birth_date, dt.date):
            people += [p for p in by_person.get((_name(record), record.birth_date), []) if p not in people]
        if people:
            found[record.external_id] = people
    return found


def _without_denied(integration_id: int, candidates: Mapping[str, list[_Person]]) -> Mapping[str, list[_Person]]:
    """Leave out the students of whom a person has said that they are not the same, all of them for New."""
    rows = MatchDecision.objects.filter(integration_id=integration_id, external_id__in=list(candidates))
    denied: set[tuple[str, int | None]] = set(
        rows.exclude(kind=MatchDecision.Kind.LINK).values_list("external_id", "student_id")
    )
    return {
        e: [] if (e, None) in denied else [p for p in people if (e, p.id) not in denied]
        for e, people in candidates.items()
    }


def _decide(record: StudentRecord, people: list[_Person], linked: Collection[int | None]) -> Match:
    stated = bare_state_id(record.state_id) if isinstance(record.state_id, str) else ""
    same_state = [p for p in people if p.state_id and bare_state_id(p.state_id) == stated]
    if len(same_state) == 1 and same_state[0].id not in linked:
        person = same_state[0]
        born = record.birth_date if isinstance(record.birth_date, dt.date) else None
        same_birth = born is not None and person.birth_date == born and _same_first_name(record, person)
        if same_birth or _name(record) == person.name_key:
            return Match(student=person.id, found=True)
    if same_state:
        return Match(code="identity_conflict", other=same_state[0].id, rekeyed=same_state[0].id in linked)
    if people:
        return Match(code="possible_match", other=people[0].id, rekeyed=people[0].id in linked)
    return Match()


def _same_first_name(record: StudentRecord, person: _Person) -> bool:
    """Whether the first names agree: of two born on one day, twins differ in it, whatever their last names."""
    first = _name(record).partition(" ")[0]
    return first != "" and first == person.name_key.partition(" ")[0]


def _name(record: StudentRecord) -> str:
    first = record.first_name if isinstance(record.first_name, str) else ""
    last = record.last_name if isinstance(record.last_name, str) else ""
    return name_key(first, last)
