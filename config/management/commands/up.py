"""`manage.py up`: the whole console as one command."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.up import CannotStart, up


class Command(BaseCommand):
    """Runs web, worker, beat and the demo's servers until Ctrl-C."""

    help = "Run the whole console: prepares the database, then web, worker and beat until Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, and whether with the demo."""
        parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (8000)")
        parser.add_argument("--no-demo", action="store_true", help="no demo district on the first start")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until told to stop. Exit status 1 and one sentence where it cannot start."""
        try:
            up(port=options["port"], with_demo=not options["no_demo"], say=self._say)
        except CannotStart as error:
            self.stderr.write(str(error))
            sys.exit(1)
        except KeyboardInterrupt:
            self.stderr.write("Stopped before it was ready; start again, nothing is lost.")
            sys.exit(130)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
