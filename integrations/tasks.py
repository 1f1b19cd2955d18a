"""What workers do: carry a run on, and look for runs that nobody carries."""

from __future__ import annotations

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from integrations.inbound.pipeline import ComeBackLater, execute
from integrations.models import SyncRun
from integrations.runs import lease


@shared_task(name="integrations.carry_run")
def carry_run(run_id: int) -> None:
    """Carry one run on, unless another worker does; a wait the system asks for is left to the sweeper."""
    try:
        fence = lease.take(run_id)
        execute(run_id, fence=fence)
    except (lease.LeaseLost, ComeBackLater):
        return


@shared_task(name="integrations.sweep")
def sweep() -> list[int]:
    """Wake a worker for every open run without a live lease; returns the runs' ids."""
    due = Q(not_before=None) | Q(not_before__lte=timezone.now())
    waiting = list(SyncRun.objects.expired().filter(due).order_by("pk").values_list("pk", flat=True))
    for run_id in waiting:
        carry_run.delay(run_id)
    return waiting
