"""One import from the first page to the last fingerprint, resumable at every commit.

fetch → settle → missing → guard → (hold) → apply → verify. The run's checkpoint names the stage; each stage
can be entered again.
"""

from __future__ import annotations

import datetime as dt
import gc
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connectors.base import DELTA_ONLY, Connector
from integrations.connectors.registry import connector_class
from integrations.errors import (
    ConfigurationError,
    IntegrationError,
    RateLimited,
    TenantChanged,
    UnexpectedError,
)
from integrations.models import Change, Integration, RunPage, SyncRun
from integrations.models.run import Status
from integrations.runs import lease
from integrations.runs.failpoints import reach

from . import ask_first, issues, store
from .academic_year import imported, imported_year, refuse_an_earlier_year
from .apply import apply
from .fetch import Reading, fetch
from .guard import guard_reasons
from .leavers import still_enrolled
from .mended import close_what_is_mended
from .merged import settle_merged
from .missing import Absence, ask, objections, plan_missing, snapshot_complete
from .pictures.read import read_pictures
from .plan_hash import plan_hash
from .rollover import rollover_told
from .rules import Rules, build_rules, connection_of
from .settle import settle
from .undo import finish_undo, plan_undo
from .verify import closing_status, compare, count, refresh_statistics
from .withhold import withhold_endings

logger = logging.getLogger(__name__)
STAGES = ("fetch", "settle", "missing", "guard")


class ComeBackLater(Exception):
    """The system asked us to wait; the run stays open and goes on at ``not_before``."""


