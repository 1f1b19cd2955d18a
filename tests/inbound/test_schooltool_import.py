"""A district behind a SchoolTool roster feed comes in completely; what is wrong with the feed loses nobody."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import time_machine

from integrations.models import Change, SyncRun
from integrations.sandbox import District
from students.models import Enrollment, Student
from tests.world import World, a_world, roster

from .expected import families_held
from .expected_schooltool import exported
from .tables import everything

pytestmark = pytest.mark.django_db
VENDOR = "schooltool"
BAD_FILES: dict[str, tuple[dict[str, Any], str]] = {
    "header": ({"renamed": {"birthDate": "birthdate"}}, "'birthdate', which is not known (is it birthDate?)"),
    "no header": ({"renamed": {"studentId": "1", "lastName": "2", "birthDate": "3"}}, "lacks studentId"),
    "other version": ({"contract": "2"}, "version 2 of the roster feed"),
}


def comes_in_completely(world: World) -> None:
    """Import twice: everything is here after the first run, and the second changes nothing."""
    first = world.sync()
    assert first.status == "complete_with_issues", first.error_message
    right = exported(world.district)
    assert {issue.severity for issue in world.issues(first)} == {"warning"}
    found = {row["local_id"]: row for row in json.loads(roster())}
    for row in right:
        assert found[row["local_id"]] == row
    assert json.loads(roster()) == right
    before, printed = everything(), roster()
    second = world.sync()
    assert second.counts["unchanged"] == first.counts["created"] == len(right)
    assert not Change.objects.filter(run=second).exists()
    assert everything() == before
    assert roster() == printed


@pytest.mark.parametrize("switches", [{}, {"form": "csv"}, {"carried_in": "path"}], ids=["lists", "file", "path"])
def test_a_messy_district_comes_in_completely_and_stays_as_it_is(switches: dict[str, Any]) -> None:
    options = {"page_size": 25}
    with a_world(VENDOR, students=120, schools=3, messy=True, seed=8, switches=switches, options=options) as world:
        comes_in_completely(world)


@pytest.mark.slow
def test_five_thousand_students_come_in_completely() -> None:
    with a_world(VENDOR, students=5000, schools=8, messy=True, seed=1) as world:
        comes_in_completely(world)


def test_lists_and_file_of_one_district_are_the_same_students() -> None:
    district = District.generate(students=60, schools=2, messy=True)
    with a_world(VENDOR, district=district) as world:
        world.sync()
        printed = roster()
        world.sis.vendor.switch["form"] = "csv"
        run = world.sync()
        assert run.status == "complete_with_issues", run.error_message
        assert [run.counts[name] for name in ("created", "updated", "dropped")] == [0, 0, 0]
        assert roster() == printed


def test_families_stay_when_contacts_are_no_longer_told() -> None:
    with a_world(VENDOR, students=60, schools=2) as world:
        loaded(world)
        before = families_held()
        world.sis.vendor.switch["contacts"] = False
        assert world.sync().status == "complete"
        assert families_held() == before != set()


def loaded(world: World) -> int:
    """Import once; how many students are current then."""
    assert world.sync().status == "complete"
    return Student.objects.filter(status="current").count()


def nobody_lost(world: World, run: SyncRun, count: int) -> None:
    """Nothing of what was here is gone."""
    assert run.counts.get("dropped", 0) == 0
    assert Student.objects.filter(status="current").count() == count
    assert not Enrollment.objects.exclude(left=None).exists()


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_of_another_layout_is_refused_and_loses_nobody(kind: str) -> None:
    with a_world(VENDOR, students=30, switches={"form": "csv"}) as world:
        count = loaded(world)
        switches, sentence = BAD_FILES[kind]
        world.sis.vendor.switch.update(switches)
        run = world.sync()
        assert run.status == "failed"
        assert sentence in run.error_message
        nobody_lost(world, run, count)


def test_a_byte_order_mark_makes_no_difference() -> None:
    with a_world(VENDOR, students=30, switches={"form": "csv"}) as world:
        loaded(world)
        world.sis.vendor.switch["bom"] = True
        assert world.sync().counts["unchanged"] == 30


def test_latin_1_bytes_are_an_issue_of_their_students_only() -> None:
    with a_world(VENDOR, students=30, switches={"form": "csv"}) as world:
        count = loaded(world)
        odd, other = world.settled()[:2]
        before = odd.last_name
        world.district.change(odd.id, last_name="Núñez")
        world.district.change(other.id, last_name="Changed")
        world.sis.vendor.switch["charset"] = "latin-1"
        run = world.sync()
        told = [issue for issue in world.issues(run) if issue.external_id == str(odd.id)]
        assert [issue.field for issue in told] == ["lastName"]
        assert "UTF-8" in told[0].message
        nobody_lost(world, run, count)
        assert world.student(odd).last_name == before
        assert world.student(other).last_name == "Changed"


@pytest.mark.parametrize("at", [0.3, 0.97])
def test_a_file_cut_short_adds_and_updates_but_drops_nobody(at: float) -> None:
    with a_world(VENDOR, students=30, switches={"form": "csv"}) as world:
        count = loaded(world)
        world.sis.faults.add("F27", path=r"/roster$", at=at)
        first, second = world.sync(), world.sync()
        assert {first.status, second.status} == {"partial"}
        assert any("last line" in issue.message or "middle" in issue.message for issue in world.issues(second))
        nobody_lost(world, second, count)


def test_a_file_without_its_last_line_is_never_proof_of_absence() -> None:
    with a_world(VENDOR, students=30, switches={"form": "csv", "end": False}) as world:
        world.sync()
        gone = world.settled()[0]
        world.district.leave(gone.id)
        runs = [world.sync() for _ in range(3)]
        assert {run.status for run in runs} == {"partial"}
        assert any("no last line" in issue.message for issue in world.issues(runs[-1]))
        nobody_lost(world, runs[-1], 30)


def test_a_student_who_left_is_dropped_by_the_second_complete_run_that_misses_them() -> None:
    with a_world(VENDOR, students=30) as world:
        loaded(world)
        gone = world.settled()[0]
        world.district.leave(gone.id)
        assert world.sync().counts["dropped"] == 0
        assert world.student(gone).status == "current"
        assert world.sync().counts["dropped"] == 1
        assert world.student(gone).status == "former"


def test_an_enrollment_whose_exit_date_has_passed_ends_on_that_date() -> None:
    with a_world(VENDOR, students=30, switches={"ended": True}) as world:
        loaded(world)
        gone = world.settled()[0]
        world.district.leave(gone.id, on=dt.date(2026, 11, 2))
        run = world.sync()
        assert (run.counts["left"], run.counts["dropped"]) == (1, 1)
        assert Enrollment.objects.get(student=world.student(gone)).left == dt.date(2026, 11, 2)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"code": "F16", "message": "Back at five."}, "nightly maintenance"),
        ({"code": "F21"}, "web page instead of data"),
        ({"code": "F18"}, "refuses the token in the Url"),
    ],
    ids=["maintenance", "web page", "token"],
)
def test_a_feed_that_is_not_to_be_had_fails_the_run_in_a_sentence(fault: dict[str, Any], sentence: str) -> None:
    with a_world(VENDOR, students=30) as world:
        count = loaded(world)
        world.sis.faults.add(**fault)
        run = world.sync()
        assert run.status == "failed"
        assert sentence in run.error_message
        nobody_lost(world, run, count)


def test_the_next_school_year_comes_on_july_1_and_not_before() -> None:
    june = dt.datetime(2027, 6, 20, 18, tzinfo=dt.UTC)
    july = dt.datetime(2027, 7, 1, 18, tzinfo=dt.UTC)
    with a_world(VENDOR, students=30, switches={"clock": june.date()}, now=june) as world:
        vendor: Any = world.sis.vendor
        count = loaded(world)
        entered = set(Enrollment.objects.values_list("academic_year__name", flat=True))
        assert entered == {"2026-2027"}
        vendor.clock = dt.date(2027, 6, 30)
        with time_machine.travel(july, tick=True):
            early = world.sync()
            assert early.status == "failed"
            assert "does not have the school year 2027-28" in early.error_message
            nobody_lost(world, early, count)
            vendor.clock = july.date()
            held = world.sync()
            assert [reason["code"] for reason in held.guard["reasons"]] == ["rollover"]
            assert world.approve(held).status == "complete", held.error_message
            stays = Enrollment.objects.order_by("academic_year__name").values_list("academic_year__name", "exit_reason")
            oldest = [
                child for child in world.district.active_children() if child.primary and child.primary.grade == 12
            ]
            assert list(stays.filter(left=None).distinct()) == [("2026-2027", ""), ("2027-2028", "")]
            assert stays.filter(left=None, academic_year__name="2026-2027").count() == len(oldest) > 0
            assert set(stays.exclude(left=None)) == {("2026-2027", "year ended")}
