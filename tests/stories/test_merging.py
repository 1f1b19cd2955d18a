"""A child who stands in the SIS twice: merged here, and what the next imports make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from integrations.admin.words import lines_of, names_for
from integrations.inbound.pictures.match import students_of
from integrations.merging import MergeRefused, merge_students, undo_merge
from integrations.models import ExternalIdentity, RecordIssue, SourceRecord
from integrations.sandbox.district import Child, Contact, ContactLink
from students.models import Enrollment, Student, StudentContact
from tests.stories.days import enrolled, quiet_sync
from tests.world import World, a_world, roster

pytestmark = pytest.mark.django_db


def doubled(world: World, *, elsewhere: bool = False) -> tuple[Child, Child]:
    """A child, and the same child entered once more under another id and a nickname, both imported."""
    child = world.settled()[0]
    schools = [s.number for s in world.district.real_schools]
    here = child.enrollments[0].school
    other = next(number for number in schools if number != here) if elsewhere else here
    mother = child.contacts[0]
    same = replace(mother, contact=replace(mother.contact, id=mother.contact.id + 90_000))
    aunt = ContactLink(contact=Contact(id=mother.contact.id + 91_000, first_name="Aunt", last_name="Ivy"), sequence=2,
                       order=2, relationship="23")  # fmt: skip
    twin = world.district.add(
        first_name="Nick", last_name=child.last_name, birth_date=child.birth_date, school=other,
        grade=child.enrollments[0].grade, contacts=[same, aunt],
    )  # fmt: skip
    world.sync()
    return child, twin


def merged(world: World, one: Child, other: Child, **choices: str) -> Student:
    """The student both children are, after the merge."""
    survivor = world.student(one)
    merge_students(survivor=survivor, duplicate=world.student(other), choices=choices)
    return survivor


def speaking(world: World, student: Student) -> list[str]:
    """The ids that speak for the student."""
    ids = ExternalIdentity.objects.filter(integration=world.integration, student=student, silent=False)
    return list(ids.values_list("external_id", flat=True))


def standing(student: Student) -> list[tuple[Any, ...]]:
    """The student's current enrollments."""
    rows = Enrollment.objects.filter(student=student, left=None).order_by("school")
    return list(rows.values_list("school__code", "primary"))


@pytest.fixture(params=["aeries", "powerschool"])
def world(db: None, request: pytest.FixtureRequest) -> Any:
    """Forty children at two schools, loaded."""
    with a_world(request.param, students=40) as made:
        made.sync()
        yield made


