"""A run is taken back: what it wrote, and nothing that came later."""

from __future__ import annotations

import datetime as dt

import pytest

from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, KeepEnrolled
from integrations.sandbox.district import Child
from integrations.services import resume_schedule, start_import, undo_run
from students.models import Contact, Enrollment, FieldLock, School, Student, StudentContact
from tests.stories.days import enrolled, held, quiet_sync, remove
from tests.world import World, a_world, roster

PHONE, STREET, OTHER = "5305550199", "1 Undone Way", "5305550188"


def edit(student: Student, **fields: str) -> None:
    """What a person's save does."""
    for name, value in fields.items():
        setattr(student, name, value)
    student.save()


def test_undo_gives_back_every_field_when_nothing_came_later(loaded: World) -> None:
    moved, changed, left, phone = loaded.settled()[:4]
    before = roster()
    loaded.district.move(moved.id, _other_school(loaded, moved))
    loaded.district.change(changed.id, first_name="Renamed", residence_line1=STREET, races=["600"])
    loaded.district.leave(left.id)
    loaded.district.change(phone.id, home_phone=PHONE)
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    gone = remove(loaded, 4)[-1]
    run = loaded.sync()
    assert run.status == "complete"
    assert roster() != before
    assert not enrolled(loaded, gone)
    undo = loaded.undo(run)
    assert undo.status == "complete", loaded.issues(undo)
    run.refresh_from_db()
    assert run.status == "undone"
    assert set(run.changes.values_list("status", flat=True)) == {"undone"}
    assert roster() == before
    assert not Student.objects.filter(local_id=str(newcomer.id)).exists()


def test_undo_of_the_first_load_leaves_nothing(world: World) -> None:
    undo = world.undo(world.sync())
    assert undo.status == "complete"
    for model in (Student, Enrollment, Contact, StudentContact, ExternalIdentity):
        assert model.objects.count() == 0
    again = world.sync()
    assert (again.status, again.counts["created"]) == ("complete", 60)


def test_undo_of_drops_enrolls_the_children_again(loaded: World) -> None:
    run, gone = held(loaded)
    loaded.approve(run)
    assert not any(enrolled(loaded, one) for one in gone)
    run.refresh_from_db()
    loaded.undo(run)
    assert all(enrolled(loaded, one) for one in gone)
    assert not Enrollment.objects.exclude(left=None).exists()
    assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {""}


def test_scheduled_imports_wait_until_resumed_and_then_redo_what_was_undone(loaded: World) -> None:
    child = loaded.settled()[0]
    before = loaded.student(child).home_phone
    loaded.district.change(child.id, home_phone=PHONE)
    run = loaded.sync()
    loaded.undo(run)
    assert loaded.student(child).home_phone == before
    assert f"Run {run.pk} was undone" in loaded.integration.schedule_paused
    with pytest.raises(RunRefused, match="was undone"):
        start_import(integration=loaded.integration, trigger="schedule")
    assert loaded.student(child).home_phone == before
    resume_schedule(integration=loaded.integration)
    again = loaded.sync(trigger="schedule")
    assert again.counts["updated"] == 1
    assert loaded.student(child).home_phone == PHONE


def test_import_by_hand_redoes_what_was_undone(loaded: World) -> None:
    children = loaded.settled()[:3]
    loaded.district.change(children[0].id, home_phone=PHONE)
    loaded.district.remove(children[1].id)
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    run = loaded.sync()
    after = roster()
    loaded.undo(run)
    assert roster() != after
    again = loaded.sync()
    assert roster() == after
    counts = ("created", "updated", "dropped")
    assert [again.counts[name] for name in counts] == [run.counts[name] for name in counts] == [1, 1, 1]
    assert enrolled(loaded, newcomer)
    loaded.district.change(children[2].id, home_phone=PHONE)
    assert loaded.sync().counts["updated"] == 1


