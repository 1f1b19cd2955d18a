"""`manage.py check_integrations`: can we reach each system, and does it let us read what we need?"""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from integrations.checking import check_named
from integrations.connectors.base import Check
from integrations.models import Integration
from integrations.secrets import SecretUnreadable
from integrations.system_fields import FIELDS

Checked = list[tuple[Integration, list[Check]]]


class Command(BaseCommand):
    """Prints what works and what does not, with who must change what."""

    help = "Check the connection and the permissions of the active integrations, or of the one named."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which integration, and the format."""
        parser.add_argument("name", nargs="?", default="", metavar="NAME", help="of one integration")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit status 0 when every check passed, 1 when one failed, 2 when there is no such integration."""
        try:
            checked = check_named(options["name"])
        except Integration.DoesNotExist:
            known = ", ".join(Integration.objects.values_list("name", flat=True)) or "none yet"
            self._refuse(f"There is no integration named {options['name']!r}; there are: {known}.", status=2)
        except SecretUnreadable as error:
            self._refuse(f"{error}", status=1)
        ok = all(line.ok for _, lines in checked for line in lines)
        self.stdout.write(json.dumps(_as_json(checked, ok=ok)) if options["json"] else _as_text(checked))
        if not ok:
            sys.exit(1)

    def _refuse(self, sentence: str, *, status: int) -> NoReturn:
        self.stderr.write(sentence)
        sys.exit(status)


def _as_json(checked: Checked, *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "integrations": [
            {
                "integration": integration.name,
                "system": integration.system,
                "ok": all(line.ok for line in lines),
                "checks": [
                    {"name": line.name, "ok": line.ok, "message": line.message, "remedy": line.remedy} for line in lines
                ],
            }
            for integration, lines in checked
        ],
    }


def _as_text(checked: Checked) -> str:
    told = []
    for integration, lines in checked:
        told.append(f"{integration.name} ({FIELDS[integration.system].title})")
        for line in lines:
            told.append(f"  {'ok  ' if line.ok else 'FAIL'}  {line.name}: {line.message}")
            if line.remedy and not line.ok:
                told.append(f"        {line.remedy}")
    return "\n".join(told or ["There are no active integrations."])
