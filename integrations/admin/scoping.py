"""Which integrations' runs, changes and issues a person limited to some schools may see and decide on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from django.db import models
from django.db.models import Exists, F, Func, Max, OuterRef, QuerySet

from integrations.inbound.ask_first import ASKED
from integrations.models import SyncRun
from integrations.models.run import Status
from mapping.models import DataEntityMappingValue
from students.scope import allowed_schools

Row = TypeVar("Row", bound=models.Model)


class NamesAny(Func):
    """Whether a JSON list of school codes names any of the codes."""

    output_field = models.BooleanField()

    def __init__(self, column: str, codes: Collection[str]) -> None:
        super().__init__(F(column))
        self.codes = sorted(codes)

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> tuple[str, tuple[str | int, ...]]:
        """EXISTS over json_each, which SQLite has."""
        column, parameters = compiler.compile(self.source_expressions[0])
        marks = ", ".join(["%s"] * len(self.codes))
        sql = f"EXISTS (SELECT 1 FROM json_each({column}) AS named WHERE named.value IN ({marks}))"  # noqa: S608 - names a column
        return sql, (*parameters, *self.codes)

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> tuple[str, list[Any]]:
        """The operator PostgreSQL has for it."""
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"({column} ?| %s::text[])", [*parameters, self.codes]


def at_schools(rows: QuerySet[Row], user: Any) -> QuerySet[Row]:
    """Those of the rows whose ``schools`` name one the person may see."""
    codes = allowed_schools(user)
    return rows if codes is None else rows.filter(NamesAny("schools", codes))


def visible_runs(runs: QuerySet[SyncRun], user: Any) -> QuerySet[SyncRun]:
    """Those of the runs whose integration covers a school the person may see."""
    codes = allowed_schools(user)
    if codes is None:
        return runs
    covered = DataEntityMappingValue.objects.filter(mapping=OuterRef("integration__building"), value__in=codes)
    return runs.filter(Exists(covered))


def latest_imports() -> QuerySet[SyncRun]:
    """The newest whole import of each integration that has looked at every record, whatever became of its plan."""
    looked = SyncRun.objects.filter(kind=SyncRun.Kind.IMPORT, scope_schools=[], scope_students=[]).exclude(
        status__in=[Status.QUEUED, Status.FETCHING, Status.FAILED, Status.CANCELLED]
    )
    newest = looked.order_by().values("integration").annotate(newest=Max("pk")).values("newest")
    return SyncRun.objects.filter(pk__in=newest)


def covered_schools(run: SyncRun) -> set[str]:
    """Our codes of the schools a run is about: those of the Building mapping, or the few it has."""
    rows = DataEntityMappingValue.objects.filter(mapping=run.integration.building_id)
    pairs = set(rows.values_list("external_value", "value"))
    chosen = set(run.scope_schools)
    return {ours for theirs, ours in pairs if not chosen or {theirs, ours} & chosen}


def may_decide(run: SyncRun, user: Any) -> bool:
    """Whether the person may approve, discard or undo the run: it needs all of its schools.

    A plan that waits only because somebody asked to see it first is that person's to decide on.
    """
    if not user.has_perm("integrations.approve_held_run") and not asked_by(run, user):
        return False
    codes = allowed_schools(user)
    return codes is None or covered_schools(run) <= codes


def asked_by(run: SyncRun, user: Any) -> bool:
    """Whether the run waits only because this person asked to see its plan first."""
    waits = run.ask_first and run.status == Status.HELD and run.requested_by_id == user.pk
    reasons = {reason["code"] for reason in run.guard.get("reasons", [])}
    return waits and reasons == {ASKED} and bool(user.has_perm("integrations.run_import"))
