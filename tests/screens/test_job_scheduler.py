"""The Job Scheduler on screen: its list, its form, run now, and pauses."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from integrations.models import ScheduledJob, SchedulePause, SyncRun
from tests.factories.integrations import IntegrationFactory, SyncRunFactory
from tests.factories.mapping import mapping_of
from tests.factories.people import looker, registrar, sign_in
from tests.factories.students import SchoolFactory

__all__ = ["looker", "registrar", "sign_in"]
pytestmark = pytest.mark.django_db
JOBS = "/admin/integrations/scheduledjob/"


def a_job(**values: Any) -> ScheduledJob:
    """Every day at 02:30."""
    if "integration" not in values:
        SchoolFactory.create(code="101")
        values["integration"] = IntegrationFactory.create(
            name="Main SIS", building=mapping_of("building", {"9": "101"})
        )
    run_as = User.objects.get_or_create(username="night", is_staff=True)[0]
    defaults = {"name": "Nightly", "frequency": "day", "hour": 2, "minute": 30, "run_as": run_as}
    return ScheduledJob.objects.create(**{**defaults, **values})


def the_form(**values: Any) -> dict[str, Any]:
    """What the form of a new schedule sends."""
    integration = IntegrationFactory.create()
    run_as = User.objects.get_or_create(username="night", is_staff=True)[0]
    sent = {"name": "Weekly", "integration": integration.pk, "frequency": "week", "weekday": "4", "hour": "3",
            "minute": "0", "day": "", "month": "", "run_as": run_as.pk}  # fmt: skip
    return {**sent, **values}


def text(client: Client, address: str = JOBS) -> str:
    """The page as sent."""
    return client.get(address).content.decode()


def test_list_tells_who_what_when_last_and_next(registrar: Client) -> None:
    job = a_job()
    run = SyncRunFactory.create(integration=job.integration)
    ScheduledJob.objects.update(last_due=timezone.now(), last_run=run)

    page = text(registrar)

    for told in ("Run as User", "Last Run Date", "Next Run Date", "night", "Nightly", "Every day at 02:30", "02:30"):
        assert told in page
    assert f"/admin/integrations/syncrun/{run.pk}/change/" in page
    assert "Times are Pacific time" in page


def test_missed_run_and_pause_stand_in_the_list(registrar: Client) -> None:
    a_job(name="Hourly", frequency="hour", hour=None)
    ScheduledJob.objects.update(last_due=timezone.now(), missed=True, last_outcome="Not started: run 3 was still open.")
    today = timezone.localdate()
    SchedulePause.objects.create(reason="Rollover", starts=today, ends=today + dt.timedelta(days=2))

    page = text(registrar)

    assert "Not started: run 3 was still open." in page
    assert "paused until" in page


def test_inactive_ones_show_when_asked_for(registrar: Client) -> None:
    a_job(active=False)

    assert "Nightly" not in text(registrar)
    assert "Nightly" in text(registrar, f"{JOBS}?inactive=yes")


def test_new_schedule_is_due_at_its_next_time(registrar: Client) -> None:
    answer = registrar.post(f"{JOBS}add/", the_form())

    assert answer.status_code == 302
    job = ScheduledJob.objects.get()
    assert (job.in_words, job.active) == ("Every Friday at 03:00", True)
    assert timezone.localtime(job.next_run).weekday() == 4
    assert "Add New Schedule" in text(registrar)


def test_schedule_that_does_not_say_when_is_refused_by_name(registrar: Client) -> None:
    answer = registrar.post(f"{JOBS}add/", the_form(weekday=""))

    assert "Day is required." in answer.content.decode()
    assert not ScheduledJob.objects.exists()


def test_run_now_starts_an_import_with_the_rights_of_the_person(looker: Client) -> None:
    job = a_job()

    assert looker.get(f"{JOBS}{job.pk}/run/").status_code == 405
    answer = looker.post(f"{JOBS}{job.pk}/run/")
    second = looker.post(f"{JOBS}{job.pk}/run/")

    run = SyncRun.objects.get()
    assert answer["Location"] == second["Location"] == f"/admin/integrations/syncrun/{run.pk}/change/"
    assert (run.trigger, run.requested_by) == ("person", User.objects.get(username="looker"))


def test_schedules_are_looked_at_but_not_changed_with_limited_access(looker: Client) -> None:
    job = a_job()

    assert looker.get(JOBS).status_code == 200
    assert looker.get(f"{JOBS}add/").status_code == 403
    looker.post(f"{JOBS}{job.pk}/change/", the_form(name="Mine"))
    assert ScheduledJob.objects.get().name == "Nightly"


def test_pause_must_not_end_before_it_starts(registrar: Client) -> None:
    sent = {"reason": "Rollover", "integration": "", "starts": "2027-07-10", "ends": "2027-07-01"}

    answer = registrar.post("/admin/integrations/schedulepause/add/", sent)

    assert "The last day must not be before the first day." in answer.content.decode()
    assert not SchedulePause.objects.exists()
