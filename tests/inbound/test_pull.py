"""The first pull holds what the district holds; the second changes nothing; then exactly what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from integrations.models import Change, ExternalIdentity, SourceRecord, SyncRun
from integrations.sandbox import District
from students.models import Student
from tests.stories.days import writes
from tests.world import World, a_world, roster

from .expected import families_held, families_told, held, told
from .tables import everything

pytestmark = pytest.mark.django_db
CHANGED = ("created", "updated", "reopened", "left", "dropped", "rejected")


@pytest.fixture(params=["aeries", "powerschool"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A messy district of 150 children at 3 schools."""
    with a_world(request.param, students=150, schools=3, messy=True) as made:
        yield made


def adds_up(run: SyncRun) -> bool:
    """Whether every student received is counted once."""
    parts = ("created", "updated", "unchanged", "reopened", "rejected", "inactive", "left")
    return bool(run.counts["received"] == sum(run.counts[name] for name in parts)) and min(run.counts.values()) >= 0


def test_the_first_pull_of_a_messy_district_holds_what_the_district_holds(world: World) -> None:
    run = world.sync()
    assert run.status == "complete_with_issues", (run.status, run.error_message)
    right = told(world.district, world.vendor)
    found = held()
    assert found.keys() == right.keys()
    for local_id, fields in right.items():
        assert found[local_id] == fields
    assert families_held() == families_told(world.district, world.vendor, right)
    assert run.counts["created"] == len(right) == 150
    assert adds_up(run), run.counts
    assert {issue.severity for issue in world.issues(run)} == {"warning"}


def test_the_second_pull_changes_nothing_and_writes_nothing_to_tables_of_students(world: World) -> None:
    world.sync()
    before, printed = everything(), roster()
    looked_at = dict(remembered().values_list("pk", "fingerprint"))
    assert len(looked_at) > 100
    with CaptureQueriesContext(connection) as queries:
        run = world.sync()
    assert run.counts["unchanged"] == 150
    assert [run.counts[name] for name in CHANGED] == [0] * len(CHANGED)
    assert adds_up(run), run.counts
    assert writes(queries) == []
    assert everything() == before
    assert roster() == printed
    assert not Change.objects.filter(run=run).exists()
    # Whose fingerprint is kept was not looked at again, so that its record is the very same row.
    assert looked_at.items() <= dict(remembered().values_list("pk", "fingerprint")).items()


def remembered() -> QuerySet[SourceRecord]:
    """The source records with a fingerprint."""
    return SourceRecord.objects.exclude(fingerprint=None)


def test_exactly_those_change_who_changed(world: World) -> None:
    world.sync()
    before = {pk: rest for pk, *rest in Student.objects.values_list("pk", "local_id", "home_phone", "residence_line1")}
    ids = {str(number) for number in world.district.change_percent(4, seed=5)}
    run = world.sync()
    after = {pk: rest for pk, *rest in Student.objects.values_list("pk", "local_id", "home_phone", "residence_line1")}
    assert {after[pk][0] for pk in after if after[pk] != before[pk]} == ids
    assert run.counts["updated"] == len(ids) == 6
    assert run.counts["unchanged"] == 144
    assert adds_up(run), run.counts
    right = told(world.district, world.vendor)
    assert held() == right
    for external_id, change in world.changes(run).items():
        assert change.fields.keys() <= {"home_phone", "residence_line1", "family"}, (external_id, change.fields)
    assert world.sync().counts["unchanged"] == 150


def test_statements_grow_with_pages_never_with_students() -> None:
    small, large = statements(10), statements(30)
    assert small["pages"] == large["pages"] == [5, 5, 5, 5]
    assert small["statements"] == large["statements"]


def test_a_page_costs_at_most_twelve_statements() -> None:
    few, many = statements(10, pages=5), statements(10, pages=15)
    more = [b - a for a, b in zip(few["statements"], many["statements"], strict=True)]
    assert [b - a for a, b in zip(few["pages"], many["pages"], strict=True)] == [10, 10, 10, 10]
    assert max(more[:3]) <= 12 * 10, more


def statements(size: int, *, pages: int = 5) -> dict[str, list[int]]:
    """Pages and statements of a first pull, a second, one with changes, one with leavers: size to a page."""
    read, counts = [], []
    setting = {"students": size * pages, "schools": 1, "options": {"page_size": size}}
    with transaction.atomic(), a_world("aeries", **setting) as world:
        district = world.district
        steps = (
            lambda: None,
            lambda: None,
            lambda: district.change_percent(30, seed=2),
            lambda: [district.leave(child.id) for child in world.settled()[::size]],
        )
        for step in steps:
            step()
            with CaptureQueriesContext(connection) as queries:
                run = world.sync()
            read.append(run.pages.count())
            counts.append(len(queries))
        transaction.set_rollback(True)
    return {"pages": read, "statements": counts}


def test_memory_of_what_was_seen_is_kept_for_every_row_of_a_student(world: World) -> None:
    world.sync()
    linked = ExternalIdentity.objects.filter(entity="student").count()
    assert linked == 150
    assert SourceRecord.objects.values("external_id").distinct().count() == linked


def test_two_systems_of_one_district_hold_each_child_once() -> None:
    district = District.generate(students=40, schools=2, seed=4, messy=False)
    with a_world("aeries", district=district) as one, a_world("powerschool", district=district, name="Second") as two:
        one.sync()
        run = two.sync()
        assert run.counts["created"] == 0, [issue.message for issue in two.issues(run)[:3]]
        assert run.counts["rejected"] == 0
        assert adds_up(run), run.counts
        assert Student.objects.count() == 40
        assert all(n == 2 for n in _identities().values())
        again: Any = two.sync()
        assert again.counts["unchanged"] == 40


def _identities() -> dict[int, int]:
    found: dict[int, int] = {}
    for student in ExternalIdentity.objects.filter(entity="student").values_list("student_id", flat=True):
        found[student or 0] = found.get(student or 0, 0) + 1
    return found
