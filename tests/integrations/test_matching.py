"""A person's word on whose record it is, and what a complete run closes."""

from __future__ import annotations

import pytest

from integrations import matching
from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, RecordIssue, UnmappedCode
from mapping.models import DataEntityMappingValue
from students.models import Student
from tests.world import World, a_world

pytestmark = pytest.mark.django_db


def _namesake(world: World) -> tuple[Student, str]:
    """A second record with the name and birth date of a student we hold: the student and the new id."""
    child = world.settled()[0]
    twin = world.district.add(
        first_name=child.first_name,
        last_name=child.last_name,
        birth_date=child.birth_date,
        school=child.enrollments[0].school,
        grade=child.enrollments[0].grade,
    )
    return world.student(child), world.external_id(twin)


def test_record_becomes_a_new_student_when_it_is_not_the_same() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        student, new_id = _namesake(world)
        run = world.sync()
        (issue,) = world.issues(run, external_id=new_id)
        assert (issue.code, issue.candidate) == ("possible_match", student)
        count = Student.objects.count()
        matching.not_the_same(issue=issue)
        issue.refresh_from_db()
        assert issue.resolved
        run = world.sync()
        assert run.counts["created"] == 1
        assert Student.objects.count() == count + 1
        assert world.sync().counts["created"] == 0


def test_record_is_the_student_when_linked_and_the_old_id_is_given_up() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        student, new_id = _namesake(world)
        old_id = student.identities.get().external_id
        world.district.remove(int(old_id))
        (issue,) = world.issues(world.sync(), external_id=new_id)
        matching.link_record(issue=issue)
        count = Student.objects.count()
        world.sync()
        identity = ExternalIdentity.objects.get(student=student)
        student.refresh_from_db()
        assert identity.external_id == student.local_id == new_id
        assert student.status == "current"
        assert student.enrollments.filter(left=None).count() == 1
        assert Student.objects.count() == count
        again = world.sync()
        assert (again.counts["updated"], again.counts["dropped"]) == (0, 0)


def test_refuses_to_link_when_the_id_belongs_to_another_student() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        _, new_id = _namesake(world)
        (issue,) = world.issues(world.sync(), external_id=new_id)
        other = world.student(world.settled()[1])
        ExternalIdentity.objects.create(
            integration=world.integration, entity="student", external_id=new_id, student=other
        )
        with pytest.raises(RunRefused, match="already belongs"):
            matching.link_record(issue=issue)


def test_refuses_when_the_issue_names_no_student() -> None:
    with a_world("aeries", students=40) as world:
        run = world.sync()
        issue = RecordIssue.objects.create(run=run, severity="error", code="bad_date", external_id="1")
        with pytest.raises(RunRefused, match="no student"):
            matching.not_the_same(issue=issue)


def test_complete_run_closes_issues_and_codes_that_are_mended() -> None:
    with a_world("aeries", students=40) as world:
        value = DataEntityMappingValue.objects.get(mapping__name="District gender", external_value="F")
        value.delete()
        first = world.sync()
        assert UnmappedCode.objects.get().value == "F"
        assert world.issues(first, resolved=None)
        DataEntityMappingValue.objects.create(mapping=value.mapping, external_value="F", value="F")
        second = world.sync()
        assert not UnmappedCode.objects.exists()
        assert not world.issues(first, resolved=None)
        assert second.status == "complete"


def test_issue_stays_open_when_the_next_run_is_not_complete() -> None:
    with a_world("aeries", students=40) as world:
        DataEntityMappingValue.objects.get(mapping__name="District gender", external_value="F").delete()
        first = world.sync()
        school = world.district.real_schools[0].number
        world.sis.faults.add("F45", school=school)
        assert world.sync().status == "partial"
        assert world.issues(first, resolved=None)
        assert UnmappedCode.objects.exists()
