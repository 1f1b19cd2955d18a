"""Endings a run may not write: a person keeps the student enrolled, or another integration has the student there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from integrations.models import Change, ExternalIdentity, Integration, KeepEnrolled, SourceRecord, SyncRun
from mapping.models import DataEntityMappingValue
from students.models import Enrollment
from students.records import CURRENT
from students.stays import YEAR_ENDED

from . import issues
from .rules import Rules

KEPT, ELSEWHERE = "kept", "elsewhere"
REMOVALS = (Change.Kind.LEFT, Change.Kind.DROP, Change.Kind.ENDED)
CHUNK = 500


def keeps(rules: Rules) -> QuerySet[KeepEnrolled]:
    """The decisions in force on the run's day."""
    return KeepEnrolled.objects.filter(Q(until=None) | Q(until__gte=rules.today), integration=rules.integration_id)


def current_by_others(rules: Rules, students: Collection[int]) -> dict[tuple[int, str], str]:
    """(Student, our school code) → the name of another active integration whose system has the student there.

    A record that a complete run of the other integration has missed since says nothing any more.
    """
    wanted = sorted(set(students))
    found: dict[tuple[int, str], str] = {}
    others = Integration.objects.filter(active=True, import_enabled=True).exclude(pk=rules.integration_id)
    for other in others if wanted else ():
        values = DataEntityMappingValue.objects.filter(
            mapping=other.building_id, value__in=set(rules.buildings.values())
        )
        ours = {code.strip(): value for code, value in values.values_list("external_value", "value")}
        for start in range(0, len(wanted) if ours else 0, CHUNK):
            ids = ExternalIdentity.objects.filter(
                integration=other, entity="student", silent=False, student__in=wanted[start : start + CHUNK]
            )
            linked = dict(ids.values_list("external_id", "student_id"))
            records = SourceRecord.objects.filter(
                integration=other, external_id__among=linked, school__in=ours, missing_since=None
            )
            for external_id, school, facts in records.values_list("external_id", "school", "facts"):
                if facts.get("status") == CURRENT:
                    found[linked[external_id] or 0, ours[school]] = other.name
    return found


def withhold_endings(run: SyncRun, rules: Rules) -> list[issues.Found]:
    """Withhold the planned endings that may not be written, school by school; who stays for another system, as issues.

    A change of which nothing would be left is withheld as a whole.
    """
    reasons: dict[int, dict[str, str]] = defaultdict(dict)
    for student, school, reason in keeps(rules).values_list("student_id", "school__code", "reason"):
        reasons[student][school] = reason
    planned = Change.objects.filter(run=run, entity="student", status=Change.Status.PLANNED, target__isnull=False)
    leaving = planned.filter(kind__in=REMOVALS).values_list("target", flat=True)
    others = current_by_others(rules, [pk for pk in leaving if pk])
    told: list[issues.Found] = []
    wanted = sorted(reasons.keys() | {student for student, _ in others})
    for start in range(0, len(wanted), CHUNK):
        rows = planned.filter(target__in=wanted[start : start + CHUNK]).exclude(kind=Change.Kind.CREATE)
        for change in rows:
            student = change.target or 0
            kept = reasons.get(student, {})
            why = {school: KEPT for school in _ended(change) & kept.keys()}
            if change.kind in REMOVALS:
                here = {school for school in _ended(change) - why.keys() if (student, school) in others}
                why |= dict.fromkeys(here, ELSEWHERE)
                told += [
                    issues.current_by_another(change.external_id, school, integration=others[student, school])
                    for school in sorted(here)
                ]
            if why:
                _withhold(change, why, kept)
    return told


def _ended(change: Change) -> set[str]:
    """Our codes of the schools where the change ends an enrollment; the old year of a student who goes on aside."""
    ended = set()
    for path, (_, after) in change.fields.items():
        stay, _, name = path.rpartition(".")
        if path.startswith("enrollments.") and name == "left" and after:
            reason = change.fields.get(f"{stay}.exit_reason", [None, ""])[1]
            if change.kind in REMOVALS or reason != YEAR_ENDED:
                ended.add(path.split(".")[1])
    return ended


def _withhold(change: Change, why: Mapping[str, str], kept: Mapping[str, str]) -> None:
    """Take the endings at the schools out of the change. why: our school code → why."""
    out: dict[str, list[Any]] = {}
    for path, pair in change.fields.items():
        head, _, rest = path.partition(".")
        school = rest.partition(".")[0]
        if head == "enrollments" and school in why and path.rpartition(".")[2] in ("left", "exit_reason"):
            out[path] = [*pair, why[school]]
    left = {path: pair for path, pair in change.fields.items() if path not in out}
    enrollments = {path.split(".")[1] for path in change.fields if path.startswith("enrollments.")}
    if set(why.values()) == {KEPT} and (not left or (change.kind in REMOVALS and enrollments <= why.keys())):
        change.status, change.keep_reason = Change.Status.WITHHELD, kept[min(why)]
        change.save(update_fields=["status", "keep_reason"])
        return
    change.withheld = {**change.withheld, **out}
    change.fields = {**_second(change.target or 0, why, left), **left}
    if change.kind in REMOVALS and not any(path.endswith(".left") for path in left):
        change.status = Change.Status.WITHHELD
    elif change.kind in REMOVALS:
        change.schools = [school for school in change.schools if school not in why]
    change.save(update_fields=["fields", "withheld", "status", "schools"])


def _second(student: int, why: Mapping[str, str], fields: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What makes a stay that does not end after all give way to the one that becomes primary by the fields."""
    primary = any(
        after.get("primary") if isinstance(after, dict) else path.endswith(".primary") and after
        for path, (_, after) in fields.items()
        if path.startswith("enrollments.")
    )
    stays = Enrollment.objects.filter(student=student, left=None, primary=True, school__code__in=list(why))
    rows = stays.values_list("school__code", "academic_year__name", "stint") if primary else ()
    return {f"enrollments.{school}.{year}.{stint}.primary": [True, False] for school, year, stint in rows}
