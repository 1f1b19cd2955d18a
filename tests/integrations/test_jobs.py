"""Scheduled imports: started once when due, with somebody's rights, and what keeps them from starting."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from integrations.clock import start_due_jobs
from integrations.groups import create_groups
from integrations.jobs import deal_with
from integrations.models import Integration, ScheduledJob, SchedulePause, SyncRun
from tests.factories.integrations import IntegrationFactory, SyncRunFactory
from tests.factories.mapping import mapping_of
from tests.factories.students import SchoolFactory, SchoolScopeFactory

pytestmark = pytest.mark.django_db
EVENING = dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC)  # 22 November, 18:00 in Los Angeles
NIGHT = EVENING + dt.timedelta(hours=8, minutes=30, seconds=3)  # three seconds after 02:30


@pytest.fixture(autouse=True)
def _at_night(settings: object) -> None:
    """Messages go nowhere: no worker is there to take them."""
    settings.CELERY_TASK_ALWAYS_EAGER = False  # type: ignore[attr-defined]  # the fixture of settings


@pytest.fixture
def integration() -> Integration:
    SchoolFactory.create(code="101")
    SchoolFactory.create(code="102")
    made: Integration = IntegrationFactory.create(building=mapping_of("building", {"9101": "101", "9102": "102"}))
    return made


def person(*schools: str, name: str = "night-registrar") -> User:
    """Somebody who may run imports, limited to the schools if any."""
    create_groups(apps)
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name="Sync Service Limited Access"))
    for code in schools:
        SchoolScopeFactory.create(user=user, school=SchoolFactory.create(code=code))
    return user


def nightly(integration: Integration, run_as: User | None = None) -> ScheduledJob:
    """Every day at 02:30, scheduled in the evening."""
    with time_machine.travel(EVENING, tick=False):
        return ScheduledJob.objects.create(
            name="Nightly", integration=integration, frequency="day", hour=2, minute=30, run_as=run_as or person()
        )


def tick(moment: dt.datetime = NIGHT) -> ScheduledJob:
    """What beat asks at a moment; the job afterwards."""
    with time_machine.travel(moment, tick=False):
        start_due_jobs()
    return ScheduledJob.objects.get()


def test_job_starts_once_when_due(integration: Integration) -> None:
    job = nightly(integration)

    before = tick(NIGHT - dt.timedelta(minutes=1))
    assert (before.last_due, SyncRun.objects.count()) == (None, 0)
    tick()
    after = tick()

    run = SyncRun.objects.get()
    assert (run.trigger, run.requested_by, run.scope_schools) == ("schedule", job.run_as, [])
    assert (after.last_run, after.missed, after.last_due) == (run, False, job.next_run)
    assert after.next_run == before.next_run + dt.timedelta(days=1)  # type: ignore[operator]  # active ones have one
    assert ScheduledJob.history.count() == 1


def test_job_starts_once_when_two_workers_saw_it_due(integration: Integration) -> None:
    job = nightly(integration)

    assert [deal_with(job.pk, NIGHT), deal_with(job.pk, NIGHT)] == [True, False]
    assert SyncRun.objects.count() == 1


def test_inactive_job_never_starts(integration: Integration) -> None:
    job = nightly(integration)
    job.active = False
    job.save()

    assert tick().next_run is None
    assert not SyncRun.objects.exists()


def test_job_made_active_again_is_due_from_then_on(integration: Integration) -> None:
    job = nightly(integration)
    job.active = False
    job.save()
    job.active = True
    with time_machine.travel(NIGHT + dt.timedelta(days=3), tick=False):
        job.save()
        start_due_jobs()

    assert not SyncRun.objects.exists()
    assert job.next_run == NIGHT.replace(second=0) + dt.timedelta(days=4)


def test_open_run_is_not_overlapped_and_the_miss_is_told(integration: Integration) -> None:
    nightly(integration)
    open_run = SyncRunFactory.create(integration=integration, status="fetching", finished=None)

    job = tick()

    assert (job.missed, job.last_outcome) == (True, f"Not started: run {open_run.pk} was still open.")
    assert SyncRun.objects.count() == 1


def test_job_that_was_due_while_nothing_ran_starts_late(integration: Integration) -> None:
    nightly(integration)

    assert tick(NIGHT + dt.timedelta(hours=5)).last_run is not None


def test_job_that_was_due_long_ago_is_missed(integration: Integration) -> None:
    nightly(integration)

    job = tick(NIGHT + dt.timedelta(hours=7))

    assert (job.missed, SyncRun.objects.count()) == (True, 0)
    assert "was not running" in job.last_outcome
    assert job.next_run == NIGHT.replace(second=0) + dt.timedelta(days=1)


def test_three_missed_days_are_one_start(integration: Integration) -> None:
    nightly(integration)

    tick(NIGHT + dt.timedelta(days=3))
    tick(NIGHT + dt.timedelta(days=3, minutes=1))
    job = tick(NIGHT + dt.timedelta(days=4))

    assert SyncRun.objects.count() == 1
    assert job.missed is False


@pytest.mark.parametrize("every", [True, False])
def test_pause_keeps_schedules_from_starting_and_is_told(integration: Integration, every: bool) -> None:
    nightly(integration)
    day = dt.date(2026, 11, 23)
    SchedulePause.objects.create(reason="Rollover", integration=None if every else integration, starts=day, ends=day)

    job = tick()

    assert (job.missed, SyncRun.objects.count()) == (False, 0)
    assert job.last_outcome == "Not started: schedules are paused until 23 Nov 2026 (Rollover)."
    assert tick(NIGHT + dt.timedelta(days=1)).last_run is not None


def test_pause_of_another_integration_changes_nothing(integration: Integration) -> None:
    nightly(integration)
    day = dt.date(2026, 11, 23)
    SchedulePause.objects.create(reason="Rollover", integration=IntegrationFactory.create(), starts=day, ends=day)

    assert tick().last_run is not None


def test_undo_pauses_the_schedule_until_it_is_resumed(integration: Integration) -> None:
    nightly(integration)
    Integration.objects.update(schedule_paused="Run 3 was undone by run 4.")

    assert tick().last_outcome == "Not started: Run 3 was undone by run 4."


def test_person_limited_to_a_school_imports_only_that(integration: Integration) -> None:
    nightly(integration, person("102"))

    tick()

    assert SyncRun.objects.get().scope_schools == ["102"]


@pytest.mark.parametrize("loss", ["inactive", "no permission", "other school"])
def test_job_does_not_start_when_its_person_may_not(integration: Integration, loss: str) -> None:
    user = person("999") if loss == "other school" else person()
    nightly(integration, user)
    if loss == "inactive":
        User.objects.update(is_active=False)
    elif loss == "no permission":
        user.groups.clear()

    job = tick()

    assert (job.missed, SyncRun.objects.count()) == (True, 0)
    assert "night-registrar" in job.last_outcome


def test_job_that_fails_is_missed_and_the_others_start(integration: Integration) -> None:
    user = person()
    with time_machine.travel(EVENING, tick=False):
        for name, one in (("First", IntegrationFactory.create()), ("Second", integration)):
            ScheduledJob.objects.create(name=name, integration=one, frequency="day", hour=2, minute=30, run_as=user)
    ScheduledJob.objects.filter(name="First").update(run_as=0)

    with time_machine.travel(NIGHT, tick=False):
        start_due_jobs()
    ScheduledJob.objects.update(run_as=user)

    first, second = ScheduledJob.objects.order_by("pk")
    assert (first.missed, first.last_run) == (True, None)
    assert "a fault of its own (DoesNotExist)" in first.last_outcome
    assert first.next_run == second.next_run
    assert second.last_run is not None


def test_job_of_an_unknown_frequency_keeps_no_other_from_starting(integration: Integration) -> None:
    nightly(integration)
    user = person(name="another")
    with time_machine.travel(EVENING - dt.timedelta(hours=1), tick=False):
        first = ScheduledJob.objects.create(
            name="First", integration=integration, frequency="day", hour=2, minute=0, run_as=user
        )
    ScheduledJob.objects.filter(pk=first.pk).update(frequency="gone")

    with time_machine.travel(NIGHT, tick=False):
        start_due_jobs()

    assert SyncRun.objects.get().requested_by is not None
    assert ScheduledJob.objects.get(name="Nightly").last_run is not None


def test_schedule_that_does_not_say_when_is_refused(integration: Integration) -> None:
    job = ScheduledJob(name="W", integration=integration, frequency="week", hour=2, minute=0, run_as=person())

    with pytest.raises(ValidationError, match="Day is required"):
        job.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduledJob.objects.bulk_create([job])


def test_parts_the_schedule_does_not_need_are_emptied(integration: Integration) -> None:
    job = ScheduledJob(
        name="H",
        integration=integration,
        frequency="hour",
        minute=5,
        hour=3,
        weekday=1,
        day=4,
        month=7,
        run_as=person(),
    )
    job.full_clean()

    assert (job.minute, job.hour, job.weekday, job.day, job.month) == (5, None, None, None, None)
