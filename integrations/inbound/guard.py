"""Hold a plan that would do more than the integration allows without a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from integrations.models import Change, RecordIssue, SyncRun
from students.models import Enrollment

from .missing import CHUNK, breaks, enrolled_counts
from .rules import Rules

REMOVAL_KINDS = (Change.Kind.LEFT, Change.Kind.DROP)


def guard_reasons(run: SyncRun, rules: Rules) -> list[dict[str, Any]]:
    """Why the plan must wait for a person; [] when it need not.

    Each reason is ``{"code", "school" (our code or None), "count", "of", "percent", "message"}`` with code
    drops, blanked, rekeyed or new_students.
    """
    enrolled = enrolled_counts(rules)
    reasons = _removals(run, enrolled)
    reasons += _blanked(run, enrolled)
    reasons += _rekeyed(run, enrolled)
    return reasons + _new_students(run, rules, enrolled)


def _reason(run: SyncRun, code: str, school: str | None, count: int, of: int, what: str) -> list[dict[str, Any]]:
    integration = run.integration
    if not breaks(integration.guard_percent, integration.guard_count, count, of):
        return []
    percent = round(count * 100 / of, 1) if of else 100.0
    where = f" at school {school}" if school else ""
    message = (
        f"{what}{where}: {count} of {of} students ({percent} %). The limit is {integration.guard_percent} % "
        f"and {integration.guard_count} students."
    )
    return [{"code": code, "school": school, "count": count, "of": of, "percent": percent, "message": message}]


def _removals(run: SyncRun, enrolled: dict[str, int]) -> list[dict[str, Any]]:
    per_school: Counter[str] = Counter()
    total = 0
    rows = Change.objects.filter(run=run, entity="student", kind__in=REMOVAL_KINDS, status="planned")
    for schools in rows.values_list("schools", flat=True).iterator():
        total += 1
        per_school.update(schools)
    what = "Enrollments would end"
    reasons = _reason(run, "drops", None, total, sum(enrolled.values()), what)
    for school, count in sorted(per_school.items()):
        reasons += _reason(run, "drops", school, count, enrolled.get(school, 0), what)
    return reasons


def _blanked(run: SyncRun, enrolled: dict[str, int]) -> list[dict[str, Any]]:
    """A field of a contact counts for every student the contact serves."""
    blanked: Counter[tuple[str, str | None]] = Counter()
    served: dict[str, set[int]] = defaultdict(set)
    rows = Change.objects.filter(run=run, kind__in=["update", "reopen"], status="planned")
    for entity, target, schools, fields in rows.values_list("entity", "target", "schools", "fields").iterator():
        for label in _blank_labels(fields):
            if entity == "contact":
                served[f"contacts' {label}"].add(target or 0)
            else:
                blanked.update((label, school) for school in (None, *schools))
    for label, contacts in served.items():
        for schools in _schools_of_children(contacts):
            blanked.update((label, school) for school in (None, *schools))
    reasons: list[dict[str, Any]] = []
    for (label, school), count in sorted(blanked.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        of = sum(enrolled.values()) if school is None else enrolled.get(school, 0)
        reasons += _reason(run, "blanked", school, count, of, f"The {label} would become blank")
    return reasons


def _blank_labels(fields: dict[str, list[Any]]) -> set[str]:
    """What would become blank, in words; the links to contacts count as one."""
    blank: tuple[Any, ...] = ("", None, [])
    return {
        "contacts" if path.startswith("contacts.") else path.replace("_", " ")
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


def _rekeyed(run: SyncRun, enrolled: dict[str, int]) -> list[dict[str, Any]]:
    rows = RecordIssue.objects.filter(run=run, code__in=["possible_match", "identity_conflict"])
    found: dict[str, set[str]] = defaultdict(set)
    for external_id, schools in rows.values_list("external_id", "schools").iterator():
        found[external_id].update(schools)
    what = "New IDs belong to students we already have, as if the system had renumbered them"
    reasons = _reason(run, "rekeyed", None, len(found), sum(enrolled.values()), what)
    per_school = Counter(school for schools in found.values() for school in schools)
    for school, count in sorted(per_school.items()):
        reasons += _reason(run, "rekeyed", school, count, enrolled.get(school, 0), what)
    return reasons


def _new_students(run: SyncRun, rules: Rules, enrolled: dict[str, int]) -> list[dict[str, Any]]:
    known = set(run.integration.completed_schools)
    ours = {mine: code for code, mine in rules.buildings.items()}
    per_school: dict[str, int] = defaultdict(int)
    rows = Change.objects.filter(run=run, entity="student", kind="create", status="planned")
    for schools in rows.values_list("schools", flat=True).iterator():
        for school in schools:
            if ours.get(school) in known:
                per_school[school] += 1
    what = "New students would be added"
    reasons = _reason(run, "new_students", None, sum(per_school.values()), sum(enrolled.values()), what)
    for school, count in sorted(per_school.items()):
        reasons += _reason(run, "new_students", school, count, enrolled.get(school, 0), what)
    return reasons
