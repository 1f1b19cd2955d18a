"""A whole district behind Illuminate: imported completely, unchanged the second time, never dropped by mistake."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from integrations.models import SyncRun
from integrations.sandbox.district import Child
from students.models import Enrollment, Student, StudentContact
from tests.world import World, a_world, roster

from .expected import families_held
from .expected_illuminate import exported

pytestmark = pytest.mark.django_db
CHANGED = ("created", "updated", "reopened", "left", "dropped", "rejected")


@pytest.fixture
def world() -> Iterator[World]:
    """Forty ordinary children at two schools, imported."""
    with a_world("illuminate", students=40, options={"page_size": 12}) as made:
        assert made.sync().status == "complete"
        yield made


def told() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(roster())
    return rows


def unchanged(run: SyncRun) -> bool:
    return not any(run.counts[name] for name in CHANGED)


def held() -> tuple[int, int, int]:
    """How many students, open enrollments and links to contacts we hold."""
    return (
        Student.objects.filter(status="current").count(),
        Enrollment.objects.filter(left=None).count(),
        StudentContact.objects.count(),
    )


def imported_completely(world: World, count: int) -> None:
    """The first run holds the district, the second changes nothing."""
    run = world.sync()
    assert run.status == "complete_with_issues", (run.status, run.error_message, world.issues(run)[:5])
    assert {issue.severity for issue in world.issues(run)} == {"warning"}, world.issues(run, severity="error")
    assert run.counts["created"] == count
    assert told() == exported(world.district)
    again = world.sync()
    assert unchanged(again), again.counts
    assert again.counts["unchanged"] == count
    assert told() == exported(world.district)


@pytest.mark.parametrize(
    ("switches", "options"),
    [
        ({}, {}),
        ({"shape": "array", "small_shape": "envelope"}, {"page_size": 30, "sign_in": "oauth2"}),
        ({"summer": False, "page_limit": 25}, {}),
    ],
)
def test_a_messy_district_is_imported_completely(switches: dict[str, Any], options: dict[str, Any]) -> None:
    with a_world("illuminate", students=120, schools=3, messy=True, switches=switches, options=options) as world:
        imported_completely(world, 120)


@pytest.mark.slow
def test_a_large_messy_district_is_imported_completely() -> None:
    with a_world("illuminate", students=5000, schools=8, seed=5, messy=True) as world:
        imported_completely(world, 5000)


def test_exactly_those_change_who_changed(world: World) -> None:
    ids = {str(number) for number in world.district.change_percent(10, seed=5)}
    run = world.sync()

    assert run.counts["updated"] == len(ids) == 4
    assert told() == exported(world.district)
    assert unchanged(world.sync())


def test_a_child_who_vanished_is_dropped_once_the_snapshot_is_complete(world: World) -> None:
    child = world.settled()[0]
    student = world.student(child)
    world.district.remove(child.id)
    run = world.sync()

    assert run.counts["dropped"] == 1
    student.refresh_from_db()
    assert student.status != "current"
    assert unchanged(world.sync())


def test_a_child_who_left_is_ended_on_the_last_day_the_system_tells(world: World) -> None:
    child = world.settled()[0]
    student = world.student(child)
    world.district.leave(child.id, on=dt.date(2026, 10, 2))
    run = world.sync()

    assert run.counts["left"] + run.counts["dropped"] >= 1
    assert student.enrollments.get().left == dt.date(2026, 10, 2)
    assert unchanged(world.sync())


def test_a_leave_date_to_come_ends_nothing_before_its_day(world: World) -> None:
    child = world.settled()[0]
    student = world.student(child)
    world.district.leave(child.id, on=dt.date(2026, 11, 20))
    world.sync()
    assert student.enrollments.get().left is None
    with time_machine.travel("2026-11-23T18:00Z", tick=True):
        world.sync()

    assert student.enrollments.get().left == dt.date(2026, 11, 20)


@pytest.mark.parametrize("day", ["2027-06-05", "2027-06-20"])
def test_nobody_leaves_when_the_session_ends_and_summer_begins(world: World, day: str) -> None:
    before = held()
    with time_machine.travel(f"{day}T18:00Z", tick=True):
        run = world.sync()

    assert unchanged(run), run.counts
    assert held() == before


def test_a_move_in_the_middle_of_the_year_is_one_child_at_the_new_school(world: World) -> None:
    child = world.settled()[0]
    other = next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)
    world.district.move(child.id, other)
    run = world.sync()

    assert run.counts["created"] == run.counts["dropped"] == 0
    (stay,) = Enrollment.objects.filter(student=world.student(child), left=None)
    assert stay.school.code == str(other)
    assert told_of(child)["status"] == "current"
    assert unchanged(world.sync())


def told_of(child: Child) -> dict[str, Any]:
    return next(row for row in told() if row["local_id"] == str(child.id))


def test_siblings_share_their_contacts_and_are_one_family(world: World) -> None:
    brood = next(
        [c for c in world.district.active_children() if c.household == one.household]
        for one in world.district.active_children()
        if sum(c.household == one.household for c in world.district.active_children()) > 1
    )
    students = [world.student(child) for child in brood]

    assert len({student.family_id for student in students}) == 1
    assert None not in {student.family_id for student in students}
    links = [frozenset(s.contact_links.values_list("contact_id", flat=True)) for s in students]
    assert len(set(links)) == 1


def test_families_stay_when_contacts_are_no_longer_read(world: World) -> None:
    before = families_held()
    world.set(options={"profile": {"contacts": {"path": ""}}})
    assert world.sync().status == "complete"
    assert families_held() == before != set()


def stays_as_it_is(world: World, *, vanish: bool = True) -> SyncRun:
    """One run after a child vanished: it must not be dropped, and nobody may lose a contact."""
    before = held()
    if vanish:
        world.district.remove(world.settled()[0].id)
    run = world.sync()
    assert held() == before
    assert run.counts.get("dropped", 0) == 0
    return run


@pytest.mark.parametrize(
    ("path", "code", "settings"),
    [
        ("/Students/", "F28", {"keep": 3}),
        ("/Students/", "F39", {}),
        ("/Students/", "F21", {}),
        ("/Contacts/", "F41", {}),
        ("/Contacts/", "F27", {}),
        ("/Enrollment/", "F28", {"keep": 3}),
    ],
)
def test_a_list_that_is_not_whole_drops_nobody(world: World, path: str, code: str, settings: dict[str, Any]) -> None:
    world.sis.faults.add(code, path=path, **settings)

    assert stays_as_it_is(world).status in ("partial", "failed")


def test_an_empty_list_where_there_were_students_drops_nobody(world: World) -> None:
    world.sis.faults.add("F45", path="/Students/", school=world.district.real_schools[0].number)

    assert stays_as_it_is(world).status == "partial"


def test_a_page_that_fails_in_the_middle_drops_nobody(world: World) -> None:
    world.sis.faults.add("F16", path="/Students/", after=1, status=404, message="gone")

    run = stays_as_it_is(world)
    assert run.status in ("partial", "failed")


@pytest.mark.parametrize("miscounted", [-1, 1])
def test_a_count_that_disagrees_drops_nobody(world: World, miscounted: int) -> None:
    world.sis.vendor.switch["miscounted"] = miscounted

    assert stays_as_it_is(world).status in ("partial", "failed")


@pytest.mark.parametrize(("name", "path"), [("students", "Pupils/"), ("enrollment", "Stays/"), ("contacts", "Agents/")])
def test_a_wrong_path_in_the_profile_ends_the_run_with_one_sentence(world: World, name: str, path: str) -> None:
    world.set(options={"profile": {name: {"path": path}}})
    run = stays_as_it_is(world)

    assert run.status == "failed"
    assert f"no end point {path}" in run.error_message
    assert f"the option profile, {name}.path" in run.error_message


def test_a_wrong_field_in_the_profile_ends_the_run_with_one_sentence(world: World) -> None:
    world.set(options={"profile": {"students": {"fields": {"student_id": "pupil_id"}}}})
    run = stays_as_it_is(world)

    assert run.status == "failed"
    assert "students.fields.student_id" in run.error_message


def test_a_wrong_signature_ends_the_run_with_one_sentence(world: World) -> None:
    integration = world.integration
    integration.user_secret = "wrong"
    integration.save()
    run = stays_as_it_is(world)

    assert (run.status, run.error_code) == ("failed", "auth_failed")
    assert "User Secret" in run.error_message


def test_a_login_page_instead_of_data_ends_the_run(world: World) -> None:
    world.sis.vendor.switch["api_enabled"] = False
    run = stays_as_it_is(world)

    assert run.status == "failed"
    assert "login page" in run.error_message


def test_an_edit_shows_once_the_cache_of_the_system_is_over(world: World) -> None:
    world.sis.vendor.switch["cache_ttl"] = 7200
    world.sync()
    world.district.change(world.settled()[1].id, last_name="Changed")
    gone, moved = world.settled()[0], world.settled()[2]
    world.district.remove(gone.id)
    other = next(s.number for s in world.district.real_schools if s.number != moved.enrollments[0].school)
    world.district.move(moved.id, other)
    assert unchanged(world.sync())
    world.sis.vendor.switch["cache_ttl"] = 0
    run = world.sync()

    assert run.counts["dropped"] == 1
    assert told_of(world.settled()[0])["last_name"] == "Changed"


@pytest.mark.parametrize("path", ["/Students/", "/Contacts/", "/Enrollment/"])
def test_lists_of_different_age_drop_nobody_and_agree_later(world: World, path: str) -> None:
    child = world.settled()[0]
    other = next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)
    world.sis.vendor.switch["cache_ttl"] = 7200
    world.sync()
    world.sis.vendor.forget(path.strip("/").lower())
    world.district.move(child.id, other)
    run = world.sync()
    assert run.counts["dropped"] == 0
    assert world.student(child).status == "current"
    world.sis.vendor.switch["cache_ttl"] = 0
    world.sync()

    (stay,) = Enrollment.objects.filter(student=world.student(child), left=None)
    assert stay.school.code == str(other)
    assert unchanged(world.sync())
