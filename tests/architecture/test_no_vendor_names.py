"""A vendor is named in its own folder, in the registry, and where the demo and the sandbox play it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.sources import ROOT, modules

VENDOR_NAME = re.compile(r"aeries|illuminate|power ?school|school ?tool", re.IGNORECASE)
MAY_NAME = (
    "integrations/connectors/registry.py",
    "integrations/sandbox/",
    "integrations/demo",
    "integrations/system_fields.py",  # the one table of what each system shows and requires
)


def _may_name(path: Path) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    in_vendor_folder = relative.startswith("integrations/connectors/") and relative.count("/") > 2
    return in_vendor_folder or relative.startswith(MAY_NAME)


def test_no_vendor_is_named_outside_its_folder() -> None:
    pages = [path for folder in ("templates", "static") for path in sorted((ROOT / folder).rglob("*.*"))]
    sources = [path for path in [*modules(), *pages] if path.suffix in {".py", ".html", ".css", ".js"}]
    offenders = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources
        if not _may_name(path)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if VENDOR_NAME.search(line)
    ]

    assert not offenders
