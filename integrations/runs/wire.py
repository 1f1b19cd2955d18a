"""A run as the commands print it."""

from __future__ import annotations

from typing import Any

from integrations.models import SyncRun
from integrations.models.run import Status

COUNTS = (
    "received", "created", "updated", "unchanged", "reopened", "rejected", "inactive", "left", "dropped",
    "withheld_fields",
)  # fmt: skip

EXIT_STATUS = {
    Status.COMPLETE: 0,
    Status.COMPLETE_WITH_ISSUES: 0,
    Status.PLANNED: 0,
    Status.UNDONE: 0,
    Status.DISCARDED: 0,
    Status.HELD: 3,
    Status.PARTIAL: 4,
}


def run_as_json(run: SyncRun) -> dict[str, Any]:
    """The run as one object of plain values: id, status, counts, issues, plan hash, why it is held."""
    issues = run.issues.order_by("pk").values("code", "severity", "external_id", "field", "message", "remedy")
    held = {"reasons": run.guard.get("reasons", [])} if run.status == Status.HELD else None
    told: dict[str, Any] = {
        "run": run.pk,
        "integration": run.integration.name,
        "kind": run.kind,
        "status": run.status,
        "counts": {name: run.counts.get(name, 0) for name in COUNTS},
        "issues": list(issues),
        "plan_hash": run.plan_hash or None,
        "held": held,
    }
    if run.error_code:
        told["error"] = {"code": run.error_code, "message": run.error_message}
    return told


def run_as_text(run: SyncRun) -> str:
    """The run as a few lines for a person."""
    counts = ", ".join(f"{run.counts.get(name, 0)} {name.replace('_', ' ')}" for name in COUNTS)
    lines = [f"Run {run.pk} of {run.integration.name}: {run.get_status_display()}", counts]
    if run.status == Status.HELD:
        lines += [f"Held: {reason['message']}" for reason in run.guard.get("reasons", [])]
        lines.append(f"Look at it, then: manage.py run approve {run.pk} --plan-hash {run.plan_hash}")
    told = run.issues.order_by("pk")
    lines += [f"{issue.message} {issue.remedy}".strip() for issue in told.filter(severity="run")[:20]]
    rest = told.exclude(severity="run").count()
    if rest:
        lines.append(f"{rest} issues with single records: manage.py run show {run.pk} --json")
    return "\n".join(lines)


def exit_status(run: SyncRun) -> int:
    """What a command that carried the run ends with."""
    return EXIT_STATUS.get(Status(run.status), 1)
