"""`manage.py sandbox`: student information systems to try things on, with an invented district in them."""

from __future__ import annotations

import datetime as dt
import json
import signal
import sys
import threading
from contextlib import ExitStack
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from integrations.sandbox import District, registry


class Command(BaseCommand):
    """Runs the sandbox servers until Ctrl-C."""

    help = "Run sandbox servers, one per kind of student information system, each with an invented district."
    # They need neither the database nor the settings to be right.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Which vendors, where, and how large a district."""
        parser.add_argument("vendors", nargs="*", metavar="VENDOR", help=f"which; all when none is named: {_known()}")
        parser.add_argument("--port", type=int, default=0, help="of the first, the others follow; 0: any free")
        parser.add_argument("--students", type=int, default=500, help="active students of the district (500)")
        parser.add_argument(
            "--seed",
            type=int,
            default=1,
            help="of the first district, the others follow; another seed, others (1)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the servers, print url, credentials and options of each, serve until SIGINT or SIGTERM.

        `--verbosity 0` prints nothing.
        Exit status 2 for an unknown vendor, 1 when a port is taken, each with one sentence.
        """
        vendors = options["vendors"] or list(registry.SERVERS)
        if unknown := sorted(set(vendors) - set(registry.SERVERS)):
            self._refuse(f"There is no sandbox for {', '.join(unknown)}; there are {_known()}.", status=2)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        with ExitStack() as running:
            servers = {}
            for position, vendor in enumerate(vendors):
                port = options["port"] + position if options["port"] else 0
                try:
                    # Districts of their own: no child is in two systems.
                    seed = options["seed"] + position
                    district = District.generate(options["students"], seed, year=_school_year(dt.date.today()))
                    server = registry.start(vendor, district, port=port)
                except (OSError, OverflowError) as error:
                    self._refuse(f"The {vendor} sandbox cannot listen on port {port}: {error}.", status=1)
                running.callback(server.stop)
                more = {"options": server.options} if server.options else {}
                servers[vendor] = {"url": server.url, "credentials": dict(server.credentials), **more}
            if options["verbosity"]:
                self.stdout.write(json.dumps(servers) if options["json"] else _as_text(servers))
                self.stdout.flush()
            stopped.wait()

    def _refuse(self, sentence: str, *, status: int) -> NoReturn:
        self.stderr.write(sentence)
        sys.exit(status)


def _school_year(day: dt.date) -> int:
    """The autumn of the school year a day falls in, so that a district is never one of years ago."""
    return day.year if day.month >= 7 else day.year - 1


def _known() -> str:
    return ", ".join(sorted(registry.SERVERS))


def _as_text(servers: dict[str, dict[str, Any]]) -> str:
    lines = []
    for vendor, server in servers.items():
        lines += [vendor, f"  url: {server['url']}"]
        lines += [
            f"  {name}: {value}" for name, value in {**server["credentials"], **server.get("options", {})}.items()
        ]
    hosts = ",".join(str(server["url"]).split("/")[2] for server in servers.values())
    lines += ["", f"To let a console reach them: SIS_ALLOWED_HOSTS={hosts}", "Ctrl-C stops them."]
    return "\n".join(lines)
