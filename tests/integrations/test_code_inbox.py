"""Mapping an unmapped code: its students, and only they, are imported again, and nobody is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import QuerySet

from integrations.code_inbox import import_waiting, map_code, waiting_students
from integrations.errors import RunRefused
from integrations.models import Integration, RecordIssue, SourceRecord, SyncRun, UnmappedCode
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, Student
from tests.factories.integrations import IntegrationFactory, RecordIssueFactory, SyncRunFactory, UnmappedCodeFactory
from tests.factories.mapping import mapping_of
from tests.world import World, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["aeries", "powerschool"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A district that was imported while its Gender mapping did not know F."""
    with a_world(request.param, students=30) as made:
        values(made).filter(external_value="F").delete()
        made.sync()
        yield made


def values(world: World) -> QuerySet[DataEntityMappingValue]:
    """The rows of the world's Gender mapping."""
    return DataEntityMappingValue.objects.filter(mapping=world.integration.gender_id)


def the_code(world: World) -> UnmappedCode:
    """The one code that waits."""
    return UnmappedCode.objects.get(integration=world.integration, entity="gender", value="F")


def test_waiting_students_alone_are_imported_when_their_code_is_mapped(world: World) -> None:
    code = the_code(world)
    waiting = waiting_students(world.integration, [code])
    others = set(Student.objects.exclude(gender="").values_list("pk", flat=True))

    told = map_code(code=code, value="F", wake=False)
    run = world.carry(told.runs[0])

    assert told.waiting == []
    assert (run.status, run.scope_students, run.counts["dropped"]) == ("complete", waiting, 0)
    assert run.counts["updated"] == len(waiting) > 0
    assert set(world.changes(run)) == set(waiting)
    assert others.isdisjoint(Student.objects.filter(gender="F").values_list("pk", flat=True))
    assert not RecordIssue.objects.filter(resolved=None).exists()
    assert not UnmappedCode.objects.exists()


def test_second_import_changes_nothing_when_the_code_was_mapped(world: World) -> None:
    world.carry(map_code(code=the_code(world), value="F", wake=False).runs[0])

    run = world.sync()
    again = world.sync()

    assert {run.counts["updated"], again.counts["updated"], again.counts["created"]} == {0}
    assert run.counts["dropped"] == again.counts["dropped"] == 0


def test_nobody_is_dropped_when_a_student_has_gone_meanwhile(world: World) -> None:
    code = the_code(world)
    gone = next(c for c in world.settled() if world.external_id(c) in waiting_students(world.integration, [code]))
    student = world.student(gone)
    world.district.remove(gone.id)

    run = world.carry(map_code(code=code, value="F", wake=False).runs[0])

    assert run.counts["dropped"] == 0
    assert Enrollment.objects.filter(student=student, left=None).exists()


def test_fingerprints_are_cleared_at_once_when_an_import_is_open(world: World) -> None:
    code = the_code(world)
    waiting = waiting_students(world.integration, [code])
    rows = SourceRecord.objects.filter(integration=world.integration, external_id__in=waiting)
    rows.update(fingerprint=7)
    opened = world.begin()

    told = map_code(code=code, value="F", wake=False)

    assert told.runs == []
    assert f"Run {opened.pk}" in told.waiting[0]
    assert set(rows.values_list("fingerprint", flat=True)) == {None}
    world.carry(opened)
    assert not UnmappedCode.objects.exists()


def _waiting(integration: Integration, *, code: str = "Q", students: tuple[str, ...] = ("9001",)) -> UnmappedCode:
    """An unmapped gender code of an integration, with students who wait for it."""
    run = SyncRunFactory.create(integration=integration)
    for student in students:
        RecordIssueFactory.create(run=run, external_id=student, raw_code=code)
    made: UnmappedCode = UnmappedCodeFactory.create(integration=integration, value=code)
    return made


def _codes(code: UnmappedCode) -> dict[str, str]:
    rows = DataEntityMappingValue.objects.filter(mapping=code.integration.gender_id)
    return dict(rows.values_list("external_value", "value"))


def test_every_integration_of_the_mapping_is_seen_to() -> None:
    mapping = mapping_of("gender", {"M": "M"})
    north, south = (IntegrationFactory.create(name=name, gender=mapping) for name in ("North", "South"))
    other = IntegrationFactory.create(name="Other", gender=mapping_of("gender", {}))
    code = _waiting(north)
    _waiting(south, students=("9002", "9003"))
    _waiting(other)

    told = map_code(code=code, value="X", wake=False)

    assert {(run.integration.name, *run.scope_students) for run in told.runs} == {
        ("North", "9001"),
        ("South", "9002", "9003"),
    }
    assert told.waiting == []
    assert SyncRun.objects.filter(integration=other, status="queued").count() == 0


def test_students_wait_for_the_next_import_when_the_integration_may_not_run() -> None:
    code = _waiting(IntegrationFactory.create(name="North", gender=mapping_of("gender", {}), import_enabled=False))

    told = map_code(code=code, value="X", wake=False)

    assert told.runs == []
    assert told.waiting == ["Importing is switched off for North. Tick Import enabled first."]
    assert _codes(code) == {"Q": "X"}


@pytest.mark.parametrize("run", [{"status": "planned", "dry_run": True}, {"status": "held"}, {"status": "discarded"}])
def test_nobody_is_imported_when_no_import_was_applied_yet(run: dict[str, Any]) -> None:
    code = _waiting(IntegrationFactory.create(gender=mapping_of("gender", {})))
    code.integration.runs.update(**run)

    told = map_code(code=code, value="X", wake=False)

    assert (told.runs, told.waiting, _codes(code)) == ([], [], {"Q": "X"})


def test_codes_mapped_one_after_the_other_are_imported_together() -> None:
    integration = IntegrationFactory.create(gender=mapping_of("gender", {}))
    first, second = _waiting(integration), _waiting(integration, code="Z", students=("9002",))
    map_code(code=first, value="X", run=False)
    map_code(code=second, value="F", run=False)

    run = import_waiting(integration=integration, wake=False)

    assert run.scope_students == ["9001", "9002"]


@pytest.mark.parametrize(
    ("known", "value", "sentence"),
    [
        ({}, "purple", "Choose one of our values."),
        ({"Q": "F"}, "X", "has had a value for “Q” since: Female. Change it there."),
    ],
)
def test_mapping_is_left_alone_when_the_value_does_not_fit(known: dict[str, str], value: str, sentence: str) -> None:
    code = _waiting(IntegrationFactory.create(gender=mapping_of("gender", known)))

    with pytest.raises(RunRefused, match=sentence):
        map_code(code=code, value=value, wake=False)

    assert _codes(code) == known
    assert not SyncRun.objects.filter(status="queued").exists()


def test_mapping_must_be_chosen_first_when_there_is_none() -> None:
    code = _waiting(IntegrationFactory.create(name="North"))

    with pytest.raises(RunRefused, match="North has no Gender mapping"):
        map_code(code=code, value="X", wake=False)


def test_import_is_refused_when_nobody_waits() -> None:
    with pytest.raises(RunRefused, match="No student of North waits"):
        import_waiting(integration=IntegrationFactory.create(name="North"), wake=False)
