"""Runs as the screens show them: applied ones, and held ones with drops to decide on."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from integrations.inbound.plan_hash import plan_hash
from integrations.inbound.rules import build_rules
from integrations.models import SyncRun
from students.models import School
from tests.factories.integrations import IntegrationFactory, SyncRunFactory, change_of
from tests.factories.mapping import mapping_of
from tests.factories.students import SchoolFactory, enrolled

DROPPED = {"enrollments.101.2026-2027.1.left": [None, "2026-11-20"]}


def a_school(code: str = "101", name: str = "Lincoln Elementary") -> School:
    """A school of ours."""
    made: School = SchoolFactory.create(code=code, name=name)
    return made


def a_run(*schools: School, **values: Any) -> SyncRun:
    """A complete run of an integration that covers the schools, which the system calls 9..."""
    if "integration" not in values:
        building = mapping_of("building", {f"9{school.code}": school.code for school in schools})
        values["integration"] = IntegrationFactory.create(building=building, drop_students_not_in_file=True)
    made: SyncRun = SyncRunFactory.create(**values)
    return made


def a_held_run(
    *schools: School, drops: int = 2, codes: tuple[str, ...] = ("drops",), kind: str = "drop", **values: Any
) -> SyncRun:
    """A run held with this many drops at each of the schools, and the hash of its plan."""
    run = a_run(*schools, **{"status": "held", "planned_at": timezone.now(), "finished": None, **values})
    for school in schools:
        for _ in range(drops):
            change_of(enrolled(school), run=run, schools=[school.code], kind=kind, status="planned", fields=DROPPED)
    code = schools[0].code
    message = f"Enrollments would end at school {code}: 2 of 10 students enrolled there (20 %)."
    run.guard = {"reasons": [{"code": reason, "school": code, "message": message} for reason in codes]}
    run.rules_hash = build_rules(run.integration, today=timezone.localdate(run.started)).hash
    return planned_anew(run)


def planned_anew(run: SyncRun) -> SyncRun:
    """The run with the hash of its plan as it stands now."""
    run.plan_hash = plan_hash(run.pk)
    run.save()
    return run
