"""Students with several ids in one integration, since two of its records were merged.

One id speaks for the student. What is missing under one id is missing only when the student is current under none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from integrations.models import ExternalIdentity

from .fetch import Reading
from .seen import current_at


class Ids(msgspec.Struct, frozen=True):
    """The ids of one student in one integration: the one that speaks first, then the silent ones."""

    speaking: list[str]
    silent: list[str]

    @property
    def all(self) -> list[str]:
        """Every id of the student."""
        return [*self.speaking, *self.silent]


def several_ids(integration_id: int) -> dict[int, Ids]:
    """Student → ids, for every student one of whose ids in the integration is silent."""
    mine = ExternalIdentity.objects.filter(integration_id=integration_id, entity="student")
    rows = mine.filter(student__in=mine.filter(silent=True).values("student")).order_by("pk")
    found: dict[int, Ids] = {}
    for student, external_id, silent in rows.values_list("student_id", "external_id", "silent"):
        assert student is not None
        ids = found.setdefault(student, Ids([], []))
        (ids.silent if silent else ids.speaking).append(external_id)
    return found


def other_ids(integration_id: int, external_ids: Collection[str]) -> dict[str, list[str]]:
    """External id → the other ids of its student, for those of the ids whose student has several."""
    if not external_ids:
        return {}
    return {
        one: [other for other in ids.all if other != one]
        for ids in several_ids(integration_id).values()
        for one in ids.all
        if one in external_ids
    }


def once_a_student(reading: Reading, missing: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The missing, each student under one id, without schools where another id of the student is current.

    missing: external id → our codes of schools. Nothing is missing of a student who is current only under an id
    that does not speak yet.
    """
    found = dict(missing)
    several = [ids for ids in several_ids(reading.rules.integration_id).values() if any(e in found for e in ids.all)]
    where = current_at(reading.run.pk, {e for ids in several for e in ids.all}) if several else {}
    for ids in several:
        mine = {e: found.pop(e) for e in ids.all if e in found}
        here = {reading.rules.buildings.get(code, code) for e in ids.all for code in where.get(e, ())}
        if here and not any(e in where for e in ids.speaking):
            continue
        left = sorted({school for schools in mine.values() for school in schools} - here)
        if left:
            # A silent id first: the record of the speaking one may have a change of its own.
            found[next((e for e in ids.silent if e in mine), next(iter(mine))) if here else next(iter(mine))] = left
    return found


def current_by_another_id(reading: Reading, external_ids: Collection[str]) -> set[str]:
    """Those of the ids whose student the run saw as current under another id."""
    others = other_ids(reading.rules.integration_id, external_ids)
    where = current_at(reading.run.pk, {e for ids in others.values() for e in ids}) if others else {}
    return {one for one, ids in others.items() if any(e in where for e in ids)}
