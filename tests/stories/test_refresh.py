"""One student is read again from the system: shown before and after, and written only when a person says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from integrations.errors import RunRefused
from integrations.models import Change, SyncRun
from integrations.refreshing import refresh_student
from integrations.sandbox.district import Child
from integrations.services import approve_run, discard_run
from students.models import School, SchoolScope, Student
from tests.stories.days import enrolled
from tests.world import World, a_world


@pytest.fixture(params=["aeries", "powerschool"])
def loaded(request: pytest.FixtureRequest, db: None) -> Iterator[World]:
    """Forty children at two schools, read once."""
    with a_world(request.param, students=40) as world:
        assert world.sync().status == "complete"
        yield world


def refreshed(world: World, child: Child, **where: Any) -> SyncRun:
    """The run that reads one child again, carried to where it waits or ends."""
    external_id = world.external_id(child)
    return world.carry(refresh_student(integration=world.integration, external_id=external_id, wake=False, **where))


def other_school(world: World, child: Child) -> int:
    """A school of the district at which the child is not."""
    return next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)


def test_nothing_is_written_until_the_person_says_so(loaded: World) -> None:
    child, neighbour = loaded.settled()[:2]
    for one in (child, neighbour):
        loaded.district.change(one.id, home_phone="5305550199")
    before = loaded.student(child).home_phone

    run = refreshed(loaded, child)

    assert (run.status, set(loaded.changes(run))) == ("held", {loaded.external_id(child)})
    assert run.guard["reasons"][0]["message"] == "You asked to see it first."
    assert loaded.changes(run)[loaded.external_id(child)].fields == {"home_phone": [before, "5305550199"]}
    assert loaded.student(child).home_phone == before
    done = loaded.approve(run)
    assert (done.status, done.counts["updated"]) == ("complete", 1)
    assert loaded.student(child).home_phone == "5305550199"
    assert loaded.student(neighbour).home_phone != "5305550199"
    assert refreshed(loaded, child).changes.count() == 0


def test_nothing_is_written_when_the_plan_is_discarded(loaded: World) -> None:
    child = loaded.settled()[0]
    before = loaded.student(child).home_phone
    loaded.district.change(child.id, home_phone="5305550199")

    discard_run(run=refreshed(loaded, child))

    assert loaded.student(child).home_phone == before
    assert loaded.sync().counts["updated"] == 1


def test_plan_is_refused_when_another_import_has_applied_meanwhile(loaded: World) -> None:
    child, neighbour = loaded.settled()[:2]
    for one in (child, neighbour):
        loaded.district.change(one.id, home_phone="5305550199")
    run = refreshed(loaded, child)
    loaded.sync(students=[loaded.external_id(neighbour)])

    with pytest.raises(RunRefused, match="newer run"):
        approve_run(run=run, plan_hash=run.plan_hash)


@pytest.mark.parametrize("again", ["refresh", "import"])
def test_older_plan_is_replaced_when_the_student_is_read_anew(loaded: World, again: str) -> None:
    child = loaded.settled()[0]
    loaded.district.change(child.id, home_phone="5305550199")
    run = refreshed(loaded, child)

    newer = refreshed(loaded, child) if again == "refresh" else loaded.sync()

    run.refresh_from_db()
    assert (run.status, newer.status) == ("superseded", "held" if again == "refresh" else "complete")


def test_value_that_drifted_here_is_shown_when_the_record_is_unchanged(loaded: World) -> None:
    child = loaded.settled()[0]
    student = loaded.student(child)
    Student.objects.filter(pk=student.pk).update(home_phone="5305550100")

    run = refreshed(loaded, child)

    assert loaded.changes(run)[loaded.external_id(child)].fields["home_phone"][0] == "5305550100"


def test_student_the_system_knows_no_more_stays_and_is_told(loaded: World) -> None:
    child, other = loaded.settled()[:2]
    for one in (child, other):
        loaded.district.remove(one.id)

    run = refreshed(loaded, child)

    assert run.status == "complete_with_issues"
    assert run.changes.count() == 0
    assert run.counts["dropped"] == 0
    (issue,) = loaded.issues(run, code="not_found")
    assert "does not know it any more. Nothing was changed." in issue.message
    assert enrolled(loaded, child)
    assert enrolled(loaded, other)


def test_unknown_id_is_told_and_adds_nobody(loaded: World) -> None:
    school = str(loaded.district.real_schools[0].number)
    count = Student.objects.count()

    run = loaded.carry(
        refresh_student(integration=loaded.integration, external_id="7654321", schools=[school], wake=False)
    )

    assert [issue.code for issue in loaded.issues(run)] == ["not_found"]
    assert Student.objects.count() == count


def test_student_not_yet_known_is_added_when_the_person_says_so(loaded: World) -> None:
    newcomer, unseen = (loaded.district.add(first_name=name, last_name="Neu") for name in ("Pia", "Lu"))
    count = Student.objects.count()

    run = refreshed(loaded, newcomer, schools=[str(newcomer.enrollments[0].school)])

    assert [change.kind for change in loaded.changes(run).values()] == [Change.Kind.CREATE]
    assert Student.objects.count() == count
    loaded.approve(run)
    assert enrolled(loaded, newcomer)
    assert Student.objects.count() == count + 1
    assert not Student.objects.filter(identities__external_id=loaded.external_id(unseen)).exists()


def test_student_who_moved_is_found_at_the_new_school(loaded: World) -> None:
    child = loaded.settled()[0]
    old, new = child.enrollments[0].school, other_school(loaded, child)
    loaded.district.move(child.id, new)

    run = refreshed(loaded, child)

    assert run.scope_schools == sorted([str(old), str(new)])
    loaded.approve(run)
    student = loaded.student(child)
    assert [stay.school.code for stay in student.enrollments.filter(left=None)] == [str(new)]
    assert loaded.sync().changes.count() == 0


def test_student_who_moved_is_not_read_elsewhere_for_a_limited_person(loaded: World) -> None:
    child = loaded.settled()[0]
    old, new = child.enrollments[0].school, other_school(loaded, child)
    user = User.objects.create_user("limited")
    SchoolScope.objects.create(user=user, school=School.objects.get(code=str(old)))
    loaded.district.move(child.id, new)

    run = refreshed(loaded, child, user=user)

    assert run.scope_schools == [str(old)]
    assert not run.changes.exclude(status=Change.Status.DISCARDED).exists()
    assert enrolled(loaded, child)


def test_school_of_others_is_not_named_when_the_student_has_gone_there(loaded: World) -> None:
    child = loaded.settled()[0]
    old, new = child.enrollments[0].school, other_school(loaded, child)
    user = User.objects.create_user("limited")
    SchoolScope.objects.create(user=user, school=School.objects.get(code=str(old)))
    loaded.district.remove(child.id)
    child.enrollments.clear()
    loaded.district.restore_child(child)
    loaded.district.enroll(child.id, new)

    run = refreshed(loaded, child, user=user)

    (issue,) = loaded.issues(run, code="not_found")
    assert "at a school you may not see." in issue.message
    assert str(new) not in issue.message


def test_refusal_says_why_when_there_is_nothing_to_look_at(loaded: World) -> None:
    child = loaded.settled()[0]
    user = User.objects.create_user("limited")
    SchoolScope.objects.create(user=user, school=School.objects.get(code=str(other_school(loaded, child))))
    external_id = loaded.external_id(child)

    with pytest.raises(RunRefused, match="school of yours"):
        refresh_student(integration=loaded.integration, external_id=external_id, user=user, wake=False)
    with pytest.raises(RunRefused, match="not known at which school"):
        refresh_student(integration=loaded.integration, external_id="7654321", wake=False)
    with pytest.raises(RunRefused, match="SIS ID: letters"):
        refresh_student(integration=loaded.integration, external_id="../1", wake=False)
