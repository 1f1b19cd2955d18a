"""A person's word on whose record it is, and what a complete run closes."""

from __future__ import annotations

from typing import Any

import pytest

from integrations import matching
from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, MatchDecision, RecordIssue, SyncRun, UnmappedCode
from integrations.sandbox.district import Child
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, Student
from tests.stories.days import held
from tests.world import World, a_world

pytestmark = pytest.mark.django_db
Kind = MatchDecision.Kind


def _namesake(world: World, **differs: Any) -> tuple[Child, str]:
    """A second record with the name and birth date of a child we hold: that child, and the new id."""
    child = world.settled()[0]
    same = {"first_name": child.first_name, "last_name": child.last_name, "birth_date": child.birth_date}
    stay = child.enrollments[0]
    twin = world.district.add(school=stay.school, grade=stay.grade, **{**same, **differs})
    return child, world.external_id(twin)


def _issue(world: World, external_id: str) -> RecordIssue:
    """The one record that waits."""
    issue: RecordIssue = matching.waiting().get(external_id=external_id)
    return issue


def _decide(world: World, issue: RecordIssue, kind: str, student: Student | None = None) -> SyncRun:
    """Decide, and carry the import that follows to its end."""
    told = matching.decide(issue, kind=kind, student=student, wake=False)
    assert told.run is not None, told.waiting
    return world.carry(told.run)


@pytest.mark.parametrize("kind", [Kind.NEW, Kind.NOT_THE_SAME])
def test_record_alone_is_imported_as_a_new_student_when_a_person_says_so(kind: str) -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.district.change(world.settled()[3].id, home_phone="5305550111")
        world.sync(dry_run=True)
        issue, student = _issue(world, new_id), world.student(child)
        assert (issue.code, issue.candidate) == ("possible_match", student)
        count = Student.objects.count()

        run = _decide(world, issue, kind, student)

        assert (run.status, run.scope_students, run.counts["created"]) == ("complete", [new_id], 1)
        assert set(world.changes(run)) == {new_id}
        assert Student.objects.count() == count + 1
        assert not matching.waiting().exists()
        assert world.sync().counts["created"] == 0


def test_record_is_the_student_when_linked_and_the_old_id_is_given_up() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        student = world.student(child)
        world.district.remove(child.id)
        world.sync()
        count = Student.objects.count()

        run = _decide(world, _issue(world, new_id), Kind.LINK, student)

        student.refresh_from_db()
        assert run.counts["dropped"] == 0
        assert ExternalIdentity.objects.get(student=student).external_id == student.local_id == new_id
        assert student.status == "current"
        assert student.enrollments.filter(left=None).count() == 1
        assert Student.objects.count() == count
        again = world.sync()
        assert (again.counts["created"], again.counts["updated"], again.counts["dropped"]) == (0, 0, 0)


def test_link_is_refused_when_the_system_sends_both_ids() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.sync()
        student = world.student(child)

        with pytest.raises(RunRefused, match=f"as SIS ID {child.id} too"):
            matching.decide(_issue(world, new_id), kind=Kind.LINK, student=student, wake=False)

        assert student.identities.get().external_id == str(child.id)
        assert not MatchDecision.objects.exists()


def test_link_is_refused_while_a_run_is_open() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        student = world.student(child)
        world.district.remove(child.id)
        world.sync()
        issue, run = _issue(world, new_id), world.begin()

        with pytest.raises(RunRefused, match=f"Run {run.pk} of District is open"):
            matching.decide(issue, kind=Kind.LINK, student=student, wake=False)

        assert not MatchDecision.objects.exists()
        assert student.identities.get().external_id == str(child.id)
        world.carry(run)
        assert _decide(world, _issue(world, new_id), Kind.LINK, student).counts["dropped"] == 0


def test_plan_is_refused_when_somebody_of_it_was_linked_since() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        student = world.student(child)
        world.sync()
        run, _ = held(world)
        assert run.changes.filter(target=student.pk, kind="drop", status="planned").exists()
        matching.decide(_issue(world, new_id), kind=Kind.LINK, student=student, run=False)

        with pytest.raises(RunRefused, match="A decision on .* was made since the plan"):
            world.approve(run)

        assert student.enrollments.filter(left=None).exists()


def test_twins_are_two_students_when_only_the_first_name_differs() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        _, new_id = _namesake(world, first_name="Zenobia")

        run = world.sync()

        assert run.counts["created"] == 1
        assert not matching.waiting().exists()
        assert ExternalIdentity.objects.filter(entity="student", external_id=new_id).count() == 1


def test_twin_who_carries_the_state_id_of_the_other_waits_for_a_person() -> None:
    with a_world("aeries", students=40) as world:
        child = world.settled()[0]
        held = Student.objects.create(
            first_name="Zenobia", last_name=child.last_name, birth_date=child.birth_date, state_id=child.state_id
        )
        world.sync()

        issue = _issue(world, world.external_id(child))

        assert (issue.code, issue.candidate) == ("identity_conflict", held)
        assert not held.identities.exists()
        _decide(world, issue, Kind.NEW)
        assert world.student(child) != held
        assert world.sync().changes.count() == 0


