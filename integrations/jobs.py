"""What the Job Scheduler does: start what is due, once, and say what came of it.

The times stand in the database. Beat only asks every few seconds whether one has come, so that no lost
message loses a run, and a job that was due while everything stood still is found when it wakes.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.errors import RunOpen, RunRefused
from integrations.models import Integration, ScheduledJob, SchedulePause, SyncRun
from integrations.services import start_import
from integrations.timetable import HOUR
from mapping.models import DataEntityMappingValue
from students.scope import allowed_schools

logger = logging.getLogger(__name__)
LATE = {HOUR: dt.timedelta(minutes=30)}
LATE_OTHERWISE = dt.timedelta(hours=6)
"""How late a job still starts by itself; after that it has been missed, and a person decides."""


def start_due_jobs() -> list[int]:
    """Start every job that is due; the ids of the jobs whose time was dealt with, in order of that time.

    Each due time is dealt with once, however many ask.
    """
    now = timezone.now()
    due = ScheduledJob.objects.filter(active=True, next_run__lte=now).order_by("next_run", "pk")
    return [pk for pk in list(due.values_list("pk", flat=True)) if _dealt_with(pk, now)]


def _dealt_with(pk: int, now: dt.datetime) -> bool:
    """As deal_with; a job that cannot even be told of its fault keeps none of the others from starting."""
    try:
        return deal_with(pk, now)
    except Exception as error:
        logger.error("schedule %s could not be dealt with: %s", pk, type(error).__name__)
        return False


def start_job_now(*, job: ScheduledJob, user: Any) -> SyncRun:
    """Run a job by hand, with the rights of the person who asks. Raises RunOpen or RunRefused."""
    return start_import_as(user=user, integration=job.integration)


def start_import_as(
    *, user: Any, integration: Integration, trigger: str = SyncRun.Trigger.PERSON, dry_run: bool = False
) -> SyncRun:
    """A queued import with a person's rights: of all schools, or of those the person is limited to.

    Raises RunOpen when an import of the integration is open, RunRefused when it may not run.
    """
    if not user.is_active or not user.has_perm("integrations.run_import"):
        raise RunRefused(f"{user.get_username()} may not run imports.")
    scope = allowed_schools(user)
    schools: list[str] = []
    if scope is not None:
        covered = DataEntityMappingValue.objects.filter(mapping=integration.building_id, value__in=scope)
        schools = sorted(set(covered.values_list("value", flat=True)))
        if not schools:
            raise RunRefused(f"{integration.name} covers none of the schools of {user.get_username()}.")
    return start_import(integration=integration, user=user, trigger=trigger, schools=schools, dry_run=dry_run)


def pause_on(integration: Integration, day: dt.date) -> SchedulePause | None:
    """The pause that keeps the integration's schedules from starting on a day; the one that ends last."""
    every = Q(integration=None) | Q(integration=integration)
    return SchedulePause.objects.filter(every, starts__lte=day, ends__gte=day).order_by("-ends").first()


def deal_with(pk: int, now: dt.datetime) -> bool:
    """Start a job that is due at a moment, or say why not; False when its time was dealt with by another."""
    with transaction.atomic():
        job = ScheduledJob.objects.select_for_update().get(pk=pk)
        if job.next_run is None or job.next_run > now or not job.active:
            return False
        run: SyncRun | None = None
        missed = True
        try:
            with transaction.atomic():
                run = _start(job, now)
            outcome, missed = f"Started run {run.pk}.", False
        except _Paused as pause:
            outcome, missed = f"Not started: {pause}", False
        except RunOpen as error:
            outcome = f"Not started: run {error.run} was still open."
        except RunRefused as error:
            outcome = f"Not started: {error.message}"
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.error("schedule %s was not started: %s", pk, type(error).__name__)
            outcome = (
                f"Not started: the console met a fault of its own ({type(error).__name__}). "
                "Tell the people who look after the console."
            )
        # Not by save(), which is for people: it would fill the history.
        ScheduledJob.objects.filter(pk=pk).update(
            next_run=job.next_after(now),
            last_due=job.next_run,
            last_run=run,
            last_outcome=outcome[:300],
            missed=missed,
        )
    return True


class _Paused(Exception):
    """Somebody has said that nothing starts now."""


def _start(job: ScheduledJob, now: dt.datetime) -> SyncRun:
    assert job.next_run is not None
    pause = pause_on(job.integration, timezone.localdate(now))
    if pause is not None:
        raise _Paused(f"schedules are paused until {pause.ends:%d %b %Y} ({pause.reason}).")
    if job.integration.schedule_paused:
        raise _Paused(job.integration.schedule_paused)
    if now - job.next_run > LATE.get(job.frequency, LATE_OTHERWISE):
        raise RunRefused("the console was not running at that time. Run it now, or wait for its next time.")
    return start_import_as(user=job.run_as, integration=job.integration, trigger=SyncRun.Trigger.SCHEDULE)
