"""Who a record is: linked by state id, sent to review, refused; and contacts shared by siblings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.models import ExternalIdentity
from integrations.sandbox.district import Child
from students.models import Contact, Family, FieldLock, FieldOwnership, Student, StudentContact
from tests.world import World, a_world

from .tables import everything
from .test_pull import adds_up

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["aeries", "powerschool"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Forty children at two schools; nothing read yet."""
    with a_world(request.param, students=40, options={"page_size": 10}) as made:
        yield made


@pytest.fixture
def loaded(world: World) -> World:
    """The same, read once."""
    assert world.sync().status == "complete"
    return world


def a_student(child: Child, **values: object) -> Student:
    """A student we hold already, made by hand from a child of the district."""
    known = {
        "first_name": child.first_name, "last_name": child.last_name, "birth_date": child.birth_date,
        "state_id": child.state_id,
    }  # fmt: skip
    return Student.objects.create(**{**known, **values})


def codes(world: World, run: object) -> list[tuple[str, str]]:
    """(code, external id) of the run's errors."""
    found = world.issues(run, severity="error")  # type: ignore[arg-type]
    return sorted((issue.code, issue.external_id) for issue in found)


def settled(world: World, *, rejected: int = 0) -> None:
    """A further pull finds the same and changes nothing."""
    before = everything()
    run = world.sync()
    assert run.changes.count() == 0
    assert run.counts["rejected"] == rejected
    assert adds_up(run)
    assert everything() == before


@pytest.mark.parametrize("differs", ["nothing", "last name", "birth date"])
def test_a_student_we_hold_is_linked_by_state_id_when_name_or_birth_date_agrees(world: World, differs: str) -> None:
    child = world.settled()[0]
    values = {"nothing": {}, "last name": {"last_name": "Before"}, "birth date": {"birth_date": None}}[differs]
    held = a_student(child, **values)
    run = world.sync()
    assert (run.counts["created"], run.counts["updated"], run.counts["rejected"]) == (39, 1, 0)
    assert world.student(child) == held
    assert world.student(child).last_name == child.last_name
    settled(world)