def test_merge_survives_the_next_import_and_is_told_once(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    before = roster()
    for _ in range(2):
        run = quiet_sync(world)
        (issue,) = world.issues(run)
        assert (issue.code, issue.severity) == ("merged_record", "warning")
        assert issue.external_id == world.external_id(twin)
        assert run.status == "complete_with_issues"
        assert run.counts["dropped"] == run.counts["rejected"] == run.counts["created"] == 0
    assert roster() == before
    assert speaking(world, student) == [world.external_id(child)]
    assert Student.objects.filter(birth_date=child.birth_date, last_name=child.last_name).count() == 1


def test_only_the_id_that_speaks_is_written_when_both_records_change(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    world.sync()
    world.district.change(child.id, home_phone="5305550111")
    world.district.change(twin.id, home_phone="5305550222")
    run = world.sync()
    assert set(world.changes(run)) == {world.external_id(child)}
    student.refresh_from_db()
    assert student.home_phone == "5305550111"
    quiet_sync(world)


def test_chosen_value_of_the_duplicate_is_kept_by_a_lock(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin, first_name="duplicate", local_id="survivor")
    for _ in range(2):
        world.sync()
        student.refresh_from_db()
        assert student.first_name == "Nick"
    assert "first_name" in set(student.locks.values_list("field", flat=True))


def test_other_id_takes_over_when_the_one_that_spoke_has_gone(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    world.sync()
    world.district.remove(child.id)
    run = world.sync()
    assert (run.counts["dropped"], run.status) == (0, "complete")
    assert world.changes(run)[world.external_id(twin)].fields["speaker"] == [
        world.external_id(child),
        world.external_id(twin),
    ]
    assert speaking(world, student) == [world.external_id(twin)]
    student.refresh_from_db()
    assert (student.status, student.first_name) == ("current", "Nick")
    assert enrolled(world, twin)
    quiet_sync(world)


def test_other_id_takes_over_when_the_one_that_spoke_has_left(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    world.sync()
    world.district.leave(child.id)
    run = world.sync()
    assert run.counts["dropped"] == 0
    assert speaking(world, student) == [world.external_id(twin)]
    assert enrolled(world, twin)
    quiet_sync(world)
    world.district.remove(twin.id)
    assert world.sync().counts["dropped"] == 1
    student.refresh_from_db()
    assert student.status == "former"
    quiet_sync(world)


def test_child_moves_with_the_id_that_takes_over_at_another_school(world: World) -> None:
    child, twin = doubled(world, elsewhere=True)
    student = merged(world, child, twin)
    here, there = str(child.enrollments[0].school), str(twin.enrollments[0].school)
    assert sorted(standing(student)) == sorted([(here, True), (there, False)])
    quiet_sync(world)
    world.district.remove(child.id)
    assert world.sync().counts["dropped"] == 0
    assert standing(student) == [(there, True)]
    quiet_sync(world)


@pytest.mark.parametrize("how", ["remove", "leave"])
def test_other_school_is_left_when_the_district_gives_up_the_duplicate(world: World, how: str) -> None:
    child, twin = doubled(world, elsewhere=True)
    student = merged(world, child, twin)
    world.sync()
    getattr(world.district, how)(twin.id)
    run = world.sync()
    assert run.counts["dropped"] == 0
    assert not world.issues(run)
    assert standing(student) == [(str(child.enrollments[0].school), True)]
    quiet_sync(world)


def test_child_is_dropped_once_when_both_ids_have_gone(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    world.sync()
    world.district.remove(child.id)
    world.district.remove(twin.id)
    run = world.sync()
    assert (run.counts["dropped"], run.status) == (1, "complete")
    student.refresh_from_db()
    assert student.status == "former"
    quiet_sync(world)


def test_nobody_leaves_by_the_speaking_id_when_the_other_school_was_not_read(world: World) -> None:
    child, twin = doubled(world, elsewhere=True)
    student = merged(world, child, twin)
    world.sync()
    world.district.leave(child.id)
    world.sis.faults.add("F45", school=twin.enrollments[0].school)
    run = world.sync()
    assert (run.status, run.counts["left"]) == ("partial", 0)
    student.refresh_from_db()
    assert student.status == "current"


def test_contacts_of_both_records_stand_once_and_stay(world: World) -> None:
    child, twin = doubled(world)
    own, brought = _names(world.student(child)), _names(world.student(twin))
    assert set(own) & set(brought)
    assert set(brought) - set(own) == {"Aunt Ivy"}
    student = merged(world, child, twin)
    for _ in range(2):
        assert _names(student) == sorted([*own, "Aunt Ivy"])
        quiet_sync(world)
    world.district.remove(child.id)
    for _ in range(2):
        world.sync()
        assert _names(student) == brought


def test_undone_merge_leaves_everything_as_it_was(world: World) -> None:
    child, twin = doubled(world, elsewhere=True)
    before = roster()
    student = merged(world, child, twin, first_name="duplicate")
    world.sync()
    assert undo_merge(merge=student.merges.get()) == []
    assert roster() == before
    for one in (child, twin):
        assert speaking(world, world.student(one)) == [world.external_id(one)]
    assert SourceRecord.objects.filter(external_id=world.external_id(twin), fingerprint=None).exists()
    quiet_sync(world)
    assert not RecordIssue.objects.filter(code="merged_record", resolved=None).exists()
    assert roster() == before


def test_run_that_added_the_survivor_does_not_delete_it_when_undone(world: World) -> None:
    child, twin = doubled(world)
    first = world.integration.runs.order_by("pk").first()
    assert first is not None
    student = merged(world, child, twin)
    world.undo(first, students=[student.pk])
    assert Student.objects.filter(pk=student.pk).exists()


def test_merge_waits_for_an_open_run(world: World) -> None:
    child, twin = doubled(world)
    world.begin()
    with pytest.raises(MergeRefused, match="Wait for it to end"):
        merged(world, child, twin)


def test_picture_of_the_record_that_does_not_speak_is_nobodys(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin, local_id="duplicate")
    ids = [world.external_id(child), world.external_id(twin)]
    found = students_of(world.integration, world.integration.tenant_id, str(child.enrollments[0].school), ids)
    assert found == {world.external_id(child): student.pk}


def test_undone_import_gives_the_word_back_to_the_id_that_spoke(world: World) -> None:
    child, twin = doubled(world)
    student = merged(world, child, twin)
    world.sync()
    before = roster()
    gone = world.district.remove(child.id)
    run = world.sync()
    change = world.changes(run)[world.external_id(twin)]
    lines = lines_of(change, names_for([change], User.objects.create_user("registrar")))
    (line,) = [one for one in lines if one.label == "SIS ID that speaks for the student"]
    assert (line.before, line.after) == (world.external_id(child), world.external_id(twin))
    world.undo(run)
    assert speaking(world, student) == [world.external_id(child)]
    assert roster() == before
    world.district.restore_child(gone)
    quiet_sync(world)


def _names(student: Student) -> list[str]:
    return sorted(str(link.contact) for link in StudentContact.objects.filter(student=student))
