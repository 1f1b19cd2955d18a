"""What people do between a plan and its approval stays."""

from __future__ import annotations

import pytest

from integrations.models import SourceRecord
from students.models import FieldLock, Student
from tests.stories.days import enrolled, held
from tests.world import World, a_world

PHONE, STREET, MINE = "5305550199", "1 Planned Way", "5305550177"


def test_edit_stays_and_is_listed_when_made_between_plan_and_approval(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone=PHONE, residence_line1=STREET)
    run, gone = held(loaded)
    student = loaded.student(child)
    before, student.home_phone = student.home_phone, MINE
    student.save()
    done = loaded.approve(run)
    student = loaded.student(child)
    assert (student.home_phone, student.residence_line1) == (MINE, STREET)
    change = loaded.changes(done)[str(child.id)]
    assert change.status == "applied"
    assert change.withheld == {"home_phone": [MINE, PHONE, "conflict"]}
    assert change.fields["home_phone"] == [before, PHONE]
    assert done.status == "complete_with_issues"
    assert [(i.code, i.external_id, i.field) for i in loaded.issues(done)] == [
        ("conflict", str(child.id), "home_phone")
    ]
    assert not any(enrolled(loaded, one) for one in gone)
    assert SourceRecord.objects.get(external_id=str(child.id)).fingerprint is None


def test_change_is_a_conflict_when_all_of_it_was_edited_meanwhile(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone=PHONE)
    run, _ = held(loaded)
    student = loaded.student(child)
    student.home_phone = MINE
    student.save()
    done = loaded.approve(run)
    assert loaded.changes(done)[str(child.id)].status == "conflict"
    assert loaded.student(child).home_phone == MINE
    assert done.counts["updated"] == 0
    # An undo of the run has nothing to take back here.
    loaded.undo(done)
    assert loaded.student(child).home_phone == MINE


def test_edit_is_no_conflict_when_it_is_what_the_plan_wanted(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone=PHONE)
    run, _ = held(loaded)
    student = loaded.student(child)
    student.home_phone = PHONE
    student.save()
    done = loaded.approve(run)
    assert loaded.changes(done)[str(child.id)].withheld == {}


def test_field_locked_between_plan_and_approval_is_not_written(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone=PHONE, residence_line1=STREET)
    run, _ = held(loaded)
    student = loaded.student(child)
    before = student.home_phone
    lock = FieldLock.objects.create(student=student, field="home_phone", reason="Mother called")
    done = loaded.approve(run)
    student.refresh_from_db()
    assert (student.home_phone, student.residence_line1) == (before, STREET)
    assert loaded.changes(done)[str(child.id)].withheld == {"home_phone": [before, PHONE, "locked"]}
    assert done.counts["withheld_fields"] == 1
    # A locked enrollment is not ended either.
    lock.delete()


def test_enrollment_locked_between_plan_and_approval_is_not_ended(loaded: World) -> None:
    run, gone = held(loaded)
    FieldLock.objects.create(student=loaded.student(gone[0]), field="enrollments", reason="Court order")
    done = loaded.approve(run)
    assert [enrolled(loaded, one) for one in gone] == [True] + [False] * (len(gone) - 1)
    assert done.counts["dropped"] == len(gone) - 1


def test_student_deleted_between_plan_and_approval_is_a_conflict(loaded: World) -> None:
    child = loaded.settled()[-1]
    loaded.district.change(child.id, home_phone=PHONE)
    run, _ = held(loaded)
    loaded.student(child).delete()
    done = loaded.approve(run)
    assert loaded.changes(done)[str(child.id)].status == "conflict"
    assert done.status == "complete_with_issues"


@pytest.mark.parametrize("state_id", [True, False], ids=["same state id", "same name and birth date"])
def test_new_student_is_not_doubled_when_somebody_added_the_child_meanwhile(loaded: World, state_id: bool) -> None:
    newcomer = loaded.district.add(first_name="Pia", last_name="Neu")
    bystander = loaded.district.add(first_name="Rolf", last_name="Fremd")
    run, _ = held(loaded)
    Student.objects.create(
        first_name="Pia",
        last_name="Neu",
        birth_date=newcomer.birth_date,
        state_id=newcomer.state_id if state_id else "",
    )
    done = loaded.approve(run)
    assert Student.objects.filter(last_name="Neu").count() == 1
    assert loaded.changes(done)[str(newcomer.id)].status == "conflict"
    assert enrolled(loaded, bystander)
    assert done.status == "complete_with_issues"
    assert done.counts["created"] == 1
    later = loaded.sync()
    assert Student.objects.filter(last_name="Neu").count() == 1
    if state_id:
        assert enrolled(loaded, newcomer)
    else:
        assert [issue.code for issue in loaded.issues(later)] == ["possible_match"]


@pytest.mark.django_db
def test_contact_edited_between_plan_and_approval_keeps_the_edit() -> None:
    with a_world("powerschool") as world:
        world.sync()
        child = world.settled()[-1]
        contact = child.contacts[0].contact
        world.district.change_contact(contact.id, mobile_phone=PHONE, email="new@example.org")
        run, _ = held(world)
        ours = world.student(child).contact_links.order_by("order").first()
        assert ours is not None
        ours.contact.mobile_phone = MINE
        ours.contact.save()
        done = world.approve(run)
        ours.contact.refresh_from_db()
        assert (ours.contact.mobile_phone, ours.contact.email) == (MINE, "new@example.org")
        assert [c.withheld for c in world.changes(done, "contact").values()] == [
            {"mobile_phone": [MINE, PHONE, "conflict"]}
        ]
