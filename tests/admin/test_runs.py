"""Runs on screen: the page of one, its numbers, its lists."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from integrations.inbound.verify import count
from integrations.models import Change, SyncRun
from tests.factories.integrations import (
    ChangeFactory,
    ExternalIdentityFactory,
    RecordIssueFactory,
    RunPageFactory,
    change_of,
)
from tests.factories.runs import a_run, a_school
from tests.factories.students import ContactFactory, enrolled

RUNS = "/admin/integrations/syncrun/"
CHANGES = "/admin/integrations/change/"
ISSUES = "/admin/integrations/recordissue/"
pytestmark = pytest.mark.django_db


def test_every_number_of_a_run_links_to_its_rows(registrar: Client) -> None:
    school = a_school()
    run = a_run(school, status="partial")
    sent = {"create": "1", "update": "2", "reopen": "3", "left": "4"}
    for kind, external_id in sent.items():
        change_of(enrolled(school), run=run, schools=["101"], kind=kind, external_id=external_id)
    change_of(enrolled(school), run=run, schools=["101"], kind="drop", external_id="gone")
    change_of(enrolled(school), run=run, schools=["101"], kind="drop", status="withheld", keep_reason="Homebound",
              external_id="kept")  # fmt: skip
    RecordIssueFactory.create(run=run, severity="error", external_id="5", schools=["101"])
    RecordIssueFactory.create(run=run, severity="error", external_id="5", schools=["101"])
    RunPageFactory.create(run=run, school="9101", external_ids="1\n2\n3\n4\n5\n6\n7", inactive_ids="7\n4")
    run.counts = count(run)
    run.save()
    page = registrar.get(f"{RUNS}{run.pk}/change/")

    linked = {number.label: number for number in page.context["numbers"] if number.link}

    assert {label: number.value for label, number in linked.items()} == {
        "Students read": 7, "New": 1, "Changed": 1, "Unchanged": 1, "Returned": 1, "Not imported": 1, "Inactive": 1,
        "Left, says the SIS": 1, "Dropped: not in file": 1, "Kept enrolled": 1,
    }  # fmt: skip
    for number in linked.values():
        rows = registrar.get(number.link).context
        assert (rows["shown"].paginator.count if "shown" in rows else rows["cl"].result_count) == number.value
    assert "7 students read = 1 new + 1 changed + 1 unchanged + 1 returned + 1 not imported + 1 inactive + 1 left" in (
        page.content.decode()
    )


def test_students_behind_a_number_are_told_by_name_with_what_they_came_to(registrar: Client) -> None:
    school = a_school()
    run = a_run(school)
    for name, external_id in (("Zapata", "1"), ("Acosta", "2")):
        student = enrolled(school, first_name="Ana", last_name=name)
        ExternalIdentityFactory.create(integration=run.integration, external_id=external_id, student=student)
    RecordIssueFactory.create(run=run, severity="error", external_id="1", schools=["101"], message="The grade is odd.")
    RunPageFactory.create(run=run, school="9101", external_ids="1\n2\n3")

    page = registrar.get(f"{RUNS}{run.pk}/students/?what=received")
    found = registrar.get(f"{RUNS}{run.pk}/students/?what=received&q=zap")

    told = [(str(row.student or ""), row.seen.external_id, row.seen.outcome) for row in page.context["rows"]]
    assert told == [("Acosta, Ana", "2", "Unchanged"), ("Zapata, Ana", "1", "Not imported"), ("", "3", "Unchanged")]
    assert "The grade is odd." in page.content.decode()
    assert [row.seen.external_id for row in found.context["rows"]] == ["1"]
    assert registrar.get(f"{RUNS}{run.pk}/students/?what=nothing").status_code == 404


def test_students_behind_a_number_are_those_of_the_persons_schools(sign_in: Any) -> None:
    run = a_run(a_school(), a_school("102", "Washington High"))
    RunPageFactory.create(run=run, school="9101", external_ids="1\n2")
    RunPageFactory.create(run=run, school="9102", external_ids="2\n3")
    client = sign_in("Sync Service Full Access", schools=("101",))

    rows = client.get(f"{RUNS}{run.pk}/students/").context["rows"]

    assert [(row.seen.external_id, row.schools) for row in rows] == [
        ("1", "Lincoln Elementary"),
        ("2", "Lincoln Elementary"),
    ]


def test_run_page_says_why_the_schools_come_to_more_than_the_students(registrar: Client) -> None:
    run = a_run(a_school(), a_school("102", "Washington High"))
    run.certificate = {"schools": {"9101": {"seen": 2, "pages": 1, "done": True, "problems": []}}}
    run.save()
    RunPageFactory.create(run=run, school="9101", external_ids="1\n2")
    RunPageFactory.create(run=run, school="9102", external_ids="2\n3")

    page = registrar.get(f"{RUNS}{run.pk}/change/").content.decode()

    assert "4 in all, which are 3 different students: 1 more because some are sent by more than one school." in page


def test_run_page_says_how_each_school_was_read(registrar: Client) -> None:
    run = a_run(a_school())
    run.certificate = {
        "schools": {
            "9101": {"seen": 512, "pages": 2, "done": True, "problems": []},
            "77": {"seen": 3, "pages": 1, "done": True, "problems": [["page_skipped", "Page 2 never came."]]},
        }
    }
    run.save()

    page = registrar.get(f"{RUNS}{run.pk}/change/").content.decode()

    assert "Lincoln Elementary" in page
    assert "Read whole: 512 students in 2 pages" in page
    assert "Not proven whole: 3 students in 1 page" in page
    assert "Page 2 never came." in page


def test_failed_run_shows_its_message(registrar: Client) -> None:
    run = a_run(a_school(), status="failed", error_message="The token was refused. Enter a new one.")

    assert b"The token was refused. Enter a new one." in registrar.get(f"{RUNS}{run.pk}/change/").content


def test_open_run_is_followed_until_it_ends(registrar: Client) -> None:
    run = a_run(a_school(), status="fetching", counts={}, finished=None)

    page = registrar.get(f"{RUNS}{run.pk}/change/").content.decode()
    part = registrar.get(f"{RUNS}{run.pk}/progress/").content.decode()
    SyncRun.objects.filter(pk=run.pk).update(status="complete")
    ended = registrar.get(f"{RUNS}{run.pk}/progress/")

    assert f'hx-get="{RUNS}{run.pk}/progress/"' in page
    assert "0 of 1 schools read" in part
    assert ended.headers["HX-Refresh"] == "true"


def test_change_is_told_in_words(registrar: Client) -> None:
    school = a_school()
    run = a_run(school)
    contact = ContactFactory.create(first_name="Maria", last_name="Ramirez")
    ExternalIdentityFactory.create(integration=run.integration, entity="contact", external_id="77", contact=contact)
    change = change_of(
        enrolled(school),
        run=run,
        schools=[school.code],
        fields={
            "gender": ["F", "X"],
            "birth_date": [None, "2017-03-04"],
            "races": [[], ["white", "asian"]],
            "contacts.77.order": [1, 2],
            "enrollments.101.2026-2027.1": [
                None,
                {"grade_level": "K", "entered": "2026-08-12", "primary": True},
            ],
        },
        withheld={"home_phone": ["555", "556", "locked"]},
    )

    page = registrar.get(f"{CHANGES}{change.pk}/change/")

    told = [(line.label, line.before, line.after, line.why) for line in page.context["lines"]]
    assert told == [
        ("Birth date", "(blank)", "Mar 4, 2017", ""),
        ("Gender", "Female", "Nonbinary or another gender", ""),
        ("Races", "(blank)", "White, Asian", ""),
        ("Contact Maria Ramirez: priority", "1", "2", ""),
        (
            "Enrollment at Lincoln Elementary, 2026-2027",
            "not enrolled",
            "Kindergarten, from Aug 12, 2026, primary",
            "",
        ),
        ("Home phone", "555", "556", "the field is locked"),
    ]


def test_changes_are_filtered_by_kind_status_and_school(registrar: Client) -> None:
    here, there = a_school("101"), a_school("102", "Washington High")
    run = a_run(here)
    one = change_of(enrolled(here), run=run, schools=["101"])
    two = change_of(enrolled(there), run=run, schools=["102"], kind="drop", status="planned")

    def found(query: str) -> list[Change]:
        return list(registrar.get(f"{CHANGES}?{query}").context["cl"].result_list)

    assert found("kind__exact=drop") == [two]
    assert found("status__exact=applied") == [one]
    assert found("school=102") == [two]


def test_run_that_was_cancelled_wrote_nothing(registrar: Client) -> None:
    run = a_run(a_school(), status="fetching", finished=None)
    ChangeFactory.create(run=run, status="planned")

    registrar.post(f"{RUNS}{run.pk}/cancel/")

    run.refresh_from_db()
    assert run.status == "cancelled"
