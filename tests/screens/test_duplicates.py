"""Duplicate Students on screen: the groups, the two side by side, the merge, the undo, and who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from students.models import NotDuplicate, Student, StudentMerge
from tests.factories.integrations import ExternalIdentityFactory, IntegrationFactory, SyncRunFactory
from tests.factories.people import SignIn, looker, registrar, sign_in
from tests.factories.students import (
    EnrollmentFactory,
    SchoolFactory,
    StudentContactFactory,
    StudentFactory,
    enrolled,
)

__all__ = ["looker", "registrar", "sign_in"]
pytestmark = pytest.mark.django_db
LIST = "/admin/students/studentmerge/"
COMPARE, MERGE = f"{LIST}compare/", f"{LIST}merge/"


def two(school: str = "101", other: str = "101") -> tuple[Student, Student]:
    """Ana Ruiz, who is enrolled, and Ana Ruiz once more, who has an email and is enrolled at the other school."""
    survivor = enrolled(SchoolFactory.create(code=school), first_name="Ana", last_name="Ruiz", local_id="1")
    duplicate = StudentFactory.create(first_name="Ana", last_name="Ruiz", local_id="2", email="ana@example.org")
    EnrollmentFactory.create(student=duplicate, school=SchoolFactory.create(code=other))
    return survivor, duplicate


def pair_of(survivor: Student, duplicate: Student, **more: Any) -> dict[str, Any]:
    """What the forms send."""
    return {"stays": survivor.pk, "goes": duplicate.pk, **more}


def text(client: Client, address: str, data: Any = None) -> str:
    """The page as sent."""
    return client.get(address, data).content.decode()


def test_list_shows_duplicates_only_and_preselects_who_stays(registrar: Client) -> None:
    former = StudentFactory.create(first_name="Ana", last_name="Ruiz", status="former")
    survivor = enrolled(SchoolFactory.create(code="101"), first_name="Ana", last_name="Ruiz")
    StudentFactory.create(first_name="Zoë", last_name="Alone")
    page = text(registrar, LIST)
    assert "2 students with the same name and birth date" in page
    assert "Alone" not in page
    assert f'name="stays" value="{survivor.pk}" aria-label="Ruiz, Ana stays" checked' in page
    assert f'name="goes" value="{former.pk}" aria-label="Ruiz, Ana goes" checked' in page


def test_list_says_so_when_nobody_is_here_twice_or_fits(registrar: Client) -> None:
    assert "Nobody is here twice." in text(registrar, LIST)
    two()
    assert "Nobody fits." in text(registrar, LIST, {"q": "Somebody"})
    assert "2 students" in text(registrar, LIST, {"q": "ruiz"})


def test_compare_lists_only_what_differs_and_preselects_what_is_not_blank(registrar: Client) -> None:
    survivor, duplicate = two()
    page = text(registrar, COMPARE, pair_of(survivor, duplicate))
    assert 'name="field-email" value="duplicate" checked' in page
    assert 'name="field-local_id" value="survivor" checked' in page
    assert "field-first_name" not in page


def test_merge_asks_once_more_and_says_what_moves(registrar: Client) -> None:
    survivor, duplicate = two(other="102")
    integration = IntegrationFactory.create(name="Main SIS")
    for student, number in ((survivor, "11"), (duplicate, "22")):
        ExternalIdentityFactory.create(student=student, integration=integration, external_id=number)
    StudentContactFactory.create(student=duplicate, contact__first_name="Rosa", contact__last_name="Ruiz")
    sent = pair_of(survivor, duplicate, **{"field-email": "duplicate", "field-local_id": "duplicate"})
    asked = registrar.post(MERGE, sent).content.decode()
    for told in (
        "SIS ID 22 of Main SIS moves.", "It does not speak any more", "School 102, 2026-2027 moves as an alternate one",
        "Contact Rosa Ruiz moves.", "writes the other value back: Student ID.", "ana@example.org",
    ):  # fmt: skip
        assert told in asked
    assert Student.objects.count() == 2
    done = registrar.post(MERGE, {**sent, "confirmed": "yes"}, follow=True).content.decode()
    assert "was merged into Ruiz, Ana" in done
    assert "Merged into this student" in done
    survivor.refresh_from_db()
    assert (survivor.email, survivor.local_id) == ("ana@example.org", "2")
    assert StudentMerge.objects.get().user.username == "registrar"  # type: ignore[union-attr]


def test_undo_asks_first_and_makes_the_duplicate_a_student_again(registrar: Client) -> None:
    survivor, duplicate = two()
    registrar.post(MERGE, pair_of(survivor, duplicate, confirmed="yes"))
    address = f"{LIST}{StudentMerge.objects.get().pk}/undo/"
    assert "Make Ruiz, Ana (student ID 2) a student again?" in text(registrar, address)
    assert Student.objects.count() == 1
    Student.objects.update(email="later@example.org")
    done = registrar.post(address, follow=True).content.decode()
    assert "is a student again" in done
    assert "Kept as it is now. Email of Ruiz, Ana: edited since." in done
    assert Student.objects.count() == 2
    assert "Undone by registrar" in text(registrar, LIST)


def test_undo_says_why_when_it_cannot_be(registrar: Client) -> None:
    survivor, duplicate = two()
    third = StudentFactory.create(first_name="Ana", last_name="Ruiz", local_id="3")
    for one in (duplicate, third):
        registrar.post(MERGE, pair_of(survivor, one, confirmed="yes"))
    first = StudentMerge.objects.order_by("pk")[0]
    assert "Undo that first" in registrar.post(f"{LIST}{first.pk}/undo/", follow=True).content.decode()


def test_not_the_same_is_remembered_and_can_be_taken_back(registrar: Client) -> None:
    survivor, duplicate = two()
    said = registrar.post(f"{LIST}not-the-same/", pair_of(duplicate, survivor), follow=True).content.decode()
    assert "are two children" in said
    assert "2 students" not in said
    decided = NotDuplicate.objects.get()
    assert (decided.first, decided.second) == (survivor, duplicate)
    registrar.post(f"{LIST}not-the-same/{decided.pk}/lift/")
    assert "2 students" in text(registrar, LIST)


def test_merge_waits_for_a_run_that_works_at_the_students(registrar: Client) -> None:
    survivor, duplicate = two()
    identity = ExternalIdentityFactory.create(student=survivor)
    SyncRunFactory.create(integration=identity.integration, status="fetching")
    page = registrar.post(MERGE, pair_of(survivor, duplicate, confirmed="yes"), follow=True).content.decode()
    assert "Wait for it to end." in page
    assert Student.objects.count() == 2


@pytest.mark.parametrize("goes", ["", "x", "0"])
def test_two_students_are_needed(registrar: Client, goes: str) -> None:
    survivor, _ = two()
    assert registrar.get(COMPARE, {"stays": survivor.pk, "goes": goes}).status_code == 404


def test_same_student_twice_is_refused_in_words(registrar: Client) -> None:
    survivor, _ = two()
    page = registrar.get(COMPARE, pair_of(survivor, survivor), follow=True).content.decode()
    assert "Choose two different students" in page


def test_person_who_may_only_look_cannot_merge_undo_or_decide(looker: Client, sign_in: SignIn) -> None:
    survivor, duplicate = two()
    sent = pair_of(survivor, duplicate, confirmed="yes")
    assert ">Compare<" not in text(looker, LIST)
    assert looker.get(COMPARE, sent).status_code == 403
    assert looker.post(MERGE, sent).status_code == 403
    assert looker.post(f"{LIST}not-the-same/", sent).status_code == 403
    sign_in("Sync Service Full Access", name="other").post(MERGE, sent)
    merge = StudentMerge.objects.get()
    assert looker.post(f"{LIST}{merge.pk}/undo/").status_code == 403
    assert sign_in("View Registrations", name="stranger").get(LIST).status_code == 403


def test_person_limited_to_a_school_sees_and_merges_only_its_students(sign_in: SignIn) -> None:
    survivor, duplicate = two(other="102")
    here = sign_in("Sync Service Full Access", schools=("101",))
    assert "Nobody is here twice." in text(here, LIST)
    assert here.post(MERGE, pair_of(survivor, duplicate, confirmed="yes")).status_code == 404
    EnrollmentFactory.create(student=duplicate, school=SchoolFactory.create(code="101"), primary=False)
    assert "2 students" in text(here, LIST)
    page = here.post(MERGE, pair_of(survivor, duplicate, confirmed="yes"), follow=True).content.decode()
    assert "also enrolled at a school you may not see" in page
    assert Student.objects.count() == 2


@pytest.mark.parametrize("address", [MERGE, f"{LIST}not-the-same/"])
def test_nothing_changes_on_get(registrar: Client, address: str) -> None:
    survivor, duplicate = two()
    assert registrar.get(address, pair_of(survivor, duplicate, confirmed="yes")).status_code == 405
    assert Student.objects.count() == 2


def test_values_are_shown_as_text_and_never_as_markup(registrar: Client) -> None:
    for number in ("1", "2"):
        StudentFactory.create(first_name="<b>Ana</b>", last_name="Ruiz", email=f"<i>{number}</i>")
    survivor, duplicate = Student.objects.order_by("pk")
    for page in (text(registrar, LIST), text(registrar, COMPARE, pair_of(survivor, duplicate))):
        assert "<b>Ana" not in page
        assert "<i>2" not in page
