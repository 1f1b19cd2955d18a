"""A run whose plan a person wants to see first: where it looks, why it waits, and whom it did not find."""

from __future__ import annotations

from typing import Any

from integrations.connectors.base import Sighting
from integrations.errors import IntegrationError, RateLimited
from integrations.models import Change, SyncRun
from integrations.runs import lease
from students.records import CURRENT
from students.scope import allowed_schools

from . import issues
from .fetch import Reading
from .rules import Rules
from .seen import seen_anywhere

ASKED = "asked"
REASON: dict[str, Any] = {
    "code": ASKED,
    "school": None,
    "count": 0,
    "of": 0,
    "percent": 0,
    "message": "You asked to see it first.",
}


def widen(reading: Reading) -> None:
    """Add to the run's schools those where the system, asked by id, says that its students are now.

    Only schools the person who asked may see. Where the system cannot be asked, the schools stay as they are. Raises
    RateLimited.
    """
    run, rules = reading.run, reading.rules
    if not run.ask_first or not run.scope_schools or not reading.connector.can_be_asked:
        return
    codes = allowed_schools(run.requested_by) if run.requested_by is not None else None
    try:
        sightings = [one for external_id in run.scope_students for one in reading.connector.find(external_id)]
    except RateLimited:
        raise
    except IntegrationError:
        return
    now = {rules.buildings[s.school] for s in sightings if s.status == CURRENT and s.school in rules.buildings}
    wider = sorted({*run.scope_schools, *(now if codes is None else now & codes)})
    if wider != run.scope_schools:
        run.scope_schools = wider
        lease.checked(run.pk, reading.fence, scope_schools=wider)


def reasons(run: SyncRun) -> list[dict[str, Any]]:
    """Why the plan waits although no guard holds it; [] when nobody asked, or when it would change nothing."""
    planned = Change.objects.filter(run=run, status=Change.Status.PLANNED)
    return [REASON] if run.ask_first and planned.exists() else []


def not_found(reading: Reading) -> list[issues.Found]:
    """One issue for every student asked for whom the schools, read whole, do not hold."""
    run = reading.run
    if not run.ask_first or not all(state.complete for state in reading.schools.values()):
        return []
    gone = set(run.scope_students) - seen_anywhere(run.pk, set(run.scope_students))
    school = run.scope_schools[0] if run.scope_schools else ""
    return [issues.not_found(e, school, where=_where(reading, e)) for e in sorted(gone)]


def _where(reading: Reading, external_id: str) -> str:
    """What the system says of a student who stands on no page, in a sentence."""
    if not reading.connector.can_be_asked:
        return "The system sent no student with this ID for the schools that were read."
    try:
        told = reading.connector.find(external_id)
    except RateLimited:
        raise
    except IntegrationError as error:
        return f"The system could not be asked for the student by ID: {error.message}"
    if not told:
        return "The system does not know this ID, or does not know it any more."
    user = reading.run.requested_by
    codes = allowed_schools(user) if user is not None else None
    return " ".join(dict.fromkeys(_sighting(one, reading.rules, codes) for one in told))


def _sighting(seen: Sighting, rules: Rules, codes: frozenset[str] | None) -> str:
    """One sentence; a school that is not among the codes is not named. codes: None for all schools."""
    ours = rules.buildings.get(seen.school)
    where = f"school {ours}" if ours else f"its school {seen.school}, which is not in the Building mapping"
    if codes is not None and ours not in codes:
        where = "a school you may not see"
    if seen.status == CURRENT:
        return f"The system has the student at {where}."
    if seen.left is not None:
        return f"The system says that the student left {where} on {seen.left:%b} {seen.left.day}, {seen.left.year}."
    return f"The system says that the student is not current at {where}."
