"""Refresh this student from the SIS: the button, the form, before and after, and who may say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from integrations.models import SyncRun
from integrations.sandbox.district import Child
from students.models import School as OurSchool
from students.models import SchoolScope, Student
from tests.factories.people import SignIn
from tests.world import World, a_world

FORM = "/admin/students/student/refresh/"
RUNS = "/admin/integrations/syncrun/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Thirty children at two schools, read once."""
    with a_world("aeries", students=30) as made:
        assert made.sync().status == "complete"
        yield made


def pressed(client: Client, world: World, child: Child) -> SyncRun:
    """Press the button on a child's page, and carry the run to where it waits or ends."""
    student = world.student(child)
    identity = student.identities.get(entity="student")
    client.post(f"/admin/students/student/{student.pk}/refresh/", {"identity": identity.pk})
    return world.carry(SyncRun.objects.latest("pk"))


def page_of(client: Client, run: SyncRun) -> Any:
    """The page that shows what was found."""
    return client.get(f"{RUNS}{run.pk}/refresh/")


def limit(name: str, child: Child) -> None:
    """Limit a person to the school of a child."""
    school = OurSchool.objects.get(code=str(child.enrollments[0].school))
    SchoolScope.objects.create(user=User.objects.get(username=name), school=school)


def test_student_page_has_a_button_for_each_integration_that_knows_the_student(registrar: Client, world: World) -> None:
    child = world.settled()[0]
    url = f"/admin/students/student/{world.student(child).pk}/change/"

    page = registrar.get(url).content.decode()
    world.set(import_enabled=False)
    without = registrar.get(url).content.decode()

    assert f"Refresh from District (SIS ID {child.id})" in page
    assert "Refresh from District" not in without