def execute(run_id: int, *, fence: int) -> None:
    """Carry a run on to where it ends or waits for a person. Raises LeaseLost and ComeBackLater.

    An IntegrationError ends the run as failed with its code and message.
    """
    run = SyncRun.objects.select_related("integration").get(pk=run_id)
    with lease.kept(run_id, fence), _collecting_seldom():
        try:
            _execute(run, fence)
        except RateLimited as error:
            _give_back(run, fence, error)
        except IntegrationError as error:
            _fail(run, fence, error)
        except (lease.LeaseLost, ComeBackLater, OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("run %s failed", run.pk)
            _fail(run, fence, _unexpected(run, error))


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let Python look for cycles seldom: what a page is made of are trees, thousands at a time."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _unexpected(run: SyncRun, error: Exception) -> UnexpectedError:
    """What to tell of a fault of our own: its kind, never its text, which may name a child."""
    return UnexpectedError(
        f"The console met a fault of its own ({type(error).__name__}). What run {run.pk} had written so far stays "
        "and can be undone; nothing more was written. Tell the people who look after the console the run's number."
    )


def _execute(run: SyncRun, fence: int) -> None:
    if run.started is None:
        run.started = timezone.now()
        lease.checked(run.pk, fence, started=run.started)
    today = timezone.localdate(run.started)
    rules = build_rules(run.integration, today=today)
    if run.kind == SyncRun.Kind.PICTURES:
        _pictures(run, rules, fence, today)
        return
    unplanned = run.status in (Status.QUEUED, Status.FETCHING)
    if unplanned and run.kind == SyncRun.Kind.IMPORT and not _plan(run, rules, fence, today):
        return
    if run.kind == SyncRun.Kind.UNDO and unplanned:
        _to(run, fence, status=Status.FETCHING)
        plan_undo(run, fence=fence, today=today)
        _to(run, fence, status=Status.APPLYING, plan_hash=plan_hash(run.pk))
    _apply(run, rules, fence, today)


def _plan(run: SyncRun, rules: Rules, fence: int, today: dt.date) -> bool:
    """Read and plan; True when the plan is to be applied now."""
    if run.rules_hash and run.rules_hash != rules.hash:
        _forget_plan(run)
    year = imported_year(run.integration, today=today)
    refuse_an_earlier_year(run.integration, year)
    _to(run, fence, status=Status.FETCHING, rules_hash=rules.hash, year=year)
    connection = connection_of(run.integration, today=today)
    connection = msgspec.structs.replace(connection, buildings=tuple(sorted(rules.buildings)))
    with closing(connector_class(run.integration.system)(connection)) as connector:
        _check_tenant(run, connector)
        reading = Reading(run, connector=connector, rules=rules, fence=fence)
        for stage in STAGES[STAGES.index(run.checkpoint.get("stage", "fetch")) :]:
            if stage == "fetch":
                ask_first.widen(reading)
                fetch(reading, covered=_covered(run, rules))
                _at(run, fence, "settle")
            elif stage == "settle":
                settle(reading)
                settle_merged(reading)
                _at(run, fence, "missing")
            elif stage == "missing":
                reach("missing.before")
                _store_absence(reading)
    return _decide(run, rules, fence, reading)


def _decide(run: SyncRun, rules: Rules, fence: int, reading: Reading) -> bool:
    """Hold, stop a dry run, or go on to apply."""
    reach("guard.before")
    planned: dict[str, Any] = {
        "counts": count(run),
        "plan_hash": plan_hash(run.pk),
        "planned_at": timezone.now(),
        "certificate": {
            **run.certificate,
            "complete": not run.scoped
            and snapshot_complete(reading)
            and run.certificate.get("absence") != "not proven",
            "delta": only_changes(reading),
        },
    }
    reasons = guard_reasons(run, rules) + ask_first.reasons(run)
    planned["guard"] = {"reasons": reasons}
    if told := rollover_told(run):
        planned["guard"]["rollover"] = told
    if run.dry_run:
        _to(run, fence, status=Status.PLANNED, finished=timezone.now(), **planned)
        return False
    with transaction.atomic():
        _supersede_held(run)
        if reasons:
            _to(run, fence, status=Status.HELD, **planned)
            return False
        _to(run, fence, status=Status.APPLYING, **planned)
    return True


def _apply(run: SyncRun, rules: Rules, fence: int, today: dt.date) -> None:
    if run.certificate.get("asked") == "on approval":
        _ask_on_approval(run, rules, fence, today)
    reach("decided")
    apply(run, rules, fence=fence)
    reach("verify.before")
    if run.kind == SyncRun.Kind.UNDO:
        finish_undo(run, fence=fence)
        return
    run.counts = count(run)
    status = closing_status(run, complete=_whole(run))
    with transaction.atomic():
        RunPage.objects.filter(run=run).update(block=None)
        _to(
            run,
            fence,
            status=status,
            counts=run.counts,
            certificate={**run.certificate, "compared": compare(run, rules)},
            finished=timezone.now(),
        )
        _learn(run, rules)
        reach("verify.commit")
    reach("end")
    refresh_statistics(run)


def _whole(run: SyncRun) -> bool:
    """Whether the run did all it could: what it was asked for, or all that a delta names."""
    return bool(run.certificate.get("complete") or run.certificate.get("delta") or run.scoped)


def _pictures(run: SyncRun, rules: Rules, fence: int, today: dt.date) -> None:
    """Read, check and store pictures; each page is written as it comes, for none can take anything away."""
    year = imported_year(run.integration, today=today)
    _to(run, fence, status=Status.FETCHING, rules_hash=rules.hash, year=year)
    connection = connection_of(run.integration, today=today)
    with closing(connector_class(run.integration.system)(connection)) as connector:
        _check_tenant(run, connector)
        complete = read_pictures(run, connector, rules, covered=_covered(run, rules), fence=fence)
    certificate = {**run.certificate, "complete": complete and not run.scoped}
    with transaction.atomic():
        status = closing_status(run, complete=complete)
        _to(run, fence, status=status, certificate=certificate, finished=timezone.now())
        _learn(run, rules)


def _check_tenant(run: SyncRun, connector: Connector) -> None:
    tenant = connector.tenant()
    known = run.integration.tenant_id
    if (
        known
        and tenant.id
        and known != tenant.id
        and run.integration.runs.filter(~Q(pk=run.pk), tenant_seen(run.integration)).exists()
    ):
        raise TenantChanged(
            f"{run.integration.name} now answers for {tenant.name}, but was set up with "
            f"{run.integration.tenant_name}. Check the Url and the credentials; make a new integration for "
            "another district."
        )
    named = {"id": tenant.id, "name": tenant.name} if tenant.id else {"id": known, "name": run.integration.tenant_name}
    run.certificate["tenant"] = named
    run.certificate["notices"] = [[notice.code, notice.message] for notice in tenant.notices]


def tenant_seen(integration: Integration) -> Q:
    """Runs that have written anything of this integration."""
    return Q(integration=integration, status__in=[Status.COMPLETE, Status.COMPLETE_WITH_ISSUES, Status.PARTIAL])


def _covered(run: SyncRun, rules: Rules) -> list[str]:
    if not run.scope_schools:
        return sorted(rules.buildings)
    wanted = set(run.scope_schools)
    chosen = sorted(code for code, ours in rules.buildings.items() if ours in wanted or code in wanted)
    unknown = wanted - {ours for ours in rules.buildings.values()} - rules.buildings.keys()
    if unknown:
        raise ConfigurationError(
            f"The Building mapping of {run.integration.name} does not cover {', '.join(sorted(unknown))}."
        )
    return chosen


def _store_absence(reading: Reading) -> None:
    run = reading.run
    stayed, told = still_enrolled(reading)
    absence = Absence(issues=told) if told else plan_missing(reading)
    missed = ask_first.not_found(reading)
    with transaction.atomic():
        leavers = run.changes.filter(entity="student", external_id__in=stayed)
        leavers.update(status=Change.Status.DISCARDED)
        store.insert_endings(run.pk, absence.changes)
        store.insert_issues(run.pk, withhold_endings(run, reading.rules))
        store.insert_issues(run.pk, absence.issues)
        store.insert_issues(run.pk, absence.outside)
        store.insert_issues(run.pk, incomplete_schools(reading))
        store.insert_issues(run.pk, noticed(reading))
        store.insert_issues(run.pk, missed)
        run.certificate["asked"] = absence.asked
        if absence.issues:
            run.certificate["absence"] = "not proven"
        reading.save()
        _at(run, reading.fence, "guard")


def incomplete_schools(reading: Reading) -> list[Any]:
    """One issue for every reason why a school is not proven complete."""
    return [
        issues.incomplete(reading.rules.buildings.get(code, code), code=reason, message=message)
        for code, state in sorted(reading.schools.items())
        for reason, message in state.problems
        if reason != DELTA_ONLY
    ]


def noticed(reading: Reading) -> list[Any]:
    """One issue for everything a person should know of the source that is no incomplete school."""
    found = [issues.notice(code, message) for code, message in reading.run.certificate.get("notices", [])]
    told = {message for state in reading.schools.values() for code, message in state.problems if code == DELTA_ONLY}
    found += [issues.notice(DELTA_ONLY, message) for message in sorted(told)]
    over = imported(reading.run.integration, today=reading.rules.today).warning
    return [*found, issues.year_over(over)] if over else found


def only_changes(reading: Reading) -> bool:
    """Whether nothing but its being a delta keeps what was read from being complete."""
    states = reading.schools.values()
    return bool(states) and all(s.done and {code for code, _ in s.problems} == {DELTA_ONLY} for s in states)


def _ask_on_approval(run: SyncRun, rules: Rules, fence: int, today: dt.date) -> None:
    absent = Change.objects.filter(
        run=run, entity="student", status=Change.Status.PLANNED, kind__in=[Change.Kind.DROP, Change.Kind.ENDED],
        page=None, page_ids=[],
    )  # fmt: skip
    ids = dict(absent.values_list("external_id", "schools"))
    connector = connector_class(run.integration.system)(connection_of(run.integration, today=today))
    with closing(connector):
        asked = ask(connector, ids, rules=rules)
    told = objections(asked)
    with transaction.atomic():
        if told:
            absent.update(status=Change.Status.DISCARDED)
            store.insert_issues(run.pk, told)
            run.certificate |= {"absence": "not proven", "complete": False}
        run.certificate["asked"] = len(ids)
        lease.checked(run.pk, fence, certificate=run.certificate)


def _supersede_held(run: SyncRun) -> None:
    """Discard older held plans: a whole import those of whole imports and those asked for, one asked for its like."""
    held = SyncRun.objects.filter(integration=run.integration, lane=run.lane, status=Status.HELD).exclude(pk=run.pk)
    if not run.scoped:
        older = held.filter(Q(scope_schools=[], scope_students=[]) | Q(ask_first=True))
    elif run.ask_first:
        older = held.filter(ask_first=True, scope_students=run.scope_students)
    else:
        return
    for one in older:
        Change.objects.filter(run=one, status=Change.Status.PLANNED).update(status=Change.Status.DISCARDED)
        RunPage.objects.filter(run=one).update(block=None)
    older.update(status=Status.SUPERSEDED, finished=timezone.now())


def _learn(run: SyncRun, rules: Rules) -> None:
    """Remember the tenant, the schools once read whole, and that the system answers."""
    tenant = run.certificate.get("tenant", {})
    whole = [
        code
        for code, state in run.certificate.get("schools", {}).items()
        if state.get("done") and not state.get("problems")
    ]
    completed = [] if run.scope_students else whole
    integration = Integration.objects.select_for_update().get(pk=run.integration_id)
    Integration.objects.filter(pk=integration.pk).update(
        tenant_id=tenant.get("id", ""),
        tenant_name=tenant.get("name", ""),
        completed_schools=sorted({*integration.completed_schools, *completed}),
        failures_in_row=0,
        resting_until=None,
    )
    close_what_is_mended(run, rules)


def _forget_plan(run: SyncRun) -> None:
    with transaction.atomic():
        run.issues.all().delete()
        run.changes.all().delete()
        run.pages.all().delete()
        run.checkpoint, run.certificate = {}, {}
        run.save(update_fields=["checkpoint", "certificate"])


def _give_back(run: SyncRun, fence: int, error: RateLimited) -> None:
    until = timezone.now() + dt.timedelta(seconds=error.retry_after_s or 60)
    lease.checked(run.pk, fence, not_before=until, error_message=error.message)
    SyncRun.objects.filter(pk=run.pk, fence=fence).update(lease_expires=None)
    raise ComeBackLater(error.message)


def _fail(run: SyncRun, fence: int, error: IntegrationError) -> None:
    with transaction.atomic():
        _to(
            run,
            fence,
            status=Status.FAILED,
            finished=timezone.now(),
            error_code=error.code,
            error_message=error.message,
        )
        RunPage.objects.filter(run=run).update(block=None)
        run.changes.filter(status=Change.Status.PLANNED).update(status=Change.Status.DISCARDED)
        integration = Integration.objects.select_for_update().get(pk=run.integration_id)
        rest = min(2**integration.failures_in_row, 60)
        Integration.objects.filter(pk=integration.pk).update(
            failures_in_row=integration.failures_in_row + 1,
            resting_until=timezone.now() + dt.timedelta(minutes=rest) if error.retryable else None,
        )


def _at(run: SyncRun, fence: int, stage: str) -> None:
    run.checkpoint = {**run.checkpoint, "stage": stage}
    lease.checked(run.pk, fence, checkpoint=run.checkpoint)


def _to(run: SyncRun, fence: int, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(run, name, value)
    lease.checked(run.pk, fence, **changes)
