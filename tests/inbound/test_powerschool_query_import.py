"""A district behind PowerSchool Query comes in completely; a second run changes nothing; bad input loses nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from integrations.models import Change, UnmappedCode
from integrations.sandbox import District
from students.models import Student
from tests.world import World, a_world, roster

from .expected import held, told
from .expected_powerschool_query import VENDOR, exported, namesakes
from .tables import everything

pytestmark = pytest.mark.django_db
ROSTER = r"\.students\.roster$"


@pytest.fixture
def world() -> Iterator[World]:
    """A messy district of 120 children at 3 schools."""
    with a_world(VENDOR, students=120, schools=3, messy=True, seed=8, options={"page_size": 25}) as made:
        yield made


@pytest.fixture
def tidy() -> Iterator[World]:
    """Thirty children at two schools, loaded."""
    with a_world(VENDOR, students=30, schools=2) as made:
        assert made.sync().status == "complete"
        yield made


def current(world: World) -> int:
    """How many students are current here."""
    return Student.objects.filter(status="current").count()


def shown() -> dict[str, dict[str, Any]]:
    """Local id → what `export_roster --all` prints of it."""
    return {row["local_id"]: row for row in json.loads(roster())}


def comes_in_completely(world: World) -> None:
    """Import twice: everything is here after the first run, nothing changes by the second."""
    first = world.sync()
    assert first.status == "complete_with_issues", first.error_message
    assert {issue.severity for issue in world.issues(first)} == {"warning"}
    assert held() == told(world.district, VENDOR)
    assert shown() == exported(world.district)
    assert any(row["allergies"] for row in shown().values())
    assert first.counts["created"] == len(exported(world.district))
    before, printed = everything(), roster()
    second = world.sync()
    assert not Change.objects.filter(run=second).exists()
    assert second.counts["unchanged"] == first.counts["created"]
    assert everything() == before
    assert roster() == printed


def test_a_messy_district_comes_in_completely_and_stays_as_it_is(world: World) -> None:
    comes_in_completely(world)


@pytest.mark.slow
def test_a_large_district_comes_in_completely_and_stays_as_it_is() -> None:
    district = District.generate(students=5000, schools=8, seed=8)
    for local_id in namesakes(district):
        district.change(int(local_id), first_name=f"Only {local_id}")
    with a_world(VENDOR, district=district) as large:
        comes_in_completely(large)


@pytest.mark.parametrize(
    "switches", [{"shape": "grouped"}, {"shape": "bare"}, {"numbers": True}, {"moments": True}, {"counts": False}]
)
def test_another_way_to_write_the_rows_makes_no_difference(switches: dict[str, Any]) -> None:
    district = District.generate(students=25, seed=8, schools=2)
    with a_world(VENDOR, district=district, switches=switches) as world:
        world.sync()
        assert held() == told(district, VENDOR)


def test_an_allergy_without_a_mapping_is_kept_visible(world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, allergies="Peanut; dragon fruit")
    run = world.sync()
    assert UnmappedCode.objects.filter(entity="allergy", value="dragon fruit", count=1).exists()
    issue = world.issues(run, code="unmapped_code", entity="allergy", external_id=str(child.dcid))[0]
    assert "dragon fruit" in issue.message


def test_who_left_and_who_vanished_are_told_apart(tidy: World) -> None:
    gone, vanished = tidy.settled()[:2]
    tidy.district.leave(gone.id)
    tidy.district.remove(vanished.id)
    run = tidy.sync()
    assert run.status == "complete"
    assert run.counts["dropped"] == 2
    assert not tidy.student(gone).enrollments.filter(left=None).exists()
    assert not tidy.student(vanished).enrollments.filter(left=None).exists()


@pytest.mark.parametrize(
    ("path", "code", "settings"),
    [
        *((ROSTER, code, {}) for code in ("F21", "F22", "F23", "F27", "F29", "F30", "F41", "F45")),
        (ROSTER, "F28", {"keep": 2}),
        (r"\.students\.contacts$", "F28", {"keep": 2}),
        (r"\.students\.phones$", "F41", {}),
        (r"\.students\.races$", "F21", {}),
        (r"\.students\.\w+$", "F45", {}),
    ],
)
def test_an_answer_that_is_not_whole_drops_nobody_and_takes_nothing_away(
    tidy: World, path: str, code: str, settings: dict[str, Any]
) -> None:
    tidy.district.leave(tidy.settled()[0].id)
    before = {student.pk: student.contact_links.count() for student in Student.objects.filter(status="current")}
    tidy.sis.faults.add(code, path=path, **settings)
    run = tidy.sync()
    assert run.status in ("partial", "failed"), run.status
    after = {student.pk: student.contact_links.count() for student in Student.objects.filter(status="current")}
    assert after == before
    tidy.sis.faults.clear()
    assert tidy.sync().status == "complete"


@pytest.mark.parametrize("switch", [{"denied_fields": ["studentcorefields.allergies"]}, {"plugin": False}])
def test_a_right_that_was_taken_away_fails_the_run_and_loses_nobody(tidy: World, switch: dict[str, Any]) -> None:
    tidy.sis.vendor.switch.update(switch)
    run = tidy.sync()
    assert run.status == "failed"
    told_of = run.error_message + " ".join(issue.message for issue in tidy.issues(run))
    assert "plugin" in told_of
    assert current(tidy) == 30


def test_a_person_linked_twice_to_a_student_keeps_no_school_out(tidy: World) -> None:
    child = next(one for one in tidy.settled() if one.contacts)
    again = replace(child.contacts[0], sequence=9, order=9)
    tidy.district.change(child.id, contacts=[*child.contacts, again], last_name="Renamed")
    run = tidy.sync()
    assert run.status == "complete", [issue.message for issue in tidy.issues(run)]
    assert tidy.student(child).last_name == "Renamed"
    assert tidy.student(child).contact_links.count() == len(child.contacts) - 1


def test_without_the_right_to_allergies_all_else_comes_in() -> None:
    switches = {"denied_fields": ["studentcorefields.allergies"]}
    with a_world(VENDOR, students=30, switches=switches, options={"allergies": False}) as world:
        assert world.sync().status == "complete"
        assert current(world) == 30
