"""Students whose record says they left: ask whether they only moved while the schools were read.

A school read early cannot show the arrival of a child who leaves another school later in the same run, and
a school that could not be read shows nobody.
"""

from __future__ import annotations

from integrations.models import Change

from . import issues
from .fetch import Reading
from .missing import ask, breaks, enrolled_in_all
from .rollover import limits_of


def still_enrolled(reading: Reading) -> tuple[list[str], list[issues.Found]]:
    """External ids whose leaving is not to be believed in this run, and why, as issues.

    More leavers than the guard lets go are not asked for: they wait for a person. When the system cannot
    answer, those it has not answered for stay enrolled until the next run.
    """
    rows = Change.objects.filter(run=reading.run, entity="student", kind=Change.Kind.LEFT, status=Change.Status.PLANNED)
    leaving = dict(rows.values_list("external_id", "schools"))
    if not leaving or not reading.connector.can_be_asked:
        return [], []
    limits, enrolled = limits_of(reading.run, today=reading.rules.today), enrolled_in_all(reading.rules)
    if breaks(limits.percent, limits.count, len(leaving), enrolled):
        return [], []
    asked = ask(reading.connector, leaving, rules=reading.rules)
    told = [issues.moved_meanwhile(e, school) for e, school in sorted(asked.active.items())]
    unsure = set(asked.active)
    if asked.error:
        told.append(issues.could_not_ask(asked.error))
        unsure |= leaving.keys() - asked.answered
    return sorted(unsure), told
