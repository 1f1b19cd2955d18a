"""What beat asks every few seconds: has the time of a scheduled job come?"""

from __future__ import annotations

from celery import shared_task

from integrations import jobs


@shared_task(name="integrations.start_due_jobs")
def start_due_jobs() -> list[int]:
    """Start the jobs that are due; the ids of those whose time was dealt with."""
    return jobs.start_due_jobs()
