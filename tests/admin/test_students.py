"""Students on screen: the list, edits that are made known, locks, ownership, families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from students.models import Family, FieldLock, FieldOwnership, Student, StudentAllergy, StudentContact
from students.signals import student_edited
from tests.factories.integrations import (
    ExternalIdentityFactory,
    IntegrationFactory,
    SyncRunFactory,
    change_of,
)
from tests.factories.students import (
    ContactFactory,
    EnrollmentFactory,
    FamilyFactory,
    FieldLockFactory,
    FieldOwnershipFactory,
    SchoolFactory,
    StudentContactFactory,
    StudentFactory,
    enrolled,
)

LIST = "/admin/students/student/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def edited() -> Iterator[list[dict[str, Any]]]:
    """What was told of edits."""
    told: list[dict[str, Any]] = []

    def listen(student_ids: list[int], user: Any, **_kwargs: Any) -> None:
        told.append({"students": student_ids, "user": str(user)})

    student_edited.connect(listen)
    yield told
    student_edited.disconnect(listen)


def _form_of(client: Client, page: str) -> dict[str, Any]:
    """What the browser would send if nothing were touched."""
    response = client.get(page)
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    sent: dict[str, Any] = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is not None and value is not False:
                sent[bound.html_name] = value
    return sent


def test_person_edits_a_student_and_it_is_told_and_kept_in_history(
    registrar: Client, edited: list[dict[str, Any]]
) -> None:
    student = enrolled(SchoolFactory.create(), races=["white", "asian"])
    page = f"{LIST}{student.pk}/change/"

    response = registrar.post(page, _form_of(registrar, page) | {"home_phone": "559-555-0199"})

    assert response.status_code == 302
    stored = Student.objects.get(pk=student.pk)
    assert (stored.home_phone, stored.races) == ("559-555-0199", ["white", "asian"])
    assert {tuple(told["students"]) for told in edited} == {(student.pk,)}
    assert edited[0]["user"] == "registrar"
    assert str(stored.history.first().history_user) == "registrar"


def test_saving_without_an_edit_tells_nothing(registrar: Client, edited: list[dict[str, Any]]) -> None:
    student = enrolled(SchoolFactory.create())
    page = f"{LIST}{student.pk}/change/"

    response = registrar.post(page, _form_of(registrar, page))

    assert response.status_code == 302
    assert edited == []


def test_field_is_locked_with_a_reason(registrar: Client, edited: list[dict[str, Any]]) -> None:
    student = StudentFactory.create()
    page = f"{LIST}{student.pk}/change/"
    lock = {"locks-TOTAL_FORMS": 1, "locks-0-student": student.pk, "locks-0-field": "last_name"}

    registrar.post(page, _form_of(registrar, page) | lock | {"locks-0-reason": "Court order"})

    stored = FieldLock.objects.get()
    assert (stored.field, stored.reason, str(stored.user)) == ("last_name", "Court order", "registrar")
    assert edited[0]["students"] == [student.pk]


def test_lock_without_a_reason_is_refused(registrar: Client) -> None:
    student = StudentFactory.create()
    page = f"{LIST}{student.pk}/change/"
    lock = {"locks-TOTAL_FORMS": 1, "locks-0-student": student.pk, "locks-0-field": "last_name"}

    response = registrar.post(page, _form_of(registrar, page) | lock)

    assert response.status_code == 200
    assert not FieldLock.objects.exists()


def test_edit_of_a_contact_is_told_for_every_student(registrar: Client, edited: list[dict[str, Any]]) -> None:
    contact = ContactFactory.create()
    links = [StudentContactFactory.create(contact=contact) for _ in range(2)]
    page = f"/admin/students/contact/{contact.pk}/change/"

    registrar.post(page, _form_of(registrar, page) | {"mobile_phone": "559-555-0100"})

    assert edited[0]["students"] == sorted(link.student_id for link in links)


def test_removed_contact_is_told(registrar: Client, edited: list[dict[str, Any]]) -> None:
    link = StudentContactFactory.create()
    page = f"{LIST}{link.student_id}/change/"

    registrar.post(page, _form_of(registrar, page) | {"contact_links-0-DELETE": "on"})

    assert not StudentContact.objects.exists()
    assert edited[0]["students"] == [link.student_id]


@pytest.mark.parametrize("term", ["Ramirez", "Ana Ramirez", "40017", "SSID77"])
def test_search_finds_by_name_and_ids(registrar: Client, term: str) -> None:
    StudentFactory.create(first_name="Leo", last_name="Nguyen")
    wanted = StudentFactory.create(first_name="Ana", last_name="Ramirez", local_id="40017", state_id="SSID77")

    assert list(registrar.get(f"{LIST}?q={term}").context["cl"].result_list) == [wanted]


def test_list_filters_by_school_status_and_grade(registrar: Client) -> None:
    here, there = SchoolFactory.create(), SchoolFactory.create()
    one = enrolled(here, grade_level="3")
    two = enrolled(there, grade_level="4", status="former")

    def found(query: str) -> list[Student]:
        return list(registrar.get(f"{LIST}?{query}").context["cl"].result_list)

    assert found(f"school={here.pk}") == [one]
    assert found("status__exact=former") == [two]
    assert found("grade_level__exact=4") == [two]


def test_list_asks_the_same_number_of_questions_however_many_students(registrar: Client) -> None:
    school = SchoolFactory.create()
    enrolled(school)
    before = _count(registrar)
    for _ in range(10):
        enrolled(school)

    assert _count(registrar) == before


def _count(client: Client) -> int:
    with CaptureQueriesContext(connection) as asked:
        client.get(LIST)
    return len(asked)


def test_page_shows_family_ids_and_what_imports_did(registrar: Client) -> None:
    family = FamilyFactory.create()
    student, sister = (StudentFactory.create(family=family, first_name=name) for name in ("Ana", "Mia"))
    run = SyncRunFactory.create(integration=IntegrationFactory.create(name="County SIS"))
    ExternalIdentityFactory.create(integration=run.integration, external_id="900017", student=student)
    change_of(student, run=run, schools=[], fields={"gender": ["F", "X"]})

    page = registrar.get(f"{LIST}{student.pk}/change/").content.decode()

    assert f"{LIST}{sister.pk}/change/" in page
    assert "900017" in page
    assert "County SIS" in page
    assert "Nonbinary or another gender" in page


def test_family_page_lists_its_members(registrar: Client) -> None:
    family = FamilyFactory.create()
    student = StudentFactory.create(family=family)

    page = registrar.get(f"/admin/students/family/{family.pk}/change/").content.decode()

    assert f"{LIST}{student.pk}/change/" in page


def test_families_are_listed_by_name_and_those_with_one_child_only_when_asked_for(registrar: Client) -> None:
    zamora, avila, alone = FamilyFactory.create_batch(3)
    for family, name in ((zamora, "Zamora"), (zamora, "Zamora"), (avila, "Avila"), (avila, "Quinn"), (alone, "Abbas")):
        StudentFactory.create(family=family, last_name=name)

    def found(query: str) -> list[Family]:
        return list(registrar.get(f"/admin/students/family/{query}").context["cl"].result_list)

    assert found("") == [avila, zamora]
    assert found("?children=one") == [alone]
    assert found("?children=any") == [alone, avila, zamora]
    assert found("?q=Abbas") == [alone]


def test_family_says_who_they_are_what_they_share_and_who_put_them_together(registrar: Client) -> None:
    family = FamilyFactory.create(key="c0ffee" * 5)
    run = SyncRunFactory.create(
        integration=IntegrationFactory.create(
            name="County SIS", family_identifier=["household_home_address", "head_of_household_last_name"]
        )
    )
    for name, day in (("Ana", "2012-05-06"), ("Luis", "2010-01-02")):
        child = StudentFactory.create(
            family=family, first_name=name, last_name="Ruiz", birth_date=day, residence_line1="12 Elm St",
            residence_city="Clovis", residence_state="CA", residence_postal_code="93611",
        )  # fmt: skip
        mother = ContactFactory.create(last_name="Ortega")
        StudentContactFactory.create(student=child, contact=mother, order=2, lives_with=True)
        StudentContactFactory.create(student=child, contact=ContactFactory.create(last_name="Berg"), order=1)
        change_of(child, run=run, schools=[], kind="create", fields={}, status="applied")

    response = registrar.get(f"/admin/students/family/{family.pk}/change/")
    page = response.content.decode()

    assert response.context["subtitle"] == "Ruiz family: Luis, Ana (2 children)"
    assert "<dt>Head of Household Last Name</dt><dd>Ortega</dd>" in page
    assert "<dt>Household Home Address</dt><dd>12 Elm St, Clovis, CA 93611</dd>" in page
    assert f'County SIS, <a class="console-link" href="/admin/integrations/syncrun/{run.pk}/change/">' in page
    assert "c0ffee" not in page


def test_phone_is_shown_as_people_write_it_and_stays_as_it_is_stored(registrar: Client) -> None:
    student = StudentFactory.create(home_phone="5595550142")
    page = f"{LIST}{student.pk}/change/"

    sent = _form_of(registrar, page)
    registrar.post(page, sent | {"first_name": "Eva"})

    assert sent["home_phone"] == "(559) 555-0142"
    stored = Student.objects.get(pk=student.pk)
    assert (stored.first_name, stored.home_phone) == ("Eva", "5595550142")


def test_contacts_without_a_name_come_last_and_are_explained(registrar: Client) -> None:
    nobody = ContactFactory.create(first_name="", last_name="")
    somebody = ContactFactory.create(first_name="Zoe", last_name="Zamora", mobile_phone="5595550199")
    student = StudentFactory.create()
    StudentContactFactory.create(student=student, contact=nobody, order=1)
    StudentContactFactory.create(student=student, contact=somebody, order=2)

    listed = registrar.get("/admin/students/contact/")
    inline = registrar.get(f"{LIST}{student.pk}/change/").content.decode()

    assert list(listed.context["cl"].result_list) == [somebody, nobody]
    assert "The SIS sent this contact without a name" in listed.content.decode()
    assert inline.index("(559) 555-0199 mobile") < inline.index("The SIS sent this contact without a name")


def test_field_says_who_owns_it_and_that_it_is_locked(registrar: Client) -> None:
    student = StudentFactory.create()
    integration = IntegrationFactory.create(name="County SIS")
    ExternalIdentityFactory.create(integration=integration, external_id="17", student=student)
    FieldOwnershipFactory.create(field="gender", owner=integration.owner_key)
    FieldOwnershipFactory.create(field="races", owner="console")
    FieldLockFactory.create(student=student, field="last_name", reason="Court order")
    FieldLockFactory.create(student=student, field="contacts", reason="Safety plan")

    page = registrar.get(f"{LIST}{student.pk}/change/").content.decode()
    other = registrar.get(f"{LIST}{StudentFactory.create().pk}/change/").content.decode()

    assert "County SIS supplies this student" in page
    assert "Owned by County SIS; edits are overwritten at its next import." in page
    assert "Owned by this console; no import changes it." in page
    assert "Locked: Court order. No import changes it." in page
    assert "Locked: Safety plan. No import changes it." in page
    assert "Court order" not in other
    assert "supplies this student" not in other


def test_allergies_stand_on_the_page_and_a_person_may_add_one(
    registrar: Client, looker: Client, edited: list[dict[str, Any]]
) -> None:
    student = enrolled(SchoolFactory.create())
    StudentAllergy.objects.create(student=student, note="dragon fruit")
    FieldLockFactory.create(student=student, field="allergies", reason="Seen by the nurse")
    page = f"{LIST}{student.pk}/change/"
    looked = looker.get(page).content.decode()
    sent = _form_of(registrar, page) | {"allergies-TOTAL_FORMS": "2"}

    empty = registrar.post(page, sent | {"allergies-1-allergy": "", "allergies-1-note": " "})
    registrar.post(page, sent | {"allergies-1-allergy": "latex", "allergies-1-note": ""})

    assert "dragon fruit" in looked
    assert "Locked: Seen by the nurse. No import changes it." in registrar.get(page).content.decode()
    assert empty.status_code == 302
    assert sorted(student.allergies.values_list("allergy", "note")) == [("", "dragon fruit"), ("latex", "")]
    assert edited[-1]["students"] == [student.pk]


def test_an_allergy_that_says_nothing_any_more_is_refused(registrar: Client) -> None:
    student = enrolled(SchoolFactory.create())
    StudentAllergy.objects.create(student=student, note="dragon fruit")
    page = f"{LIST}{student.pk}/change/"

    refused = registrar.post(page, _form_of(registrar, page) | {"allergies-0-note": ""})

    assert "Choose an allergy or write a note." in refused.content.decode()
    assert list(student.allergies.values_list("note", flat=True)) == ["dragon fruit"]


def test_enrollments_are_told_in_words(registrar: Client, looker: Client) -> None:
    student = enrolled(SchoolFactory.create())
    EnrollmentFactory.create(student=student, primary=False, left="2026-09-01", exit_reason="E155")
    ended = student.enrollments.exclude(left=None).get()

    page = registrar.get("/admin/students/enrollment/").content.decode()
    looked = looker.get(f"/admin/students/enrollment/{ended.pk}/change/").content.decode()

    assert all(word in page for word in (">Primary<", ">Alternate<", "still enrolled", "Sep 1, 2026"))
    assert "exit code E155 of the SIS" in looked


def test_ownership_is_chosen_by_label_and_stored_by_key(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="County SIS")
    page = "/admin/students/fieldownership/add/"

    shown = registrar.get(page).content.decode()
    registrar.post(page, {"which": "contact.work_phone", "owner": integration.owner_key, "when_blank": "clear"})
    listed = registrar.get("/admin/students/fieldownership/").content.decode()

    stored = FieldOwnership.objects.get()
    assert (stored.entity, stored.field, stored.owner) == ("contact", "work_phone", integration.owner_key)
    assert "This console" in shown
    assert ">County SIS</option>" in shown
    assert ">Work phone<" in shown
    assert "County SIS" in listed


def test_second_row_for_a_field_is_refused(registrar: Client) -> None:
    FieldOwnership.objects.create(entity="student", field="gender")

    response = registrar.post(
        "/admin/students/fieldownership/add/", {"which": "student.gender", "owner": "", "when_blank": "keep"}
    )

    assert "This field has a row already" in response.content.decode()


def test_those_who_only_look_read_labels(looker: Client) -> None:
    student = StudentFactory.create(races=["white", "two_or_more"], gender="X")

    page = looker.get(f"{LIST}{student.pk}/change/").content.decode()

    assert "White, Two or more races" in page
    assert "two_or_more" not in page


def test_history_tells_labels(registrar: Client) -> None:
    student = StudentFactory.create(gender="F", races=[])
    student.gender, student.races = "X", ["two_or_more"]
    student.save()

    page = registrar.get(f"{LIST}{student.pk}/history/").content.decode()

    assert "Nonbinary or another gender" in page
    assert "Two or more races" in page
    assert "two_or_more" not in page