def test_fields_of_two_later_runs_stay_when_the_first_is_undone(loaded: World) -> None:
    child, other = loaded.settled()[:2]
    old = loaded.student(child)
    loaded.district.change(child.id, home_phone=PHONE, residence_line1=STREET, middle_name="One")
    loaded.district.change(other.id, home_phone=PHONE)
    first = loaded.sync()
    loaded.district.change(child.id, home_phone=OTHER)
    second = loaded.sync()
    loaded.district.change(child.id, middle_name="Three")
    third = loaded.sync()
    undo = loaded.undo(first)
    assert undo.status == "complete_with_issues"
    student = loaded.student(child)
    assert (student.home_phone, student.middle_name) == (OTHER, "Three")
    assert student.residence_line1 == old.residence_line1
    change = loaded.changes(undo)[str(child.id)]
    assert {path: why for path, (_, _, why) in change.withheld.items()} == {
        "home_phone": "later",
        "middle_name": "later",
    }
    assert loaded.student(other).home_phone != PHONE
    first.refresh_from_db()
    assert first.status == "undone"
    # Backwards one after the other, everything comes back.
    for run in (third, second):
        loaded.undo(run)
    student = loaded.student(child)
    assert (student.home_phone, student.middle_name) == (PHONE, "One")


def test_value_of_a_later_run_stays_even_when_a_third_put_it_back(loaded: World) -> None:
    child = loaded.settled()[0]
    values = [PHONE, OTHER, PHONE]
    runs = []
    for value in values:
        loaded.district.change(child.id, home_phone=value)
        runs.append(loaded.sync())
    loaded.undo(runs[0])
    assert loaded.student(child).home_phone == PHONE


def test_undo_goes_on_when_a_later_run_was_undone_first(loaded: World) -> None:
    child = loaded.settled()[0]
    before = loaded.student(child).home_phone
    runs = []
    for value in (PHONE, OTHER):
        loaded.district.change(child.id, home_phone=value)
        runs.append(loaded.sync())
    edit(loaded.student(child), middle_name="Edited")
    loaded.undo(runs[1])
    assert loaded.student(child).home_phone == PHONE
    loaded.undo(runs[0])
    student = loaded.student(child)
    assert (student.home_phone, student.middle_name) == (before, "Edited")


def test_edit_of_a_person_stays_when_the_run_before_it_is_undone(loaded: World) -> None:
    child, other = loaded.settled()[:2]
    old = loaded.student(child).residence_line1
    loaded.district.change(child.id, home_phone=PHONE, residence_line1=STREET)
    loaded.district.change(other.id, home_phone=PHONE)
    run = loaded.sync()
    edit(loaded.student(child), home_phone=OTHER)
    undo = loaded.undo(run)
    student = loaded.student(child)
    assert (student.home_phone, student.residence_line1) == (OTHER, old)
    assert loaded.changes(undo)[str(child.id)].withheld["home_phone"][2] == "later"
    assert undo.status == "complete_with_issues"


