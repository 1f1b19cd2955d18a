"""Students the snapshot does not hold: prove it complete, ask for each, and plan what ends.

Absence counts only when every covered school is proven to have been read whole.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
from django.db import transaction
from django.db.models import Count, F

from integrations.connectors.base import Connector, Sighting
from integrations.errors import IntegrationError
from integrations.models import Change, RecordIssue, SourceRecord
from students.models import Enrollment
from students.records import ALTERNATE, CURRENT, LEFT
from students.stays import NOT_IN_FILE, outlived, succeed
from students.student_plan import end_stays

from . import hub, issues
from .fetch import Reading
from .outside_year import told_outside_year
from .plan_page import PlannedChange
from .rollover import limits_of, rollover_from
from .rules import Rules
from .seen import current_at, current_elsewhere, seen_by_school
from .speakers import current_by_another_id, once_a_student, other_ids
from .withhold import current_by_others, keeps

CHUNK = 500


class Asked(msgspec.Struct, kw_only=True):
    """What asking for missing students one by one told.

    active: ids the system calls active in a covered school, with that school. left: id → day. answered:
    every id it answered for. error: why asking had to stop, "".
    """

    active: dict[str, str] = {}
    left: dict[str, dt.date | None] = {}
    answered: set[str] = set()
    error: str = ""


class Absence(msgspec.Struct, kw_only=True):
    """What absence comes to: changes to plan and issues that speak against the snapshot.

    asked: how many were asked for by id. outside: absent students who stay: the system told a day of
    another year, or another integration has them as current.
    """

    changes: list[PlannedChange] = []
    outside: list[issues.Found] = []
    issues: list[issues.Found] = []
    asked: int | str = 0


def plan_missing(reading: Reading) -> Absence:
    """Moves, leavings and drops of students the complete snapshot does not hold.

    Without proof that the snapshot is complete nothing is planned. Students beyond the guard, and all of a rollover,
    are not asked for here but when a person approves.
    """
    run = reading.run
    if run.scoped or not snapshot_complete(reading):
        return Absence()
    missing = find_missing(reading)
    _remember_missing(reading, missing)
    moved = current_elsewhere(run.pk, set(missing)) | current_by_another_id(reading, missing) if missing else set()
    moves = _moves(reading, {e: missing[e] for e in moved})
    absent = {e: schools for e, schools in missing.items() if e not in moved}
    absent, claimed = _without_claimed(reading, _without_kept(reading, absent))
    if not reading.connector.can_be_asked:
        absent, asked, count = _missed_twice(reading, absent), Asked(), 0
    elif (absent and rollover_from(run)) or over_guard(reading, absent):
        asked = Asked()
        return Absence(changes=moves + endings(reading.rules, absent, asked), asked="on approval", outside=claimed)
    else:
        asked, count = ask(reading.connector, absent, rules=reading.rules), len(absent)
    if told := objections(asked):
        return Absence(changes=moves, issues=told, asked=count, outside=claimed)
    outside = told_outside_year(reading.rules, absent, asked.left)
    ending = {e: schools for e, schools in absent.items() if e not in {one.external_id for one in outside}}
    return Absence(changes=moves + endings(reading.rules, ending, asked), asked=count, outside=outside + claimed)


def snapshot_complete(reading: Reading) -> bool:
    """Whether every school the integration covers is proven to have been read whole."""
    return all(code in reading.schools and reading.schools[code].complete for code in reading.rules.buildings)


def find_missing(reading: Reading) -> dict[str, list[str]]:
    """External id → our codes of the schools where a current student was not seen."""
    missing: dict[str, list[str]] = defaultdict(list)
    for code, seen in seen_by_school(reading.run.pk, reading.rules.buildings):
        ours = reading.rules.buildings[code]
        rows = SourceRecord.objects.filter(integration_id=reading.rules.integration_id, school=code)
        gone = [e for e in rows.values_list("external_id", flat=True).iterator() if e not in seen]
        for start in range(0, len(gone), CHUNK):
            chunk = gone[start : start + CHUNK]
            for external_id in _enrolled(reading.rules.integration_id, ours, chunk):
                missing[external_id].append(ours)
    return once_a_student(reading, _not_under_another_code(reading, missing))


def _not_under_another_code(reading: Reading, missing: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The missing, without schools of ours that have several codes and show the student as current under one."""
    ours = list(reading.rules.buildings.values())
    if len(set(ours)) == len(ours):
        return dict(missing)
    where = current_at(reading.run.pk, set(missing))
    here = {e: {reading.rules.buildings.get(code, code) for code in codes} for e, codes in where.items()}
    found = {e: sorted(set(schools) - here.get(e, set())) for e, schools in missing.items()}
    return {e: schools for e, schools in found.items() if schools}


