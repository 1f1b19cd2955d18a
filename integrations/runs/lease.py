"""Who works at a run: a lease in the database with a fencing token."""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError, connection, models
from django.utils import timezone

from integrations.models import SyncRun
from integrations.models.run import OPEN

LEASE_S = 10
RENEW_S = 3


class LeaseLost(Exception):
    """Somebody else works at the run, or it was ended; this worker must stop without writing."""


def me() -> str:
    """This process, as leases name it: host, process id and the process's start."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def take(run_id: int, *, takeover: bool = False) -> int:
    """Take the run's lease; returns the fencing token. Raises LeaseLost when somebody else has it.

    takeover: also take it from a process of this host that is dead, without waiting for the lease's end.
    """
    now = timezone.now()
    free = models.Q(lease_expires__isnull=True) | models.Q(lease_expires__lt=now)
    run = SyncRun.objects.get(pk=run_id)
    if takeover and run.lease_owner and not _alive(run.lease_owner):
        free |= models.Q(lease_owner=run.lease_owner)
    taken = SyncRun.objects.filter(free, pk=run_id, fence=run.fence, status__in=OPEN).update(
        lease_owner=me(), lease_expires=now + dt.timedelta(seconds=LEASE_S), fence=run.fence + 1
    )
    if not taken:
        raise LeaseLost(f"Run {run_id} is being worked at by {run.lease_owner or 'another worker'}.")
    return run.fence + 1


@contextmanager
def kept(run_id: int, fence: int) -> Iterator[None]:
    """Renew the lease in the background until the block ends."""
    stop = threading.Event()
    renewer = threading.Thread(target=_renew, args=(run_id, fence, stop), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        stop.set()
        renewer.join(timeout=RENEW_S)


def checked(run_id: int, fence: int, **changes: object) -> None:
    """Write the changes to the run and renew the lease; raises LeaseLost when the fence has moved.

    Called inside the transaction of every page and batch, so that a worker that lost its lease writes
    nothing.
    """
    expires = timezone.now() + dt.timedelta(seconds=LEASE_S)
    if not SyncRun.objects.filter(pk=run_id, fence=fence, status__in=OPEN).update(lease_expires=expires, **changes):
        raise LeaseLost(f"Run {run_id} was taken over or ended.")


def _renew(run_id: int, fence: int, stop: threading.Event) -> None:
    while not stop.wait(RENEW_S):
        try:
            SyncRun.objects.filter(pk=run_id, fence=fence, status__in=OPEN).update(
                lease_expires=timezone.now() + dt.timedelta(seconds=LEASE_S)
            )
        except DatabaseError:
            continue
        finally:
            connection.close()


def _alive(owner: str) -> bool:
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; "" when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "unknown"
    return stat.rpartition(")")[2].split()[19]


def abandoned(run: SyncRun) -> bool:
    """Whether nobody is at an open run: its lease has ended, or its process on this host is dead."""
    if run.lease_expires is None or run.lease_expires < timezone.now():
        return True
    return bool(run.lease_owner) and not _alive(run.lease_owner)
