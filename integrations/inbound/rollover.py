"""The first import into a new academic year: a rollover, with limits of its own, which always waits for a person."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from integrations.models import Change, Integration, SyncRun
from integrations.models.run import APPLIED
from students.codes import GRADE_LEVELS
from students.models import AcademicYear, Enrollment

CHUNK = 500
SEASON = dt.timedelta(days=30)
GOING = (Change.Kind.ENDED, Change.Kind.LEFT, Change.Kind.DROP)
_PLACE = {grade: place for place, grade in enumerate(GRADE_LEVELS)}


class Limits(msgspec.Struct, frozen=True):
    """What a plan may do without a person: not over percent and over count."""

    percent: int
    count: int


def rollover_from(run: SyncRun) -> AcademicYear | None:
    """The academic year imported before, when the run is the first of a later one; None for any other run.

    A year is imported once an import of everybody has been applied in it, and not undone since.
    """
    if run.year is None or run.kind != SyncRun.Kind.IMPORT:
        return None
    applied = SyncRun.objects.filter(
        integration=run.integration_id, kind=SyncRun.Kind.IMPORT, dry_run=False, status__in=APPLIED
    ).exclude(pk=run.pk)
    if applied.filter(year=run.year, scope_schools=[], scope_students=[]).exists():
        return None
    earlier = AcademicYear.objects.filter(pk__in=applied.values("year"), starts__lt=run.year.starts)
    return earlier.order_by("-starts").first()


def limits_of(run: SyncRun, *, today: dt.date) -> Limits:
    """The limits of the run's guard: those of a rollover until their last day, else the ordinary ones."""
    integration = run.integration
    if run.year is not None and rollover_from(run) and today <= limits_end(integration, run.year):
        return Limits(integration.rollover_percent, integration.rollover_count)
    return Limits(integration.guard_percent, integration.guard_count)


def limits_end(integration: Integration, year: AcademicYear) -> dt.date:
    """The last day of the rollover limits: the one a person set, else 30 days after the year's first day.

    A day before the year begins was set for an earlier rollover.
    """
    chosen = integration.rollover_until
    return chosen if chosen and chosen >= year.starts else year.starts + SEASON


def rollover_reasons(run: SyncRun, *, enrolled: int) -> list[dict[str, Any]]:
    """Why a rollover waits for a person, as the guard tells its reasons; [] for any other run."""
    before = rollover_from(run)
    if before is None or run.year is None:
        return []
    count = run.changes.filter(entity="student", status=Change.Status.PLANNED).count()
    message = (
        f"This is a rollover from {before.name} to {run.year.name}: the first import into {run.year.name}. "
        "A rollover always waits for a person."
    )
    percent = round(count * 100 / enrolled, 1) if enrolled else 100.0
    return [{"code": "rollover", "school": None, "count": count, "of": enrolled, "percent": percent,
             "message": message}]  # fmt: skip


def rollover_told(run: SyncRun) -> dict[str, Any] | None:
    """What a planned rollover comes to, None for any other run.

    ``{"from", "to": names of years, "schools": {our code: {"up", "stayed", "other", "new", "returned", "ended",
    "left"}}}``: students who go up a grade, stay in it, change it otherwise, are new, return after an absence, whose
    enrollment ends with last year, and who are dropped or left. The school is the one of the new year, else that of
    the enrollment that ends.
    """
    before = rollover_from(run)
    if before is None or run.year is None:
        return None
    schools: dict[str, Counter[str]] = defaultdict(Counter)
    planned = run.changes.filter(entity="student", status=Change.Status.PLANNED).order_by("pk")
    rows = planned.values_list("kind", "target", "schools", "fields")
    for chunk in _chunks(rows.iterator(chunk_size=CHUNK)):
        grades = _grades_before([target for _, target, _, _ in chunk if target])
        for kind, target, codes, fields in chunk:
            for school, what in _came_to(kind, codes, fields, grades.get(target), run.year.name):
                schools[school][what] += 1
    return {
        "from": before.name,
        "to": run.year.name,
        "schools": {school: dict(counts) for school, counts in sorted(schools.items())},
    }


def _came_to(
    kind: str, schools: list[str], fields: Mapping[str, Any], before: str | None, year: str
) -> Iterable[tuple[str, str]]:
    """(school, what) of one student's change; a second enrollment of the new year does not count."""
    if kind in GOING:
        return [(school, "ended" if kind == Change.Kind.ENDED else "left") for school in schools]
    if kind == Change.Kind.CREATE:
        return [(schools[0], "new")] if schools else []
    fresh = {
        path.split(".")[1]: after
        for path, (_, after) in fields.items()
        if path.startswith("enrollments.") and path.split(".")[2] == year and isinstance(after, dict)
    }
    if not fresh:
        return []
    school = min(fresh, key=lambda code: (not fresh[code]["primary"], code))
    if kind == Change.Kind.REOPEN:
        return [(school, "returned")]
    return [(school, _step(before, fresh[school]["grade_level"]))]


def _step(before: str | None, after: str) -> str:
    if before is None or before not in _PLACE or after not in _PLACE:
        return "other"
    steps = _PLACE[after] - _PLACE[before]
    if steps == 0:
        return "stayed"
    # Before grade 1 not every child goes through every grade there is.
    return "up" if steps == 1 or (steps > 0 and _PLACE[after] <= _PLACE["K"]) else "other"


def _grades_before(students: list[int]) -> dict[int | None, str]:
    """Student → the grade of the current enrollment, the primary one before others."""
    rows = Enrollment.objects.filter(student__in=students, left=None).order_by("primary", "academic_year__ends")
    return dict(rows.values_list("student", "grade_level"))


def _chunks(rows: Iterable[Any]) -> Iterable[list[Any]]:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