def test_two_new_records_with_one_state_id_are_told_side_by_side_and_added_when_called_new() -> None:
    with a_world("aeries", students=40) as world:
        one, two = world.settled()[0], world.settled()[-1]
        world.district.change(two.id, state_id=one.state_id)
        world.sync()
        ids = [world.external_id(child) for child in (one, two)]
        facts = {e: _issue(world, e).facts for e in ids}
        assert [facts[e]["others"] for e in ids] == [[ids[1]], [ids[0]]]
        assert [facts[e]["records"][0]["first_name"] for e in ids] == [one.first_name, two.first_name]

        again = world.carry(matching.look_again(_issue(world, ids[0]), wake=False))
        assert (again.scope_students, again.counts["created"]) == (sorted(ids), 0)
        for external_id in ids:
            matching.decide(_issue(world, external_id), kind=Kind.NEW, run=False)
        assert world.sync().counts["created"] == 2
        assert {world.student(child).state_id for child in (one, two)} == {one.state_id}
        assert world.sync().changes.count() == 0


def test_namesake_of_the_same_run_is_compared_with_the_student_the_run_added() -> None:
    with a_world("aeries", students=40) as world:
        child, new_id = _namesake(world)
        world.sync()
        issue = _issue(world, new_id)
        assert issue.code == "possible_duplicate"
        assert matching.candidate_of(issue) == world.student(child)

        _decide(world, issue, Kind.NOT_THE_SAME, world.student(child))

        assert ExternalIdentity.objects.filter(external_id=new_id).exists()


def test_decision_is_refused_when_the_student_is_not_the_one_looked_at() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        _, new_id = _namesake(world)
        world.sync()
        other = world.student(world.settled()[1])

        with pytest.raises(RunRefused, match="somebody else"):
            matching.decide(_issue(world, new_id), kind=Kind.NOT_THE_SAME, student=other, wake=False)


def test_decision_is_refused_when_the_record_belongs_to_somebody_by_now() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.sync()
        other = world.student(world.settled()[1])
        ExternalIdentity.objects.create(
            integration=world.integration, entity="student", external_id=new_id, student=other
        )

        with pytest.raises(RunRefused, match="already belongs"):
            matching.decide(_issue(world, new_id), kind=Kind.LINK, student=world.student(child), wake=False)


def test_decision_is_refused_when_two_records_carry_one_id() -> None:
    with a_world("aeries", students=40) as world:
        issue = RecordIssue.objects.create(
            run=world.sync(), severity="error", code="duplicate_in_source", external_id="1"
        )
        with pytest.raises(RunRefused, match="correct the record"):
            matching.decide(issue, kind=Kind.NEW, wake=False)


def test_decision_waits_and_can_be_taken_back_when_no_import_can_run() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.sync()
        world.set(import_enabled=False)

        told = matching.decide(_issue(world, new_id), kind=Kind.NEW, student=world.student(child), wake=False)

        assert told.run is None
        assert "switched off" in told.waiting
        assert not matching.waiting().exists()
        matching.take_back(told.decision)
        assert not MatchDecision.objects.exists()
        assert _issue(world, new_id).resolved is None
        world.set(import_enabled=True)
        assert world.sync().counts["created"] == 0


def test_link_taken_back_gives_the_old_id_back() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        student = world.student(child)
        world.district.remove(child.id)
        world.sync()
        told = matching.decide(_issue(world, new_id), kind=Kind.LINK, student=student, run=False)
        assert student.identities.get().external_id == new_id

        matching.take_back(told.decision)

        assert student.identities.get().external_id == str(child.id)
        run = world.sync()
        assert (run.counts["created"], run.counts["dropped"], run.counts["rejected"]) == (0, 0, 1)
        assert _issue(world, new_id)


def test_decision_stays_when_an_import_has_used_it() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.sync()
        told = matching.decide(_issue(world, new_id), kind=Kind.NEW, student=world.student(child), wake=False)
        assert told.run is not None
        with pytest.raises(RunRefused, match="is open"):
            matching.take_back(told.decision)
        done = world.carry(told.run)
        assert matching.used(told.decision)
        with pytest.raises(RunRefused, match="has used"):
            matching.take_back(told.decision)

        world.undo(done)
        matching.take_back(told.decision)

        assert world.sync().counts["created"] == 0
        assert _issue(world, new_id)


def test_nobody_is_dropped_when_others_have_gone_meanwhile() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, new_id = _namesake(world)
        world.sync()
        gone = world.settled()[5]
        student = world.student(gone)
        world.district.remove(gone.id)

        run = _decide(world, _issue(world, new_id), Kind.NEW, world.student(child))

        assert run.counts["dropped"] == 0
        assert Enrollment.objects.filter(student=student, left=None).exists()


def test_run_of_pictures_closes_nothing_that_an_import_has_told() -> None:
    with a_world("aeries", students=40) as world:
        DataEntityMappingValue.objects.get(mapping__name="District gender", external_value="F").delete()
        first = world.sync()
        told = len(world.issues(first, resolved=None))
        world.set(pictures_only=True)
        older = SyncRun.objects.create(integration=world.integration, kind="pictures", status="complete")
        RecordIssue.objects.create(run=older, severity="warning", code="picture_refused", external_id="1")

        run = world.sync()

        assert (run.kind, run.certificate["complete"]) == ("pictures", True)
        assert len(world.issues(first, resolved=None)) == told > 0
        assert UnmappedCode.objects.get().value == "F"
        assert not world.issues(older, resolved=None)


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