def test_twins_with_one_state_id_go_to_review_when_the_last_names_differ_too(world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Luis", last_name="Ortiz-Vega")
    held = a_student(child, first_name="Ana", last_name="Ortiz")
    run = world.sync()
    assert codes(world, run) == [("identity_conflict", world.external_id(child))]
    assert not ExternalIdentity.objects.filter(student=held).exists()
    held.refresh_from_db()
    assert (held.first_name, held.last_name) == ("Ana", "Ortiz")
    settled(world, rejected=1)


def test_a_state_id_alone_links_nobody(world: World) -> None:
    child = world.settled()[0]
    a_student(child, last_name="Else", birth_date=None)
    run = world.sync()
    assert codes(world, run) == [("identity_conflict", world.external_id(child))]
    assert Student.objects.count() == 40
    assert adds_up(run)
    settled(world, rejected=1)


def test_the_same_name_and_birth_date_go_to_review_and_are_never_merged(world: World) -> None:
    child = world.settled()[0]
    held = a_student(child, state_id="")
    run = world.sync()
    assert codes(world, run) == [("possible_match", world.external_id(child))]
    assert run.counts["created"] == 39
    assert not ExternalIdentity.objects.filter(student=held).exists()
    settled(world, rejected=1)


def test_two_new_records_with_one_state_id_are_both_refused(world: World) -> None:
    one, two = world.settled()[0], world.settled()[-1]
    world.district.change(two.id, state_id=one.state_id)
    run = world.sync()
    assert codes(world, run) == sorted(("possible_duplicate", world.external_id(c)) for c in (one, two))
    assert run.counts["created"] == Student.objects.count() == 38
    assert adds_up(run)
    settled(world, rejected=2)
    world.district.change(two.id, state_id="1999999999")
    assert world.sync().counts["created"] == 2
    settled(world)


def test_two_records_that_claim_one_student_by_state_id_are_both_refused(world: World) -> None:
    one, two = world.settled()[0], world.settled()[-1]
    held = a_student(one)
    same = {"state_id": one.state_id, "birth_date": one.birth_date, "first_name": one.first_name}
    world.district.change(two.id, **same)
    run = world.sync()
    assert {external_id for _, external_id in codes(world, run)} == {
        world.external_id(one), world.external_id(two)
    }  # fmt: skip
    assert not ExternalIdentity.objects.filter(student=held).exists()
    assert Student.objects.count() == 39
    assert adds_up(run)
    settled(world, rejected=2)


def test_namesakes_born_on_one_day_are_not_two_students_unseen(world: World) -> None:
    one, two = world.settled()[0], world.settled()[-1]
    world.district.change(two.id, first_name=one.first_name, last_name=one.last_name, birth_date=one.birth_date)
    run = world.sync()
    assert [code for code, _ in codes(world, run)] == ["possible_duplicate"]
    assert run.counts["created"] == 39
    assert adds_up(run)


def test_a_state_id_that_lost_its_zeros_links_and_keeps_ours(world: World) -> None:
    child = world.settled()[0]
    held = a_student(child, state_id=f"00{child.state_id}", last_name="Before")
    run = world.sync()
    assert (run.counts["created"], run.counts["updated"], run.counts["rejected"]) == (39, 1, 0)
    assert world.student(child) == held
    assert world.student(child).state_id == f"00{child.state_id}"
    settled(world)


def test_a_state_id_with_more_zeros_than_ours_is_taken() -> None:
    with a_world("aeries", students=20) as world:
        child = world.settled()[0]
        world.district.change(child.id, state_id="0012345678")
        held = a_student(child, state_id="12345678")
        world.sync()
        assert world.student(child) == held
        assert world.student(child).state_id == "0012345678"
        settled(world)


def test_two_new_records_whose_state_ids_differ_in_zeros_alone_are_both_refused(world: World) -> None:
    one, two = world.settled()[0], world.settled()[-1]
    world.district.change(two.id, state_id=f"0{one.state_id}")
    run = world.sync()
    assert codes(world, run) == sorted(("possible_duplicate", world.external_id(c)) for c in (one, two))
    assert Student.objects.count() == 38


@pytest.mark.parametrize("several", ["", "first", "second", "both"])
@pytest.mark.parametrize("loaded_before", [False, True])
def test_namesakes_at_two_schools_are_not_two_students_unseen(
    world: World, *, several: str, loaded_before: bool
) -> None:
    one = world.settled()[0]
    two = next(c for c in world.settled() if c.enrollments[0].school != one.enrollments[0].school)
    schools = one.enrollments[0].school, two.enrollments[0].school
    if loaded_before:
        world.district.remove(one.id)
        world.district.remove(two.id)
        world.sync()
        world.district.restore_child(one)
        world.district.restore_child(two)
    world.district.change(two.id, first_name=one.first_name, last_name=one.last_name, birth_date=one.birth_date)
    if several in ("first", "both"):
        world.district.enroll(one.id, schools[1])
    if several in ("second", "both"):
        world.district.enroll(two.id, schools[0])
    run = world.sync()
    assert {code for code, _ in codes(world, run)} == {"possible_duplicate"}
    assert Student.objects.filter(first_name=one.first_name, birth_date=one.birth_date).count() == 1
    assert adds_up(run)


def test_one_id_that_names_two_children_is_refused_and_keeps_what_we_hold() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child, stranger = world.settled()[0], world.settled()[-1]
        second = next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)
        world.district.remove(stranger.id)
        stranger.id, stranger.enrollments[0].school = child.id, second
        before = Student.objects.filter(local_id=str(child.id)).values().get()
        shown = world.district.rows
        rows = {**{s.number: list(shown(s.number)) for s in world.district.real_schools}}
        rows[second].append((stranger, stranger.enrollments[0]))
        world.district.rows = lambda school: rows.get(school, [])  # type: ignore[method-assign]
        world.district.version += 1
        world.district._school_versions[second] = world.district.school_version(second) + 1
        world.district.change(child.id, home_phone="5305550100")
        run = world.sync()
        assert codes(world, run) == [("duplicate_in_source", str(child.id))]
        assert Student.objects.filter(local_id=str(child.id)).values().get() == before


