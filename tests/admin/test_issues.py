"""Issues on screen: whose, what, and the link that mends it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from tests.factories.integrations import (
    ExternalIdentityFactory,
    RecordIssueFactory,
)
from tests.factories.mapping import mapping_of
from tests.factories.runs import a_run, a_school
from tests.factories.students import enrolled

RUNS = "/admin/integrations/syncrun/"
CHANGES = "/admin/integrations/change/"
ISSUES = "/admin/integrations/recordissue/"
pytestmark = pytest.mark.django_db


def test_issue_links_to_the_page_that_mends_it(registrar: Client) -> None:
    school = a_school()
    run = a_run(school)
    gender = mapping_of("gender", {"F": "F"})
    run.integration.gender = gender
    run.integration.save()
    student = enrolled(school)
    ExternalIdentityFactory.create(integration=run.integration, external_id="900001", student=student)
    issue = RecordIssueFactory.create(run=run, external_id="900001", schools=["101"])

    listed = registrar.get(ISSUES).content.decode()
    page = registrar.get(f"{ISSUES}{issue.pk}/change/")

    links = dict(page.context["links"])
    assert links == {
        "Gender mapping": f"/admin/mapping/dataentitymapping/{gender.pk}/change/",
        "Student": f"/admin/students/student/{student.pk}/change/",
    }
    assert all(link in listed for link in links.values())


def _listed(client: Client, query: str = "") -> list[str]:
    return [issue.external_id for issue in client.get(f"{ISSUES}?{query}").context["cl"].result_list]


def test_issues_are_those_of_the_latest_run_of_each_integration(registrar: Client) -> None:
    school = a_school()
    old = a_run(school)
    new = a_run(school, integration=old.integration, status="held")
    scoped = a_run(school, integration=old.integration, scope_schools=["101"])
    failed = a_run(school, integration=old.integration, status="failed")
    other = a_run(school)
    for run, external_id in ((old, "old"), (new, "new"), (scoped, "few"), (failed, "none"), (other, "other")):
        RecordIssueFactory.create(run=run, external_id=external_id, schools=["101"])

    assert sorted(_listed(registrar)) == ["new", "other"]
    assert sorted(_listed(registrar, "runs=all")) == ["few", "new", "none", "old", "other"]
    assert _listed(registrar, f"run__id__exact={old.pk}") == ["old"]


def test_issue_names_the_run_its_date_the_student_and_the_school(registrar: Client) -> None:
    school = a_school()
    run = a_run(school, started=dt.datetime(2026, 11, 3, 20, tzinfo=dt.UTC))
    student = enrolled(school, first_name="Ana", last_name="Ruiz")
    ExternalIdentityFactory.create(integration=run.integration, external_id="41", student=student)
    RecordIssueFactory.create(run=run, external_id="41", schools=["101"])

    page = registrar.get(ISSUES).content.decode()

    row = page.partition("<tbody")[2]
    for told in (f"Run {run.pk}<", "Nov 3, 2026", run.integration.name, "Ruiz, Ana", "SIS ID 41", "Lincoln Elementary"):
        assert told in row
    assert f'href="/admin/students/student/{student.pk}/change/"' in row
    assert "Unmapped code" in row
    assert "Add “Q” to the Gender mapping" in row


def test_student_of_another_school_is_not_named_to_a_limited_person(sign_in: Any) -> None:
    here, there = a_school(), a_school("102", "Washington High")
    run = a_run(here, there)
    student = enrolled(there, first_name="Ana", last_name="Ruiz")
    ExternalIdentityFactory.create(integration=run.integration, external_id="41", student=student)
    RecordIssueFactory.create(run=run, external_id="41", schools=["101"])

    page = sign_in("Sync Service Full Access", schools=("101",)).get(ISSUES).content.decode()

    assert "SIS ID 41" in page
    assert "Ruiz" not in page
