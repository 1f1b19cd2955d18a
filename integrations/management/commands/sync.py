"""manage.py sync NAME: one import in this process."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from integrations.errors import RunOpen, RunRefused
from integrations.inbound.pipeline import ComeBackLater, execute
from integrations.models import Integration, SyncRun
from integrations.runs import lease
from integrations.runs.wire import exit_status, run_as_json, run_as_text
from integrations.services import school_codes, start_import

FOLLOW_S = 0.5


class Command(BaseCommand):
    """Import the students of one integration, resuming an import that was interrupted."""

    help = "Import the students of one integration now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The arguments of the command."""
        parser.add_argument("name", help="the integration's name")
        parser.add_argument("--dry-run", action="store_true", help="plan everything, write nothing")
        parser.add_argument("--school", action="append", default=[], help="only this school; may be repeated")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        """Run the import, print its summary and exit with its status."""
        integration = Integration.objects.filter(name=options["name"]).first()
        if integration is None:
            self._end(2, f"There is no integration named {options['name']}.")
            return
        unknown = sorted(set(options["school"]) - school_codes(integration))
        if unknown:
            self._end(2, f"The Building mapping of {integration.name} does not cover {', '.join(unknown)}.")
            return
        try:
            run = self._begin(integration, options)
        except RunRefused as error:
            self._end(1, error.message)
            return
        carry(run.pk)
        run.refresh_from_db()
        self.stdout.write(json.dumps(run_as_json(run)) if options["json"] else run_as_text(run))
        if run.error_message and exit_status(run):
            self.stderr.write(run.error_message)
        sys.exit(exit_status(run))

    def _begin(self, integration: Integration, options: dict[str, Any]) -> SyncRun:
        try:
            return start_import(
                integration=integration,
                trigger=SyncRun.Trigger.COMMAND,
                dry_run=options["dry_run"],
                schools=options["school"],
                wake=False,
            )
        except RunOpen as error:
            run = SyncRun.objects.get(pk=error.run)
            if lease.abandoned(run) and _asks_the_same(run, options):
                return run
            raise

    def _end(self, status: int, message: str) -> None:
        self.stderr.write(message)
        sys.exit(status)


def carry(run_id: int) -> None:
    """Carry a run to its end in this process, waiting where the system asks us to."""
    while True:
        try:
            execute(run_id, fence=lease.take(run_id, takeover=True))
            return
        except ComeBackLater:
            _wait_for(run_id)
        except lease.LeaseLost:
            if not SyncRun.objects.open().filter(pk=run_id).exists():
                return
            time.sleep(FOLLOW_S)


def _asks_the_same(run: SyncRun, options: dict[str, Any]) -> bool:
    """Whether the run is what the command would start: no undo, and nothing asked for single students."""
    if run.kind not in (SyncRun.Kind.IMPORT, SyncRun.Kind.PICTURES) or run.scope_students or run.ask_first:
        return False
    return (options["dry_run"], sorted(options["school"])) == (run.dry_run, run.scope_schools)


def _wait_for(run_id: int) -> None:
    until = SyncRun.objects.values_list("not_before", flat=True).get(pk=run_id)
    while until is not None and timezone.now() < until:
        time.sleep(FOLLOW_S)