def test_a_locked_field_and_a_foreign_field_are_withheld_and_told(loaded: World) -> None:
    child, other = loaded.settled()[:2]
    FieldLock.objects.create(student=loaded.student(child), field="home_phone", reason="The family asked")
    FieldOwnership.objects.create(entity="student", field="email", owner="console")
    loaded.district.change(child.id, home_phone="5305550100", residence_city="Elsewhere")
    loaded.district.change(other.id, home_phone="5305550101", email="new@mail.example.org")
    run = loaded.sync()
    assert loaded.student(child).home_phone != "5305550100"
    assert loaded.student(child).residence_city == "Elsewhere"
    assert loaded.student(other).email != "new@mail.example.org"
    assert loaded.student(other).home_phone == "5305550101"
    assert run.counts["withheld_fields"] == 2
    assert loaded.changes(run)[loaded.external_id(child)].withheld["home_phone"][2] == "locked"
    assert loaded.changes(run)[loaded.external_id(other)].withheld["email"][2] == "owned"


def test_siblings_share_a_contact_that_has_an_id_of_its_own() -> None:
    with a_world("powerschool", students=40) as world:
        world.sync()
        contact, children = shared(world)
        assert Contact.objects.filter(mobile_phone=contact_phone(world, contact)).count() == 1
        world.district.change_contact(contact, mobile_phone="5305550100")
        run = world.sync()
        assert run.counts["updated"] == len(children)
        assert run.changes.filter(entity="contact").count() == 1
        assert Contact.objects.filter(mobile_phone="5305550100").count() == 1
        settled(world)


def test_contacts_of_a_system_without_ids_for_them_are_never_merged() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        contact, children = shared(world)
        phone = contact_phone(world, contact)
        assert Contact.objects.filter(mobile_phone=phone).count() == len(children)


def test_a_contact_that_is_no_longer_listed_is_unlinked(loaded: World) -> None:
    child = loaded.settled()[0]
    assert StudentContact.objects.filter(student=loaded.student(child)).count() == 2
    loaded.district.change(child.id, contacts=child.contacts[:1])
    run = loaded.sync()
    assert run.counts["updated"] == 1
    assert StudentContact.objects.filter(student=loaded.student(child)).count() == 1
    settled(loaded)


def test_a_contact_made_by_hand_stays(loaded: World) -> None:
    child = loaded.settled()[0]
    student = loaded.student(child)
    StudentContact.objects.create(student=student, contact=Contact.objects.create(last_name="Neighbour"), order=9)
    loaded.district.change(child.id, home_phone="5305550100")
    loaded.sync()
    assert StudentContact.objects.filter(student=student, contact__last_name="Neighbour").exists()


def test_a_family_changes_with_what_the_integration_compares() -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        one = world.settled()[0]
        two = next(child for child in world.settled() if child.household != one.household)
        alone = [c for c in world.settled() if c.household == two.household] == [two]
        world.district.change(two.id, family_key=one.family_key)
        run = world.sync()
        assert run.counts["updated"] == 1
        assert world.student(two).family == world.student(one).family
        world.district.change(two.id, family_key=0)
        world.sync()
        assert world.student(two).family is None
        assert world.student(one).family is not None
        assert Family.objects.filter(students=None).count() == int(alone)
        settled(world)


def shared(world: World) -> tuple[int, list[Child]]:
    """A contact of several children, and the children."""
    for contact in sorted(world.district.contacts):
        children = [
            child for child in world.district.active_children()
            if any(link.contact.id == contact for link in child.contacts)
        ]  # fmt: skip
        if len(children) > 1:
            return contact, children
    raise AssertionError("no contact is shared")


def contact_phone(world: World, contact: int) -> str:
    """The mobile phone of a contact."""
    return world.district.contacts[contact].mobile_phone