def test_before_and_after_are_shown_and_written_by_the_person_who_asked(registrar: Client, world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Renamed", home_phone="5305550199")
    run = pressed(registrar, world, child)

    page = page_of(registrar, run).content.decode()

    assert run.status == "held"
    assert all(text in page for text in ("First name", "Renamed", "(530) 555-0199", "Apply these changes", "Discard"))
    assert world.student(child).first_name != "Renamed"
    registrar.post(f"{RUNS}{run.pk}/refresh/", {"do": "apply", "plan_hash": run.plan_hash})
    done = world.carry(run)
    assert (done.status, done.approved_by) == ("complete", run.requested_by)
    assert world.student(child).first_name == "Renamed"
    assert "The changes below were written." in page_of(registrar, done).content.decode()


def test_nothing_is_written_when_discarded_or_when_the_plan_is_not_the_one_looked_at(
    registrar: Client, world: World
) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Renamed")
    run = pressed(registrar, world, child)

    other = registrar.post(f"{RUNS}{run.pk}/refresh/", {"do": "apply", "plan_hash": "0" * 64}, follow=True)
    registrar.post(f"{RUNS}{run.pk}/refresh/", {"do": "discard"})

    run.refresh_from_db()
    assert "The plan has changed since you looked at it" in other.content.decode()
    assert run.status == "discarded"
    assert world.student(child).first_name != "Renamed"


def test_page_says_so_when_there_is_nothing_to_write(registrar: Client, world: World) -> None:
    run = pressed(registrar, world, world.settled()[0])

    page = page_of(registrar, run).content.decode()

    assert run.status == "complete"
    assert "The system says the same as our records." in page
    assert "Apply these changes" not in page


def test_page_says_so_when_the_system_knows_the_student_no_more(registrar: Client, world: World) -> None:
    child = world.settled()[0]
    world.district.remove(child.id)
    run = pressed(registrar, world, child)

    page = page_of(registrar, run).content.decode()

    assert "does not know it any more. Nothing was changed." in page
    assert "Apply these changes" not in page
    assert world.student(child).status == "current"


def test_new_student_is_read_by_id_and_school_and_shown_with_contacts(registrar: Client, world: World) -> None:
    source = next(child for child in world.settled() if child.contacts)
    newcomer = world.district.add(first_name="Pia", last_name="Neu", school=source.enrollments[0].school)
    integration = world.integration
    listed = registrar.get("/admin/students/student/").content.decode()
    registrar.post(
        FORM, {"sis_id": f" {newcomer.id} ", "integration": integration.pk, "school": newcomer.enrollments[0].school}
    )
    run = world.carry(SyncRun.objects.latest("pk"))

    page = page_of(registrar, run).content.decode()

    assert FORM in listed
    assert "Pia Neu" in page
    assert "Last name:" in page
    assert not Student.objects.filter(last_name="Neu").exists()
    registrar.post(f"{RUNS}{run.pk}/refresh/", {"do": "apply", "plan_hash": run.plan_hash})
    world.carry(run)
    assert Student.objects.filter(last_name="Neu", status="current").exists()


@pytest.mark.parametrize(("sis_id", "school", "said"), [
    ("", "{school}", "Type the student"),
    ("../../x", "{school}", "Type the student"),
    ("1", "", "Choose the school"),
    ("1", "nowhere", "does not cover the school you chose"),
])  # fmt: skip
def test_form_says_what_is_wrong(registrar: Client, world: World, sis_id: str, school: str, said: str) -> None:
    runs = SyncRun.objects.count()
    school = school.format(school=world.district.real_schools[0].number)

    answer = registrar.post(
        FORM, {"sis_id": sis_id, "integration": world.integration.pk, "school": school}, follow=True
    )

    assert said in answer.content.decode()
    assert SyncRun.objects.count() == runs


def test_another_person_may_not_apply_without_the_right_to_approve(
    registrar: Client, sign_in: SignIn, world: World
) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Renamed")
    run = pressed(registrar, world, child)
    other = sign_in("Sync Service Full Access", name="other")
    chief = sign_in("Approve Held Runs", name="chief")

    refused = other.post(f"{RUNS}{run.pk}/refresh/", {"do": "apply", "plan_hash": run.plan_hash})

    assert refused.status_code == 403
    assert "Apply these changes" not in page_of(other, run).content.decode()
    assert "Apply these changes" in page_of(chief, run).content.decode()


def test_guard_still_asks_for_the_right_to_approve(registrar: Client, world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Renamed")
    run = pressed(registrar, world, child)
    message = "The home phone would become blank: 1 of 1 students."
    blanked = {"code": "blanked", "school": None, "message": message}
    SyncRun.objects.filter(pk=run.pk).update(guard={"reasons": [*run.guard["reasons"], blanked]})

    page = page_of(registrar, run).content.decode()

    assert message in page
    assert registrar.post(f"{RUNS}{run.pk}/refresh/", {"do": "apply"}).status_code == 403


def test_held_page_leads_here(registrar: Client, world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, first_name="Renamed")
    run = pressed(registrar, world, child)

    answer = registrar.get(f"{RUNS}{run.pk}/held/")

    assert answer["Location"] == f"{RUNS}{run.pk}/refresh/"


def test_limited_person_refreshes_students_of_own_schools_only(sign_in: SignIn, world: World) -> None:
    mine = world.settled()[0]
    theirs = next(c for c in world.settled() if c.enrollments[0].school != mine.enrollments[0].school)
    client = sign_in("Sync Service Full Access", name="limited")
    limit("limited", mine)
    runs = SyncRun.objects.count()
    identity = world.student(theirs).identities.get(entity="student")

    hidden = client.post(f"/admin/students/student/{world.student(theirs).pk}/refresh/", {"identity": identity.pk})
    by_id = client.post(
        FORM,
        {"sis_id": theirs.id, "integration": world.integration.pk, "school": theirs.enrollments[0].school},
        follow=True,
    )

    assert hidden.status_code in (302, 404)
    assert "does not cover the school you chose" in by_id.content.decode()
    assert SyncRun.objects.count() == runs
    world.district.change(mine.id, first_name="Renamed")
    run = pressed(client, world, mine)
    assert "Apply these changes" in page_of(client, run).content.decode()


def test_who_may_not_import_sees_no_button_and_is_turned_away(sign_in: SignIn, world: World) -> None:
    child = world.settled()[0]
    student = world.student(child)
    client = sign_in("Approve Held Runs")

    page = client.get(f"/admin/students/student/{student.pk}/change/").content.decode()

    assert "Refresh from" not in page
    assert client.get(FORM).status_code == 403
    assert client.post(f"/admin/students/student/{student.pk}/refresh/", {"identity": 1}).status_code == 403
    assert client.get(f"/admin/students/student/{student.pk}/refresh/").status_code == 405
