"""The first page: what needs a person now, and how fresh each integration is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from integrations.models import ScheduledJob, SyncRun
from tests.factories.integrations import IntegrationFactory
from tests.factories.runs import a_run, a_school

pytestmark = pytest.mark.django_db
DASHBOARD = "/admin/"


def _row(client: Client) -> dict[str, Any]:
    (row,) = client.get(DASHBOARD).context["integrations"]
    found: dict[str, Any] = row
    return found


def test_paused_integration_says_why_and_is_resumed_there(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="County SIS", schedule_paused="Run 3 was undone by run 4.")

    page = registrar.get(DASHBOARD).content.decode()
    resume = f"/admin/integrations/integration/{integration.pk}/resume/"
    registrar.post(resume)
    after = registrar.get(DASHBOARD).content.decode()

    needs = page.partition("Needs a person now")[2].partition("</section>")[0]
    assert "County SIS</a> is paused. Run 3 was undone by run 4." in needs
    assert f'<form method="post" action="{resume}">' in needs
    assert "County SIS</a> is paused" not in after


def test_pause_of_other_schools_is_not_shown_to_a_limited_person(sign_in: Any) -> None:
    for run in (a_run(a_school()), a_run(a_school("102", "Washington High"))):
        run.integration.schedule_paused = f"Because of {run.integration.name}."
        run.integration.save()

    page = sign_in("Sync Service Full Access", schools=("101",)).get(DASHBOARD)

    first = SyncRun.objects.order_by("pk")[0].integration
    assert [pause.integration for pause in page.context["pauses"]] == [first]
    assert [row["integration"] for row in page.context["integrations"]] == [first]


@pytest.mark.parametrize("status", ["undone", "partial", "discarded", "planned"])
def test_last_complete_import_is_one_that_was_read_whole_and_still_stands(registrar: Client, status: str) -> None:
    school = a_school()
    whole = a_run(school, finished=timezone.now() - dt.timedelta(days=3))
    a_run(school, integration=whole.integration, status=status)
    a_run(school, integration=whole.integration, kind="undo")
    a_run(school, integration=whole.integration, scope_schools=["101"])

    assert (_row(registrar)["fresh"], _row(registrar)["done"]) == ("3 days ago", whole.finished)


def test_next_scheduled_is_told_where_there_is_a_schedule(registrar: Client) -> None:
    run = a_run(a_school())
    before = registrar.get(DASHBOARD).content
    job = ScheduledJob.objects.create(
        name="Nightly", integration=run.integration, frequency="day", hour=2, minute=0, run_as=User.objects.get()
    )

    row = _row(registrar)
    page = registrar.get(DASHBOARD).content

    assert b"Next scheduled" not in before
    assert b"Next scheduled" in page
    assert row["next"] == job.next_run


def test_number_of_failed_runs_leads_to_exactly_these(registrar: Client) -> None:
    school = a_school()
    a_run(school, status="failed")
    mended = a_run(school, status="failed")
    a_run(school, integration=mended.integration)

    task = next(task for task in registrar.get(DASHBOARD).context["tasks"] if task.what.startswith("failed"))

    assert registrar.get(task.link).context["cl"].result_count == task.number == 1