def test_edit_stays_when_the_person_came_back_to_what_the_run_wrote(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.change(child.id, home_phone=PHONE)
    run = loaded.sync()
    for value in (OTHER, PHONE):
        edit(loaded.student(child), home_phone=value)
    loaded.undo(run)
    assert loaded.student(child).home_phone == PHONE


def test_only_chosen_students_are_undone(loaded: World) -> None:
    children = loaded.settled()[:3]
    for child in children:
        loaded.district.change(child.id, home_phone=PHONE)
    run = loaded.sync()
    loaded.undo(run, students=[loaded.student(children[0]).pk])
    assert [loaded.student(child).home_phone == PHONE for child in children] == [False, True, True]
    run.refresh_from_db()
    assert run.status == "complete"
    assert loaded.changes(run)[str(children[0].id)].status == "undone"
    assert loaded.changes(run)[str(children[1].id)].status == "applied"
    with pytest.raises(RunRefused, match="none of these"):
        undo_run(run=run, students=[loaded.student(loaded.settled()[-1]).pk])
    loaded.undo(run)
    assert [loaded.student(child).home_phone == PHONE for child in children] == [False] * 3
    run.refresh_from_db()
    assert run.status == "undone"
    with pytest.raises(RunRefused, match="can be undone"):
        undo_run(run=run)


@pytest.mark.parametrize("reference", ["edit", "enrollment", "lock", "keep", "contact", "run"])
def test_created_student_stays_without_enrollment_when_something_later_refers_to_it(
    loaded: World, reference: str
) -> None:
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    bystander = loaded.district.add(first_name="Rolf", last_name="Fremd")
    run = loaded.sync()
    student = loaded.student(newcomer)
    if reference == "edit":
        edit(student, home_phone=OTHER)
    elif reference == "enrollment":
        stay = student.enrollments.get()
        stay.grade_level = "3"
        stay.save()
    elif reference == "lock":
        FieldLock.objects.create(student=student, field="home_phone", reason="x")
    elif reference == "keep":
        KeepEnrolled.objects.create(
            integration=loaded.integration, student=student, school=School.objects.first(), reason="x"
        )
    elif reference == "contact":
        aunt = Contact.objects.create(first_name="Ada", last_name="Neu")
        StudentContact.objects.create(student=student, contact=aunt)
    else:
        loaded.district.change(newcomer.id, home_phone=PHONE)
        loaded.sync()
    undo = loaded.undo(run)
    assert undo.status == "complete_with_issues"
    assert not enrolled(loaded, newcomer)
    assert student.enrollments.get().exit_reason == "import undone"
    assert not Student.objects.filter(local_id=str(bystander.id)).exists()
    assert loaded.changes(undo)[str(newcomer.id)].withheld == {"student": [None, None, "later"]}


def siblings(world: World) -> tuple[Child, Child]:
    """Two children who share a contact and nobody else does."""
    by_contact: dict[int, list[Child]] = {}
    for child in world.settled():
        for link in child.contacts:
            by_contact.setdefault(link.contact.id, []).append(child)
    pairs = [found for found in by_contact.values() if len(found) == 2]
    return pairs[0][0], pairs[0][1]


@pytest.mark.django_db
def test_shared_contact_changes_once_and_both_children_count() -> None:
    with a_world("powerschool") as world:
        world.sync()
        one, two = siblings(world)
        contact = one.contacts[0].contact
        before = roster()
        world.district.change_contact(contact.id, mobile_phone=PHONE)
        run = world.sync()
        assert run.counts["updated"] == 2
        assert len(world.changes(run, "contact")) == 1
        assert Contact.objects.filter(mobile_phone=PHONE).count() == 1
        students = {world.student(child).pk for child in (one, two)}
        assert {change.student_id for change in world.changes(run).values()} == students
        quiet_sync(world)

        # Undone for one child, the contact stays: it serves the other. Undone for the other, it goes back.
        undo = world.undo(run, students=[world.student(one).pk])
        assert undo.status == "complete_with_issues"
        assert [change.withheld for change in world.changes(undo, "contact").values()] == [
            {
                "mobile_phone": [
                    None,
                    world.changes(run, "contact").popitem()[1].fields["mobile_phone"][0],
                    "shared",
                ]
            }
        ]
        assert Contact.objects.filter(mobile_phone=PHONE).count() == 1
        world.undo(run, students=[world.student(two).pk])
        assert roster() == before
        run.refresh_from_db()
        assert run.status == "undone"


@pytest.mark.django_db
def test_created_contact_stays_when_a_later_run_linked_it_to_a_sibling() -> None:
    with a_world("powerschool") as world:
        world.sync()
        one, two = siblings(world)
        shared = one.contacts[0].contact
        others = [c for c in world.settled() if all(link.contact.id != shared.id for link in c.contacts)]
        third = others[0]
        newcomer = world.district.add(first_name="Pia", last_name="Neu", contacts=[], birth_date=dt.date(2015, 3, 4))
        fresh = type(shared)(id=max(world.district.contacts) + 1, first_name="Ada", last_name="Neu")
        link = type(one.contacts[0])
        world.district.contacts[fresh.id] = fresh
        newcomer.contacts.append(link(contact=fresh, sequence=1, order=1, relationship="10"))
        world.district.touch(newcomer)
        run = world.sync()
        assert run.counts["created"] == 1
        third.contacts.append(link(contact=fresh, sequence=9, order=9, relationship="20"))
        world.district.touch(third)
        later = world.sync()
        assert later.counts["updated"] == 1
        undo = world.undo(run)
        assert not Student.objects.filter(first_name="Pia").exists()
        assert world.student(third).contact_links.filter(contact__first_name="Ada").exists()
        kept = [c for c in world.changes(undo, "contact").values() if c.withheld]
        assert [change.withheld for change in kept] == [{"contact": [None, None, "shared"]}]


def test_undo_is_refused_when_the_run_wrote_nothing(loaded: World) -> None:
    run = quiet_sync(loaded)
    with pytest.raises(RunRefused, match="changed nothing"):
        undo_run(run=run)


def test_undo_is_refused_when_the_run_is_held(loaded: World) -> None:
    run, _ = held(loaded)
    with pytest.raises(RunRefused, match="was applied"):
        undo_run(run=run)


def _other_school(world: World, child: Child) -> int:
    return next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)
