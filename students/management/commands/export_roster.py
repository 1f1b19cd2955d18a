"""`manage.py export_roster`: students with their enrollments, family, contacts and allergies."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from students.roster import COLUMNS, as_cells, roster


class Command(BaseCommand):
    """Prints the roster; the same data give the same bytes."""

    help = (
        "Print current students with their enrollments, family, contacts and allergies, ordered by local id. "
        "CSV: races joined by ';'; enrollments and contacts as key=value pairs joined by ';', several "
        "joined by ' | '; a text that a spreadsheet would take for a formula begins with an apostrophe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The format, and whether former students are told too."""
        parser.add_argument("--format", choices=("csv", "json"), default="csv", help="csv (default) or json")
        parser.add_argument("--all", action="store_true", help="former students too")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write it as UTF-8, whatever the terminal is set to, row by row."""
        out = getattr(self.stdout, "_out", None)
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(encoding="utf-8", newline="")
        pieces = as_json if options["format"] == "json" else as_csv
        for piece in pieces(former=options["all"]):
            self.stdout.write(piece, ending="")


def as_json(*, former: bool) -> Iterator[str]:
    """One JSON list, a student a line, in pieces."""
    before = "[\n"
    for row in roster(former=former):
        yield before + json.dumps(row, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def as_csv(*, former: bool) -> Iterator[str]:
    """A header and a line a student, in pieces; lines end as RFC 4180 has it."""
    line = io.StringIO(newline="")
    writer = csv.DictWriter(line, COLUMNS)
    writer.writeheader()
    for row in roster(former=former):
        writer.writerow(as_cells(row))
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()
