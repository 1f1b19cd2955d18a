"""Hold a plan that would do more than the integration allows without a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from integrations.models import Change, RecordIssue, SyncRun
from students.models import Enrollment

from .issues import field_words
from .missing import CHUNK, breaks, enrolled_counts, enrolled_in_all
from .rollover import Limits, limits_of, rollover_reasons
from .rules import Rules

Enrolled = dict[str | None, int]
"""Our school code → students enrolled there; None → students enrolled at any covered school, each once."""
REMOVAL_KINDS = (Change.Kind.LEFT, Change.Kind.DROP, Change.Kind.ENDED)


def guard_reasons(run: SyncRun, rules: Rules) -> list[dict[str, Any]]:
    """Why the plan must wait for a person; [] when it need not.

    Each reason is ``{"code", "school" (our code or None), "count", "of", "percent", "message"}`` with code
    rollover, drops, blanked, rekeyed or new_students. A rollover has limits of its own. count and of are students,
    each once; of: those enrolled at the school, or through the integration at all.
    """
    enrolled: Enrolled = {None: enrolled_in_all(rules)}
    enrolled.update(enrolled_counts(rules).items())
    limits = limits_of(run, today=rules.today)
    reasons = rollover_reasons(run, enrolled=enrolled[None])
    reasons += _removals(run, enrolled, limits)
    reasons += _blanked(run, enrolled, limits)
    reasons += _rekeyed(run, enrolled, limits)
    return reasons + _new_students(run, rules, enrolled, limits)


def _reason(limits: Limits, code: str, school: str | None, count: int, of: int, what: str) -> list[dict[str, Any]]:
    if not breaks(limits.percent, limits.count, count, of):
        return []
    percent = round(count * 100 / of, 1) if of else 100.0
    where, enrolled = (f"at school {school}", "enrolled there") if school else ("in all schools together", "enrolled")
    message = (
        f"{what} {where}: {count} {'beside' if code == 'new_students' else 'of'} {of} students {enrolled} "
        f"({percent:g} %). A person decides above "
        f"{limits.percent} % and {limits.count} student{'' if limits.count == 1 else 's'}."
    )
    return [{"code": code, "school": school, "count": count, "of": of, "percent": percent, "message": message}]


def _removals(run: SyncRun, enrolled: Enrolled, limits: Limits) -> list[dict[str, Any]]:
    per_school: Counter[str] = Counter()
    total = 0
    rows = Change.objects.filter(run=run, entity="student", kind__in=REMOVAL_KINDS, status="planned")
    for schools in rows.values_list("schools", flat=True).iterator():
        total += 1
        per_school.update(schools)
    what = "Enrollments would end"
    reasons = _reason(limits, "drops", None, total, enrolled[None], what)
    for school, count in sorted(per_school.items()):
        reasons += _reason(limits, "drops", school, count, enrolled.get(school, 0), what)
    return reasons


def _blanked(run: SyncRun, enrolled: Enrolled, limits: Limits) -> list[dict[str, Any]]:
    """A field of a contact counts for every student the contact serves."""
    blanked: Counter[tuple[str, str | None]] = Counter()
    served: dict[str, set[int]] = defaultdict(set)
    rows = Change.objects.filter(run=run, kind__in=["update", "reopen"], status="planned")
    for entity, target, schools, fields in rows.values_list("entity", "target", "schools", "fields").iterator():
        for label in _blank_labels(entity, fields):
            if entity == "contact":
                served[f"contacts' {label}"].add(target or 0)
            else:
                blanked.update((label, school) for school in (None, *schools))
    for label, contacts in served.items():
        for schools in _schools_of_children(contacts):
            blanked.update((label, school) for school in (None, *schools))
    reasons: list[dict[str, Any]] = []
    for (label, school), count in sorted(blanked.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        reasons += _reason(limits, "blanked", school, count, enrolled.get(school, 0), f"The {label} would become blank")
    return reasons


def _blank_labels(entity: str, fields: dict[str, list[Any]]) -> set[str]:
    """What would become blank, in words; the links to contacts count as one."""
    blank: tuple[Any, ...] = ("", None, [])
    return {
        "contacts" if path.startswith("contacts.") else field_words(entity, path)
        for path, (before, after) in fields.items()
        if after in blank and before not in blank and not path.startswith("enrollments.")
    }


def _schools_of_children(contacts: set[int]) -> list[set[str]]:
    """For each current student whom one of the contacts serves, our codes of the student's schools."""
    schools: dict[int, set[str]] = defaultdict(set)
    wanted = sorted(contacts)
    for start in range(0, len(wanted), CHUNK):
        rows = Enrollment.objects.filter(left=None, student__contact_links__contact__in=wanted[start : start + CHUNK])
        for student, school in rows.values_list("student_id", "school__code"):
            schools[student].add(school)
    return list(schools.values())


def _rekeyed(run: SyncRun, enrolled: Enrolled, limits: Limits) -> list[dict[str, Any]]:
    rows = RecordIssue.objects.filter(run=run, code__in=["possible_match", "identity_conflict"])
    found: dict[str, set[str]] = defaultdict(set)
    for external_id, schools in rows.values_list("external_id", "schools").iterator():
        found[external_id].update(schools)
    what = "As if the system had renumbered them, new IDs belong to students we already have"
    reasons = _reason(limits, "rekeyed", None, len(found), enrolled[None], what)
    per_school = Counter(school for schools in found.values() for school in schools)
    for school, count in sorted(per_school.items()):
        reasons += _reason(limits, "rekeyed", school, count, enrolled.get(school, 0), what)
    return reasons


def _new_students(run: SyncRun, rules: Rules, enrolled: Enrolled, limits: Limits) -> list[dict[str, Any]]:
    known = set(run.integration.completed_schools)
    ours = {mine: code for code, mine in rules.buildings.items()}
    per_school: Counter[str] = Counter()
    total = 0
    rows = Change.objects.filter(run=run, entity="student", kind="create", status="planned")
    for schools in rows.values_list("schools", flat=True).iterator():
        counted = [school for school in schools if ours.get(school) in known]
        total += bool(counted)
        per_school.update(counted)
    what = "New students would be added"
    reasons = _reason(limits, "new_students", None, total, enrolled[None], what)
    for school, count in sorted(per_school.items()):
        reasons += _reason(limits, "new_students", school, count, enrolled.get(school, 0), what)
    return reasons
