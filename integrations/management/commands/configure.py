"""`manage.py configure FILE`: integrations, mappings and schools from one JSON file, and back."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from integrations.configure import Outcome, configure
from integrations.configure_export import export
from integrations.configure_file import FileError
from integrations.secrets import SecretUnreadable


class Command(BaseCommand):
    """Stores a configuration file whole or not at all, or prints the configuration as such a file."""

    help = (
        "Create or update schools, data entity mappings, integrations and sync connections from one JSON "
        "file. What the file leaves out stays. With --export: print the configuration as such a file, "
        "without secrets."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """A file, or --export."""
        parser.add_argument("file", nargs="?", metavar="FILE", help="the file to read")
        parser.add_argument("--export", action="store_true", help="print the configuration and change nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit status 0 when done; 2 with one sentence, and nothing changed, when the file cannot be used."""
        if bool(options["file"]) == options["export"]:
            self._refuse("Name one file, or give --export: manage.py configure FILE")
        try:
            if options["export"]:
                self.stdout.write(json.dumps(export(), indent=2, ensure_ascii=False))
                return
            text = Path(options["file"]).read_text("utf-8")
            self.stdout.write(_summary(configure(text, environ=os.environ)))
        except OSError as error:
            self._refuse(f"{options['file']} cannot be read: {error.strerror}.")
        except UnicodeDecodeError:
            self._refuse(f"{options['file']} is not text in UTF-8.")
        except (FileError, SecretUnreadable) as error:
            self._refuse(f"{error}")

    def _refuse(self, sentence: str) -> NoReturn:
        self.stderr.write(" ".join(sentence.split()))
        sys.exit(2)


def _summary(outcome: Outcome) -> str:
    lines = [
        f"{section}: " + ", ".join(f"{number} {what}" for what, number in counts.items())
        for section, counts in outcome.counts.items()
    ]
    return "\n".join([*(lines or ["The file names nothing to configure."]), *outcome.notes])