def ask(connector: Connector, absent: Mapping[str, list[str]], *, rules: Rules) -> Asked:
    """Ask the system for each absent student, district-wide. absent: external id → our school codes."""
    asked = Asked()
    others = other_ids(rules.integration_id, absent)
    for external_id in sorted(absent):
        try:
            sightings = [s for one in (external_id, *others.get(external_id, ())) for s in connector.find(one)]
        except IntegrationError as error:
            asked.error = error.message
            return asked
        asked.answered.add(external_id)
        active = [s for s in sightings if s.status == CURRENT and s.school in rules.buildings]
        if active:
            asked.active[external_id] = rules.buildings[active[0].school]
        elif any(s.status == LEFT for s in sightings):
            asked.left[external_id] = _last_day(sightings, absent[external_id], rules=rules)
    return asked


def objections(asked: Asked) -> list[issues.Found]:
    """Why, after asking, the snapshot is not proven complete; [] when nothing speaks against it."""
    told = [issues.still_active(e, school) for e, school in sorted(asked.active.items())]
    if asked.error:
        told.append(issues.could_not_ask(asked.error))
    return told


def over_guard(reading: Reading, absent: Mapping[str, list[str]]) -> bool:
    """Whether more students are absent than the integration lets go without a person."""
    limits = limits_of(reading.run, today=reading.rules.today)
    enrolled = enrolled_counts(reading.rules)
    per_school: dict[str, int] = defaultdict(int)
    for schools in absent.values():
        for school in schools:
            per_school[school] += 1
    total = enrolled_in_all(reading.rules)
    return breaks(limits.percent, limits.count, len(absent), total) or any(
        breaks(limits.percent, limits.count, count, enrolled.get(school, 0)) for school, count in per_school.items()
    )


def breaks(percent: int, limit: int, count: int, total: int) -> bool:
    """Whether count of total is over the percentage and over the number."""
    return count > limit and count * 100 > percent * total


def enrolled_counts(rules: Rules) -> dict[str, int]:
    """Our school code → students of this integration currently enrolled there."""
    rows = Enrollment.objects.filter(
        school__code__in=set(rules.buildings.values()),
        left=None,
        student__identities__integration=rules.integration_id,
    )
    found = rows.order_by().values_list("school__code").annotate(Count("student", distinct=True))
    return dict.fromkeys(rules.buildings.values(), 0) | dict(found)


def enrolled_in_all(rules: Rules) -> int:
    """Students of this integration currently enrolled at any covered school, each once."""
    rows = Enrollment.objects.filter(
        school__code__in=set(rules.buildings.values()),
        left=None,
        student__identities__integration=rules.integration_id,
    )
    return rows.aggregate(number=Count("student", distinct=True))["number"] or 0


def _enrolled(integration_id: int, ours: str, external_ids: list[str]) -> list[str]:
    linked = hub.student_ids(integration_id, external_ids)
    enrolled = set(
        Enrollment.objects.filter(school__code=ours, left=None, student__in=linked.values()).values_list(
            "student_id", flat=True
        )
    )
    return [external_id for external_id, student in linked.items() if student in enrolled]


def _moves(reading: Reading, moved: Mapping[str, list[str]]) -> list[PlannedChange]:
    if not moved:
        return []
    spoken_of = {"run": reading.run, "external_id__in": list(moved)}
    planned = Change.objects.filter(entity="student", **spoken_of)
    # Whose record at the other school was refused is not enrolled there yet.
    refused = RecordIssue.objects.filter(severity=RecordIssue.Severity.ERROR, **spoken_of)
    left_out = {e for rows in (planned, refused) for e in rows.values_list("external_id", flat=True)}
    unplanned = {e: schools for e, schools in moved.items() if e not in left_out}
    changes = endings(reading.rules, unplanned, Asked(), reason="moved")
    alternate = _alternate_schools(reading.rules, list(unplanned))
    held = hub.load(reading.rules.integration_id, [change.target for change in changes if change.target])
    for change in changes:
        stays = held[change.target or 0].stays
        change.kind = "update"
        change.fields |= succeed(stays, ending=change.schools, alternate=alternate[change.external_id])
    return changes


def _alternate_schools(rules: Rules, external_ids: list[str]) -> dict[str, set[str]]:
    """External id → our codes of the schools whose record is alternate."""
    rows = SourceRecord.objects.filter(integration_id=rules.integration_id, external_id__in=external_ids)
    found: dict[str, set[str]] = defaultdict(set)
    for external_id, school, facts in rows.values_list("external_id", "school", "facts"):
        if school in rules.buildings and facts.get("role") == ALTERNATE:
            found[external_id].add(rules.buildings[school])
    return found


