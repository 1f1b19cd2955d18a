"""Two systems speak of the same children."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.models import ExternalIdentity
from integrations.sandbox import District
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, FieldOwnership, School, Student
from tests.stories.days import enrolled, quiet_sync
from tests.world import World, a_world, roster

PHONE = "5305550199"


@pytest.fixture
def two(db: None) -> Iterator[tuple[World, World]]:
    """One district behind Aeries ("District") and PowerSchool ("Other"), of which Aeries has been read."""
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with (
        a_world("aeries", district=district) as one,
        a_world("powerschool", district=district, name="Other") as other,
    ):
        assert one.sync().status == "complete"
        yield one, other


def test_second_system_finds_the_same_children_by_their_state_id(two: tuple[World, World]) -> None:
    one, other = two
    run = other.sync()
    assert (run.counts["created"], run.counts["rejected"]) == (0, 0), other.issues(run)[:3]
    assert Student.objects.count() == 40
    assert Enrollment.objects.filter(left=None).count() == 40
    assert ExternalIdentity.objects.filter(entity="student").count() == 80
    quiet_sync(other)


def test_child_is_linked_even_when_the_second_system_says_nothing_new(db: None) -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False, contacts_per_student=0)
    with (
        a_world("aeries", district=district) as one,
        a_world("aeries", district=district, name="Other", family_identifier=[]) as other,
    ):
        one.sync()
        before = roster()
        other.sync()
        assert roster() == before
        assert ExternalIdentity.objects.filter(integration=other.integration).count() == 40
        quiet_sync(other)


def test_field_is_withheld_from_the_system_that_does_not_own_it(two: tuple[World, World]) -> None:
    one, other = two
    other.sync()
    FieldOwnership.objects.create(field="home_phone", owner=one.integration.owner_key)
    for world in two:
        world.sync()
    child = one.settled()[0]
    before = one.student(child).home_phone
    one.district.change(child.id, home_phone=PHONE)
    run = other.sync()
    change = other.changes(run)[other.external_id(child)]
    assert (change.status, change.withheld) == ("withheld", {"home_phone": [before, PHONE, "owned"]})
    assert run.counts["withheld_fields"] == 1
    assert run.counts["updated"] == 0
    assert one.student(child).home_phone == before
    assert one.sync().counts["updated"] == 1
    assert one.student(child).home_phone == PHONE


def test_field_owned_by_the_console_is_written_by_nobody(two: tuple[World, World]) -> None:
    one, other = two
    FieldOwnership.objects.create(field="home_phone", owner="console")
    child = one.settled()[0]
    before = one.student(child).home_phone
    one.district.change(child.id, home_phone=PHONE)
    for world in two:
        world.sync()
    assert one.student(child).home_phone == before


def _cover(world: World, schools: list[School]) -> None:
    """Let the Building mapping of a world's integration list exactly these schools."""
    mapping = world.integration.building
    assert mapping is not None
    DataEntityMappingValue.objects.filter(mapping=mapping).delete()
    for school in schools:
        DataEntityMappingValue.objects.create(mapping=mapping, external_value=school.code, value=school.code)


def test_nobody_is_dropped_or_doubled_when_a_school_moves_to_the_other_integration(db: None) -> None:
    district = District.generate(students=60, seed=3, schools=3, messy=False)
    with (
        a_world("aeries", district=district) as one,
        a_world("aeries", district=district, name="Other") as other,
    ):
        a, b, c = School.objects.order_by("code")
        _cover(one, [a, b])
        _cover(other, [c])
        assert [one.sync().status, other.sync().status] == ["complete", "complete"]
        enrollments = set(Enrollment.objects.values_list("student", "school", "left"))
        assert len(enrollments) == 60

        _cover(one, [a])
        _cover(other, [b, c])
        for _ in range(2):
            for world in (one, other):
                run = world.sync()
                assert run.status == "complete", run.guard
                assert run.counts["dropped"] == run.counts["created"] == 0
        assert Student.objects.count() == 60
        assert set(Enrollment.objects.values_list("student", "school", "left")) == enrollments

        # The new integration now answers for the school: a child who leaves it is dropped by it, once.
        child = next(x for x in one.settled() if str(x.enrollments[0].school) == b.code)
        student = Student.objects.get(local_id=str(child.id))
        district.remove(child.id)
        assert one.sync().counts["dropped"] == 0
        assert other.sync().counts["dropped"] == 1
        student.refresh_from_db()
        assert student.status == "former"


def test_child_who_moves_between_integrations_has_one_primary_enrollment(db: None) -> None:
    district = District.generate(students=40, seed=3, schools=2, messy=False)
    with (
        a_world("aeries", district=district) as one,
        a_world("aeries", district=district, name="Other") as other,
    ):
        a, b = School.objects.order_by("code")
        _cover(one, [a])
        _cover(other, [b])
        one.sync()
        other.sync()
        child = next(x for x in one.settled() if str(x.enrollments[0].school) == a.code)
        student = one.student(child)
        district.move(child.id, int(b.code))
        # The new school's system is read first, the old one's later, and both again.
        for world in (other, one, other, one):
            assert world.sync().status == "complete"
        assert Student.objects.count() == 40
        current = Enrollment.objects.filter(student=student, left=None)
        assert [(stay.school, stay.primary) for stay in current] == [(b, True)]
        assert enrolled(other, child)


@pytest.mark.parametrize("trace", ["a record that says left", "no record any more"])
def test_child_ends_once_when_two_integrations_cover_its_school_and_both_say_so(db: None, trace: str) -> None:
    old = District.generate(students=20, seed=3, schools=2, messy=False)
    new = District.generate(students=20, seed=3, schools=2, messy=False)
    with a_world("aeries", district=old) as one, a_world("aeries", district=new, name="Other") as other:
        for world in (one, other):
            world.set(guard_count=100)
            world.sync()
        school = one.settled()[0].enrollments[0].school
        moved = [child for child in one.settled() if child.enrollments[0].school == school][1:]
        enrollments = set(Enrollment.objects.values_list("student", "school", "left"))
        for child in moved:
            old.remove(child.id) if trace == "no record any more" else old.leave(child.id)
        for _ in range(2):
            for world in (one, other):
                run = world.sync()
                assert (run.counts["dropped"], run.counts["created"], run.counts["reopened"]) == (0, 0, 0), run.guard
        told = one.issues(one.sync(), code="current_elsewhere")
        assert {issue.external_id for issue in told} == {str(child.id) for child in moved}
        assert set(Enrollment.objects.values_list("student", "school", "left")) == enrollments
        assert Student.objects.filter(status="current").count() == 20

        child = moved[0]
        new.remove(child.id) if trace == "no record any more" else new.leave(child.id)
        runs = [world.sync() for world in (other, one, other, one)]
        assert sum(run.counts["dropped"] for run in runs) == 1
        assert not enrolled(one, child)
        assert Student.objects.filter(status="current").count() == 19


def test_child_who_ended_wrongly_comes_back_when_the_other_integration_reads_an_unchanged_record(db: None) -> None:
    old = District.generate(students=20, seed=3, schools=2, messy=False)
    new = District.generate(students=20, seed=3, schools=2, messy=False)
    with a_world("aeries", district=old) as one, a_world("aeries", district=new, name="Other") as other:
        one.sync()
        other.sync()
        child = one.settled()[0]
        old.remove(child.id)
        other.set(import_enabled=False)
        assert one.sync().counts["dropped"] == 1
        other.set(import_enabled=True)
        assert other.sync().counts["reopened"] == 1
        assert enrolled(other, child)
