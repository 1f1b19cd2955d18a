"""What stories say often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.models import SyncRun
from integrations.sandbox.district import Child
from students.models import Enrollment, Student
from tests.world import World

STUDENT_TABLES = (
    "students_student",
    "students_enrollment",
    "students_contact",
    "students_studentcontact",
    "students_family",
)


def remove(world: World, count: int, *, school: int | None = None) -> list[Child]:
    """Let children vanish from the district without a trace; the children, by id."""
    found = [c for c in world.settled() if school is None or c.enrollments[0].school == school]
    chosen = found[:count]
    assert len(chosen) == count
    for child in chosen:
        world.district.remove(child.id)
    return chosen


def restore(world: World, children: Sequence[Child]) -> None:
    """Bring removed children back as they were."""
    for child in children:
        world.district.restore_child(child)


def held(world: World, *, removed: int = 15) -> tuple[SyncRun, list[Child]]:
    """A run that is held because that many children vanished, and these children."""
    gone = remove(world, removed)
    run = world.sync()
    assert run.status == "held", (run.status, run.error_message)
    return run, gone


def enrolled(world: World, child: Child) -> bool:
    """Whether we hold the child as currently enrolled anywhere."""
    student = world.student(child)
    open_stays = Enrollment.objects.filter(student=student, left=None).exists()
    assert open_stays == (student.status == Student.Status.CURRENT)
    return open_stays


def reasons(run: SyncRun) -> set[tuple[str, str | None, int, int]]:
    """Why a run is held, as (code, school, count, of)."""
    return {(r["code"], r["school"], r["count"], r["of"]) for r in run.guard["reasons"]}


def writes(queries: CaptureQueriesContext) -> list[str]:
    """The captured statements that wrote to a table of students."""
    return [
        q["sql"]
        for q in queries.captured_queries
        if q["sql"].split(" ", 1)[0] in ("INSERT", "UPDATE", "DELETE", "COPY")
        and any(f'"{table}"' in q["sql"].split("WHERE")[0] for table in STUDENT_TABLES)
    ]


def quiet_sync(world: World, *, looked_at: bool = True, **arguments: Any) -> SyncRun:
    """A sync that must not write to any table of students, and plan nothing.

    looked_at: False when no record may even have been decoded and remembered anew.
    """
    connection.queries_log.clear()
    with CaptureQueriesContext(connection) as queries:
        run = world.sync(**arguments)
    assert writes(queries) == []
    if not looked_at:
        assert not [q for q in queries.captured_queries if 'INTO "integrations_sourcerecord"' in q["sql"]]
    assert run.changes.count() == 0, [(c.entity, c.kind, c.fields, c.withheld) for c in run.changes.all()[:5]]
    return run