def endings(
    rules: Rules, absent: Mapping[str, list[str]], asked: Asked, *, reason: str = NOT_IN_FILE
) -> list[PlannedChange]:
    """The changes that end the enrollments of absent students: left where the system says so, else dropped.

    absent: external id → our school codes. Without Drop Students Not In File only those who left are ended.
    Enrollments of an earlier year end with that year in any case, which is no drop.
    """
    linked = hub.student_ids(rules.integration_id, list(absent))
    held = hub.load(rules.integration_id, linked.values())
    changes = []
    for external_id, schools in absent.items():
        student = held[linked[external_id]]
        over = {stay.school for stay in student.stays if outlived(stay, rules.year)}
        says_left = external_id in asked.left
        if not says_left and reason == NOT_IN_FILE and not rules.drop:
            schools = [school for school in schools if school in over]
        day = asked.left.get(external_id) or rules.today
        why = "left" if says_left else reason
        ending = {school: (min(day, rules.today), why) for school in schools}
        fields, _ = end_stays(student.stays, ending, year=rules.year)
        if fields:
            kind = "ended" if over.issuperset(schools) else "left" if says_left else "drop"
            changes.append(
                PlannedChange(
                    entity="student", external_id=external_id, kind=kind,
                    fields=fields, target=student.id, schools=sorted(schools),
                )
            )  # fmt: skip
    return changes


def _without_kept(reading: Reading, absent: dict[str, list[str]]) -> dict[str, list[str]]:
    rules = reading.rules
    linked = hub.student_ids(rules.integration_id, list(absent))
    kept = set(keeps(rules).values_list("student_id", "school__code"))
    found = {}
    for external_id, schools in absent.items():
        left = [school for school in schools if (linked[external_id], school) not in kept]
        if left:
            found[external_id] = left
    return found


def _without_claimed(reading: Reading, absent: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[issues.Found]]:
    """The absent without schools where another integration has them as current, and these as issues."""
    linked = hub.student_ids(reading.rules.integration_id, list(absent))
    others = current_by_others(reading.rules, linked.values())
    found, told = {}, []
    for external_id, schools in sorted(absent.items()):
        here = [school for school in schools if (linked[external_id], school) in others]
        told += [
            issues.current_by_another(external_id, school, integration=others[linked[external_id], school])
            for school in here
        ]
        if left := [school for school in schools if school not in here]:
            found[external_id] = left
    return found, told


def _remember_missing(reading: Reading, missing: Mapping[str, list[str]]) -> None:
    """Count in how many complete runs in a row each record was missing; a dry run counts nothing."""
    if reading.run.dry_run or reading.run.certificate.get("missing_counted"):
        return
    external: dict[str, list[str]] = defaultdict(list)
    for code, ours in reading.rules.buildings.items():
        external[ours].append(code)
    by_school: dict[str, list[str]] = defaultdict(list)
    for external_id, schools in missing.items():
        for school in schools:
            for code in external[school]:
                by_school[code].append(external_id)
    mine = SourceRecord.objects.filter(integration_id=reading.rules.integration_id)
    with transaction.atomic():
        before: dict[str, set[str]] = defaultdict(set)
        for code, external_id in mine.filter(missing_since__isnull=False).values_list("school", "external_id"):
            before[code].add(external_id)
        for code in before.keys() & reading.rules.buildings.keys():
            back = before[code] - set(by_school.get(code, ()))
            mine.filter(school=code, external_id__among=back).update(missing_since=None, missing_runs=0)
        for code, ids in by_school.items():
            for start in range(0, len(ids), CHUNK):
                rows = mine.filter(school=code, external_id__among=ids[start : start + CHUNK])
                rows.filter(missing_since=None).update(missing_since=reading.run.started, missing_runs=0)
                rows.update(missing_runs=F("missing_runs") + 1)
        reading.run.certificate["missing_counted"] = True
        reading.save()


def _missed_twice(reading: Reading, absent: dict[str, list[str]]) -> dict[str, list[str]]:
    rows = SourceRecord.objects.filter(
        integration_id=reading.rules.integration_id, external_id__in=list(absent), missing_runs__gte=2
    )
    twice = set(rows.values_list("external_id", flat=True))
    return {external_id: schools for external_id, schools in absent.items() if external_id in twice}


def _last_day(sightings: Iterable[Sighting], schools: list[str], *, rules: Rules) -> dt.date | None:
    """The last day at the schools that miss the student; an old record elsewhere says nothing of it."""
    days = [s.left for s in sightings if s.status == LEFT and s.left and rules.buildings.get(s.school) in schools]
    return max(days) if days else None
