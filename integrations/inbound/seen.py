"""Which ids a run has seen: at a school, anywhere, currently enrolled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from integrations.models import RunPage

PARTITION = 200_000


def seen_at(run_id: int, school: str) -> set[str]:
    """Every external id the run saw at one school."""
    rows = RunPage.objects.filter(run=run_id, school=school).values_list("external_ids", flat=True)
    return {external_id for ids in rows.iterator() if ids for external_id in ids.split("\n")}


def seen_by_school(run_id: int, schools: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    """Each of the schools with every external id the run saw there, one school at a time."""
    rows = RunPage.objects.filter(run=run_id).order_by("school").values_list("school", "external_ids")
    left = set(schools)
    for school, pages in groupby(rows.iterator(chunk_size=50), key=itemgetter(0)):
        if school in left:
            left.discard(school)
            yield school, {external_id for _, ids in pages if ids for external_id in ids.split("\n")}
    for school in sorted(left):
        yield school, set()


def current_elsewhere(run_id: int, external_ids: set[str]) -> set[str]:
    """Those of the ids that the run saw as current at any school."""
    found: set[str] = set()
    for ids, inactive in _pages(run_id):
        found |= external_ids.intersection(ids) - inactive
    return found


def current_at(run_id: int, external_ids: set[str]) -> dict[str, set[str]]:
    """External id → the source's codes of the schools where the run saw it as current; nothing for other ids."""
    found: dict[str, set[str]] = {}
    rows = RunPage.objects.filter(run=run_id).values_list("school", "external_ids", "inactive_ids")
    for school, ids, inactive in rows.iterator(chunk_size=50):
        for external_id in external_ids.intersection(ids.split("\n")) - set(inactive.split("\n")):
            found.setdefault(external_id, set()).add(school)
    return found


def seen_anywhere(run_id: int, external_ids: set[str]) -> set[str]:
    """Those of the ids that stand on any page of the run."""
    if not external_ids:
        return set()
    return {external_id for ids, _ in _pages(run_id) for external_id in external_ids.intersection(ids)}


def count_seen(run_id: int) -> tuple[int, int]:
    """How many distinct students the run saw, and how many of them are current at no school.

    Memory is bounded: a large district is counted in several passes over the pages.
    """
    total = sum(len(ids) for ids, _ in _pages(run_id))
    parts = total // PARTITION + 1
    distinct = inactive_only = 0
    for part in range(parts):
        active: set[str] = set()
        inactive: set[str] = set()
        for ids, not_current in _pages(run_id):
            for external_id in ids:
                if parts == 1 or hash(external_id) % parts == part:
                    (inactive if external_id in not_current else active).add(external_id)
        distinct += len(active | inactive)
        inactive_only += len(inactive - active)
    return distinct, inactive_only


def _pages(run_id: int) -> Iterator[tuple[list[str], set[str]]]:
    rows = RunPage.objects.filter(run=run_id).values_list("external_ids", "inactive_ids")
    for ids, inactive in rows.iterator(chunk_size=50):
        yield (ids.split("\n") if ids else []), set(inactive.split("\n") if inactive else ())
