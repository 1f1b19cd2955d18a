"""Undo on screen: what it says before, and what it starts."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import SyncRun
from tests.factories.integrations import (
    IntegrationFactory,
    KeepEnrolledFactory,
    change_of,
)
from tests.factories.runs import DROPPED, a_run, a_school
from tests.factories.students import enrolled

RUNS = "/admin/integrations/syncrun/"
CHANGES = "/admin/integrations/change/"
ISSUES = "/admin/integrations/recordissue/"
pytestmark = pytest.mark.django_db


def test_undo_asks_first_and_says_what_it_does(approver: Client) -> None:
    school = a_school()
    run = a_run(school)
    change_of(enrolled(school), run=run, schools=["101"])

    page = approver.get(f"{RUNS}{run.pk}/undo/").content.decode()

    assert "1 student will get back what was there before this run" in page
    assert "is paused: no import of it starts by itself" in page
    assert SyncRun.objects.count() == 1


def test_undo_says_by_name_what_becomes_of_each(approver: Client) -> None:
    school = a_school()
    run = a_run(school)

    def changed(name: str, kind: str, **values: Any) -> Any:
        student = enrolled(school, first_name="Ana", last_name=name)
        change_of(student, run=run, schools=["101"], kind=kind, applied_at=timezone.now(), **values)
        return student

    changed("Delgado", "create", fields={})
    changed("Byrne", "drop", fields=DROPPED)
    refers = changed("Chu", "create", fields={})
    KeepEnrolledFactory.create(integration=run.integration, student=refers, school=school)
    later = changed("Abbas", "update", fields={"home_phone": ["", "5305550101"], "email": ["", "a@example.org"]})
    change_of(later, run=a_run(school, integration=run.integration), schools=["101"], applied_at=timezone.now(),
              fields={"email": ["a@example.org", "b@example.org"]})  # fmt: skip

    page = approver.get(f"{RUNS}{run.pk}/undo/")

    told = [(one.change.student.last_name, one.what) for one in page.context["listed"]]
    assert told == [
        ("Abbas", "Given back what was there before"),
        ("Byrne", "Enrolled again"),
        ("Chu", "Kept, because something later refers to the student; the enrollment ends"),
        ("Delgado", "Deleted: nothing refers to the student since"),
    ]
    lines = [(line.label, line.before, line.after, line.why) for line in page.context["listed"][0].lines]
    assert ("Home phone", "(530) 555-0101", "(blank)", "") in lines
    assert [line[0] for line in lines if line[3]] == ["Email"]
    assert f'href="/admin/students/student/{refers.pk}/change/"' in page.content.decode()
    assert "SIS" in page.content.decode()
    assert "says the sis" not in page.content.decode()


def test_undo_lists_everybody_in_pages(approver: Client) -> None:
    school = a_school()
    run = a_run(school)
    for _ in range(51):
        change_of(enrolled(school), run=run, schools=["101"])

    listed = [len(approver.get(f"{RUNS}{run.pk}/undo/?page={number}").context["listed"]) for number in (1, 2)]

    assert listed == [50, 1]


@pytest.mark.parametrize(
    ("students", "typed", "started"), [(21, "", False), (21, "20", False), (21, "21", True), (20, "", True)]
)
def test_undo_that_deletes_many_asks_to_type_how_many(
    approver: Client, students: int, typed: str, started: bool
) -> None:
    school = a_school()
    run = a_run(school)
    for _ in range(students):
        change_of(enrolled(school), run=run, schools=["101"], kind="create", fields={})

    approver.post(f"{RUNS}{run.pk}/undo/", {"typed": typed})

    assert SyncRun.objects.filter(undoes=run).exists() is started


def test_run_page_of_an_undo_talks_of_an_undo(registrar: Client) -> None:
    school = a_school()
    run = a_run(school)
    counts = {"received": 2, "updated": 2}
    undo = a_run(school, integration=run.integration, kind="undo", undoes=run, status="fetching", counts={})
    reading = registrar.get(f"{RUNS}{undo.pk}/change/").content.decode()
    change_of(enrolled(school), run=undo, schools=["101"], kind="delete", fields={})
    change_of(enrolled(school), run=undo, schools=["101"], withheld={"email": [None, "a", "later"]})
    SyncRun.objects.filter(pk=undo.pk).update(status="complete_with_issues", counts=counts)

    page = registrar.get(f"{RUNS}{undo.pk}/change/")

    assert f"undo of run {run.pk}" in reading
    assert "schools read" not in reading
    assert "planning what is taken back" in reading
    numbers = {number.label: number for number in page.context["numbers"]}
    assert {label: number.value for label, number in numbers.items()} == {
        "Students taken back": 2, "Deleted": 1, "Later value kept": 1, "Contacts taken back": 0,
    }  # fmt: skip
    for number in numbers.values():
        if number.value:
            assert registrar.get(number.link).context["cl"].result_count == number.value
    assert f"2 students taken back to what was there before run {run.pk}" in page.content.decode()
    assert "Students read" not in page.content.decode()


def test_undo_takes_the_whole_run(approver: Client) -> None:
    school = a_school()
    run = a_run(school)
    change_of(enrolled(school), run=run, schools=["101"])

    approver.post(f"{RUNS}{run.pk}/undo/")

    undo = SyncRun.objects.exclude(pk=run.pk).get()
    assert (undo.kind, undo.undoes, undo.scope_students) == ("undo", run, [])


def test_undo_takes_the_ticked_students(approver: Client) -> None:
    school = a_school()
    run = a_run(school)
    wanted, _other = (change_of(enrolled(school), run=run, schools=["101"]) for _ in range(2))

    asked = approver.post(CHANGES, {"action": "undo_ticked", "_selected_action": [wanted.pk]})
    approver.post(f"{RUNS}{run.pk}/undo/", {"ticked": "yes", "student": asked.context["students"]})

    undo = SyncRun.objects.exclude(pk=run.pk).get()
    assert undo.scope_students == [wanted.external_id]


def test_undo_of_ticked_changes_of_two_runs_is_refused(approver: Client) -> None:
    school = a_school()
    ticked = [change_of(enrolled(school), run=a_run(school), schools=["101"]).pk for _ in range(2)]

    response = approver.post(CHANGES, {"action": "undo_ticked", "_selected_action": ticked}, follow=True)

    assert "Tick changes of one run only" in response.content.decode()


def test_resume_ends_the_pause_after_an_undo(registrar: Client) -> None:
    integration = IntegrationFactory.create(schedule_paused="Run 3 was undone by run 4.")
    page = f"/admin/integrations/integration/{integration.pk}/"

    shown = registrar.get(f"{page}change/").content.decode()
    registrar.post(f"{page}resume/")

    integration.refresh_from_db()
    assert "Run 3 was undone by run 4." in shown
    assert integration.schedule_paused == ""
