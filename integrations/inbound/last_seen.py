"""When the system last told us of a student, before the run that misses the student."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from integrations.models import RunPage, SyncRun


def last_seen(run: SyncRun, missing: Collection[tuple[str, str]]) -> dict[tuple[str, str], dt.datetime]:
    """When each of the records was last seen: the start of the latest earlier run whose pages hold it.

    missing: pairs of external id and the source's school code. A record that no kept page holds has no entry.
    """
    wanted: dict[str, set[str]] = {}
    for external_id, school in missing:
        wanted.setdefault(school, set()).add(external_id)
    found: dict[tuple[str, str], dt.datetime] = {}
    earlier = SyncRun.objects.filter(
        integration=run.integration_id, kind=SyncRun.Kind.IMPORT, pk__lt=run.pk, started__isnull=False
    ).order_by("-pk")
    for run_id, started in earlier.values_list("pk", "started").iterator():
        if not any(wanted.values()):
            break
        assert started is not None
        pages = RunPage.objects.filter(run=run_id, school__in=[s for s, ids in wanted.items() if ids])
        for school, ids in pages.values_list("school", "external_ids").iterator():
            here = wanted[school].intersection(ids.split("\n"))
            found.update({(external_id, school): started for external_id in here})
            wanted[school] -= here
    return found
