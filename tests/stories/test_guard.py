"""Large changes wait for a person; small ones do not."""

from __future__ import annotations

import pytest

from integrations.sandbox import District
from students.models import Enrollment, FieldOwnership, Student
from tests.stories.days import enrolled, reasons, remove
from tests.world import World, a_world, roster


def test_run_is_held_when_more_students_vanish_than_the_guard_allows(loaded: World) -> None:
    school = loaded.district.real_schools[0].number
    of = Enrollment.objects.filter(school__code=str(school), left=None).count()
    gone = remove(loaded, 11, school=school)
    before = roster()
    run = loaded.sync()
    assert run.status == "held"
    assert reasons(run) == {("drops", None, 11, 60), ("drops", str(school), 11, of)}
    assert run.guard["reasons"][0]["percent"] == 18.3
    assert "11 of 60" in run.guard["reasons"][0]["message"]
    assert roster() == before
    assert all(enrolled(loaded, child) for child in gone)
    assert run.counts["dropped"] == 11


def test_adds_and_updates_wait_too_when_a_run_is_held(loaded: World) -> None:
    remove(loaded, 12)
    loaded.district.add(first_name="Pia", last_name="Neu")
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone="5305550199")
    before = roster()
    assert loaded.sync().status == "held"
    assert roster() == before


@pytest.mark.parametrize(("limit", "status"), [(11, "complete"), (10, "held")])
def test_count_alone_does_not_hold_when_it_is_not_passed(loaded: World, limit: int, status: str) -> None:
    loaded.set(guard_count=limit)
    remove(loaded, 11)
    assert loaded.sync().status == status


@pytest.mark.parametrize(("percent", "status"), [(25, "complete"), (24, "held")])
def test_percent_alone_does_not_hold_when_it_is_not_passed(loaded: World, percent: int, status: str) -> None:
    loaded.set(guard_percent=percent, guard_count=1)
    found = [c for c in loaded.settled()]
    by_school: dict[int, list[int]] = {}
    for child in found:
        by_school.setdefault(child.enrollments[0].school, []).append(child.id)
    # A quarter of all, and no more than a quarter of either school.
    quota = {school: len(ids) // 4 for school, ids in by_school.items()}
    assert sum(quota.values()) == 15
    for school, ids in by_school.items():
        for child_id in ids[: quota[school]]:
            loaded.district.remove(child_id)
    assert loaded.sync().status == status


@pytest.mark.django_db
def test_tiny_school_does_not_hold_when_two_of_its_twenty_vanish() -> None:
    with a_world("aeries", students=20) as world:
        world.sync()
        gone = remove(world, 2)
        run = world.sync()
        assert (run.status, run.counts["dropped"]) == ("complete", 2)
        assert not any(enrolled(world, child) for child in gone)


@pytest.mark.django_db
def test_children_who_left_are_guarded_when_the_system_itself_says_so() -> None:
    with a_world("aeries", students=60) as world:
        world.sync()
        for child in world.settled()[:11]:
            world.district.leave(child.id)
        run = world.sync()
        assert run.status == "held"
        assert ("drops", None, 11, 60) in reasons(run)
        assert run.counts["left"] == run.counts["dropped"] == 11


def test_run_is_held_when_a_field_would_become_blank_for_many(loaded: World) -> None:
    FieldOwnership.objects.create(field="home_phone", when_blank="clear")
    loaded.sync()
    have = set(Student.objects.exclude(home_phone="").values_list("local_id", flat=True))
    children = [c for c in loaded.settled() if str(c.id) in have]
    assert len(children) > 20
    for child in children[:11]:
        loaded.district.change(child.id, home_phone="")
    run = loaded.sync()
    assert run.status == "held"
    assert ("blanked", None, 11, 60) in reasons(run)
    assert "home phone" in run.guard["reasons"][0]["message"]


def test_run_is_held_when_contacts_lose_a_field_for_many(loaded: World) -> None:
    FieldOwnership.objects.create(entity="contact", field="mobile_phone", when_blank="clear")
    loaded.sync()
    with_mobile = Student.objects.exclude(contact_links__contact__mobile_phone="").distinct().count()
    for contact in list(loaded.district.contacts.values()):
        loaded.district.change_contact(contact.id, mobile_phone="")
    run = loaded.sync()
    assert run.status == "held"
    assert {reason["code"] for reason in run.guard["reasons"]} == {"blanked"}
    # Students are counted, not contacts, and each once.
    everywhere = run.guard["reasons"][0]
    assert (everywhere["school"], everywhere["count"], everywhere["of"]) == (None, with_mobile, 60)
    assert "contacts' mobile phone" in everywhere["message"]


def test_contacts_removed_are_counted_once_a_student_when_each_loses_two(loaded: World) -> None:
    children = [c for c in loaded.settled() if len(c.contacts) >= 2]
    for child in children[:6]:
        child.contacts.clear()
        loaded.district.touch(child)
    run = loaded.sync()
    assert run.status == "complete", run.guard
    assert run.counts["updated"] == 6


def test_run_is_held_when_many_are_new_in_a_school_read_before(loaded: World) -> None:
    for number in range(11):
        loaded.district.add(first_name=f"Kim{number}", last_name="Neu")
    run = loaded.sync()
    school = str(loaded.district.real_schools[0].number)
    of = Enrollment.objects.filter(school__code=school, left=None).count()
    assert run.status == "held"
    assert reasons(run) == {("new_students", None, 11, 60), ("new_students", school, 11, of)}
    assert Student.objects.count() == 60


@pytest.mark.django_db
def test_run_is_held_when_the_system_has_renumbered_its_students() -> None:
    district = District.generate(students=60, seed=3, schools=2, messy=False)
    with a_world("aeries", district=district) as world:
        world.sync()
        before = roster()
        for child in list(district.active_children()):
            district.remove(child.id)
            child.id += 500_000
            district.restore_child(child)
        run = world.sync()
        assert run.status == "held"
        assert {"rekeyed", "drops"} <= {reason["code"] for reason in run.guard["reasons"]}
        assert roster() == before
        assert run.counts["created"] == 0
