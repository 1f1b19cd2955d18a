"""One import from the first page to the last fingerprint, resumable at every commit.

fetch → settle → missing → guard → (hold) → apply → verify. The run's checkpoint names the stage; each stage
can be entered again.
"""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import closing
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connectors.base import Connector
from integrations.connectors.registry import connector_class
from integrations.errors import (
    ConfigurationError,
    IntegrationError,
    RateLimited,
    TenantChanged,
    UnexpectedError,
)
from integrations.models import Change, Integration, RecordIssue, RunPage, SyncRun, UnmappedCode
from integrations.models.run import Status
from integrations.runs import lease
from integrations.runs.failpoints import reach

from . import issues, store
from .apply import apply
from .fetch import Reading, fetch
from .guard import guard_reasons
from .leavers import still_enrolled
from .missing import Absence, ask, objections, plan_missing, snapshot_complete, withhold_kept
from .plan_hash import plan_hash
from .rules import Rules, build_rules, connection_of
from .settle import settle
from .undo import finish_undo, plan_undo
from .verify import closing_status, compare, count, refresh_statistics

logger = logging.getLogger(__name__)
STAGES = ("fetch", "settle", "missing", "guard")


class ComeBackLater(Exception):
    """The system asked us to wait; the run stays open and goes on at ``not_before``."""


def execute(run_id: int, *, fence: int) -> None:
    """Carry a run on to where it ends or waits for a person. Raises LeaseLost and ComeBackLater.

    An IntegrationError ends the run as failed with its code and message.
    """
    run = SyncRun.objects.select_related("integration").get(pk=run_id)
    with lease.kept(run_id, fence):
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
    _to(run, fence, status=Status.FETCHING, rules_hash=rules.hash)
    connection = connection_of(run.integration, today=today)
    with closing(connector_class(run.integration.system)(connection)) as connector:
        _check_tenant(run, connector)
        reading = Reading(run, connector=connector, rules=rules, fence=fence)
        for stage in STAGES[STAGES.index(run.checkpoint.get("stage", "fetch")) :]:
            if stage == "fetch":
                fetch(reading, covered=_covered(run, rules))
                _at(run, fence, "settle")
            elif stage == "settle":
                settle(reading)
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
        },
    }
    reasons = guard_reasons(run, rules)
    if run.dry_run:
        _to(run, fence, status=Status.PLANNED, finished=timezone.now(), guard={"reasons": reasons}, **planned)
        return False
    with transaction.atomic():
        if not run.scoped:
            _supersede_held(run)
        if reasons:
            _to(run, fence, status=Status.HELD, guard={"reasons": reasons}, **planned)
            return False
        _to(run, fence, status=Status.APPLYING, guard={"reasons": []}, **planned)
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
    status = closing_status(run, complete=bool(run.certificate.get("complete") or run.scoped))
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


def _check_tenant(run: SyncRun, connector: Connector) -> None:
    tenant = connector.tenant()
    known = run.integration.tenant_id
    if (
        known
        and known != tenant.id
        and run.integration.runs.filter(~Q(pk=run.pk), tenant_seen(run.integration)).exists()
    ):
        raise TenantChanged(
            f"{run.integration.name} now answers for {tenant.name}, but was set up with "
            f"{run.integration.tenant_name}. Check the Url and the credentials; make a new integration for "
            "another district."
        )
    run.certificate["tenant"] = {"id": tenant.id, "name": tenant.name}


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
    with transaction.atomic():
        leavers = run.changes.filter(entity="student", external_id__in=stayed)
        leavers.update(status=Change.Status.DISCARDED)
        store.insert_endings(run.pk, absence.changes)
        withhold_kept(run, reading.rules)
        store.insert_issues(run.pk, absence.issues)
        store.insert_issues(run.pk, incomplete_schools(reading))
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
    ]


def _ask_on_approval(run: SyncRun, rules: Rules, fence: int, today: dt.date) -> None:
    absent = Change.objects.filter(
        run=run, entity="student", status=Change.Status.PLANNED, kind=Change.Kind.DROP, page=None, page_ids=[]
    )
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
    older = SyncRun.objects.filter(
        integration=run.integration, lane=run.lane, status=Status.HELD, scope_schools=[], scope_students=[]
    ).exclude(pk=run.pk)
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
    if run.certificate.get("complete"):
        _close_what_is_mended(run)


def _close_what_is_mended(run: SyncRun) -> None:
    """Close older issues and unmapped codes: what still holds, a complete run has told again."""
    older = RecordIssue.objects.filter(run__integration=run.integration_id, run__lt=run.pk, resolved=None)
    older.update(resolved=timezone.now())
    UnmappedCode.objects.filter(integration=run.integration_id).exclude(run=run).delete()


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
