"""manage.py run approve|discard|undo|show RUN_ID: what the screens do."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from integrations.errors import RunRefused
from integrations.management.commands.sync import carry
from integrations.models import SyncRun
from integrations.runs.wire import exit_status, run_as_json, run_as_text
from integrations.services import approve_run, discard_run, undo_run


class Command(BaseCommand):
    """Approve, discard, undo or show a run."""

    help = "Approve, discard, undo or show a run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The arguments of the command."""
        parser.add_argument("action", choices=["approve", "discard", "undo", "show"])
        parser.add_argument("run_id", type=int)
        parser.add_argument("--plan-hash", default="", help="the hash of the plan you looked at")
        parser.add_argument("--adds-and-updates-only", action="store_true", help="leave the drops of a held plan out")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        """Do it, print the run and exit with its status."""
        run = SyncRun.objects.select_related("integration").filter(pk=options["run_id"]).first()
        if run is None:
            self.stderr.write(f"There is no run {options['run_id']}.")
            sys.exit(2)
        if options["action"] == "approve" and not options["plan_hash"]:
            self.stderr.write("Say which plan you approve: --plan-hash, as manage.py run show tells it.")
            sys.exit(2)
        try:
            run = self._act(run, options)
        except RunRefused as error:
            self.stderr.write(error.message)
            sys.exit(1)
        run.refresh_from_db()
        self.stdout.write(json.dumps(run_as_json(run)) if options["json"] else run_as_text(run))
        sys.exit(0 if options["action"] == "show" else exit_status(run))

    def _act(self, run: SyncRun, options: dict[str, Any]) -> SyncRun:
        action = options["action"]
        if action == "approve":
            approve_run(
                run=run,
                plan_hash=options["plan_hash"],
                adds_and_updates_only=options["adds_and_updates_only"],
                wake=False,
            )
            carry(run.pk)
        elif action == "discard":
            discard_run(run=run)
        elif action == "undo":
            run = undo_run(run=run, wake=False)
            carry(run.pk)
        return run
