"""Families on screen: why they are one, take out, join, lift."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from students.family_decisions import split_student
from students.models import FieldLock, Student
from tests.factories.integrations import IntegrationFactory, SyncRunFactory, change_of
from tests.factories.people import SignIn, looker, registrar, sign_in
from tests.factories.students import EnrollmentFactory, FamilyFactory, SchoolFactory, enrolled

__all__ = ["looker", "registrar", "sign_in"]
pytestmark = pytest.mark.django_db


def siblings(*names: str, school: str = "101", **values: Any) -> list[Student]:
    """Children of one new family, enrolled at the school."""
    family = FamilyFactory.create()
    return [
        enrolled(SchoolFactory.create(code=school), first_name=name, last_name="Ruiz", family=family, **values)
        for name in names
    ]


def address(student: Student) -> str:
    """The page on which the child's family is decided."""
    return f"/admin/students/family/of/{student.pk}/"


def text(client: Client, where: str, data: Any = None) -> str:
    """The page as sent."""
    return client.get(where, data).content.decode()


def say(client: Client, student: Student, **sent: Any) -> str:
    """The page after a button."""
    return client.post(address(student), sent, follow=True).content.decode()


def test_family_page_tells_the_fields_compared_and_those_that_are_not(registrar: Client) -> None:
    ana, luis = siblings("Ana", "Luis", residence_line1="1 Elm St")
    integration = IntegrationFactory.create(name="Main SIS", family_identifier=["household_home_address"])
    change_of(ana, run=SyncRunFactory.create(integration=integration), schools=["101"], fields={"family": [None, "k"]})
    Student.objects.filter(pk=luis.pk).update(home_phone="5595550199")
    page = text(registrar, f"/admin/students/family/{ana.family_id}/change/")
    assert "1 Elm St" in page
    assert "Main SIS" in page
    assert "Nothing by a person: imports decide." in page
    assert "Head of Household Home Phone</dt><dd>differs: (559) 555-0142 / (559) 555-0199" in page
    assert "Head of Household Last Name</dt><dd>counts as blank: (blank)" in page
    assert f'href="{address(ana)}">take out or join' in page


def test_child_is_taken_out_with_a_reason_and_the_page_tells_the_decision(registrar: Client) -> None:
    ana, _ = siblings("Ana", "Luis")
    assert "Say why." in say(registrar, ana, what="split", reason=" ")
    page = say(registrar, ana, what="split", reason="Lives with the father")
    assert "Lives with the father (registrar" in page
    assert "In no family" in page
    assert "No family, as decided: Lives with the father" in text(
        registrar, f"/admin/students/student/{ana.pk}/change/"
    )


def test_another_child_is_found_and_joined(registrar: Client) -> None:
    ana, luis = siblings("Ana", "Luis")
    (eva,) = siblings("Eva")
    found = text(registrar, address(ana), {"q": "ruiz"})
    assert f'value="{eva.pk}"' in found
    assert f'value="{luis.pk}"' not in found
    assert "Choose the child to join with." in say(registrar, ana, what="join", reason="x")
    page = say(registrar, ana, what="join", other=eva.pk, whole="yes", reason="One household")
    assert "One family now:" in page
    assert len(set(Student.objects.values_list("family", flat=True))) == 1
    assert "Ana Ruiz stays here: One household (registrar" in text(
        registrar, f"/admin/students/family/{eva.family_id}/change/"
    )


@pytest.mark.parametrize(("what", "left"), [("lift", 1), ("lift_all", 0)])
def test_decision_is_lifted_for_one_or_for_all(registrar: Client, what: str, left: int) -> None:
    ana, _ = siblings("Ana", "Luis")
    for student in Student.objects.all():
        FieldLock.objects.create(student=student, field="family", reason="x")
    assert "Lifted." in say(registrar, ana, what=what)
    assert FieldLock.objects.count() == left


def test_nothing_is_decided_on_get_or_by_a_button_that_is_none(registrar: Client) -> None:
    ana, _ = siblings("Ana", "Luis")
    text(registrar, address(ana), {"what": "split", "reason": "x"})
    assert registrar.post(address(ana), {"what": "x", "reason": "x"}).status_code == 404
    assert not FieldLock.objects.exists()


def test_person_who_may_only_look_cannot_decide(looker: Client) -> None:
    ana, _ = siblings("Ana", "Luis")
    assert looker.get(address(ana)).status_code == 403
    assert looker.post(address(ana), {"what": "split", "reason": "x"}).status_code == 403
    assert "take out or join" not in text(looker, f"/admin/students/family/{ana.family_id}/change/")


def test_person_limited_to_a_school_decides_only_on_what_they_see(sign_in: SignIn) -> None:
    ana, luis = siblings("Ana", "Luis")
    (eva,) = siblings("Eva", school="102")
    here = sign_in("Sync Service Full Access", schools=("101",))
    assert here.get(address(eva)).status_code == 404
    assert "Nobody fits" in text(here, address(ana), {"q": "Eva"})
    assert "Choose the child" in say(here, ana, what="join", other=eva.pk, reason="x")
    hidden = enrolled(SchoolFactory.create(code="102"), first_name="Hid", last_name="Den", family=ana.family)
    (mia,) = siblings("Mia")
    page = say(here, ana, what="join", other=mia.pk, whole="yes", reason="x")
    assert "children at schools you may not see" in page
    assert "Den" not in text(here, address(ana))
    EnrollmentFactory.create(student=hidden, school=SchoolFactory.create(code="101"), primary=False)
    assert "One family now" in say(here, ana, what="join", other=mia.pk, whole="yes", reason="x")
    assert Student.objects.get(pk=luis.pk).family == mia.family


def test_join_is_offered_to_a_child_without_a_family(registrar: Client) -> None:
    ana, _ = siblings("Ana", "Luis")
    split_student(student=ana, reason="x")
    page = text(registrar, f"/admin/students/student/{ana.pk}/change/")
    assert f'href="{address(ana)}">join' in page
