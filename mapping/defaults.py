"""The data entity mappings that come with the console, so that a registrar fills in only what is local.

The tables stand in ``mapping/shipped/*.json``, one file for each system and one for all: a list of
``{"name", "entity", "values": {external value: our value}}``. Left out on purpose are Building and Academic
Year, which are every district's own, and codes our vocabulary has no value for (a race not stated): such a
code is counted as unmapped, and the district decides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "shipped"


def shipped_mappings() -> list[dict[str, Any]]:
    """Every shipped mapping as ``{"name", "entity", "values"}``, in the order of files and of each file."""
    return [one for path in sorted(FOLDER.glob("*.json")) for one in json.loads(path.read_text("utf-8"))]


def shipped_for(system: str) -> dict[str, str]:
    """Entity → name of the shipped mapping that fits a system key, such as ``state`` → ``State (USPS)``."""
    names = (f"{system}.json", "general.json")
    paths = [path for path in sorted(FOLDER.glob("*.json")) if path.name in names]
    return {one["entity"]: one["name"] for path in paths for one in json.loads(path.read_text("utf-8"))}


def ship(mapping_model: Any, value_model: Any) -> list[str]:
    """Store the shipped mappings that are not there yet; their names.

    A mapping whose name exists is left exactly as it is, so that nothing a person edited comes back. The
    models are arguments because a migration has its own.
    """
    known = set(mapping_model.objects.values_list("name", flat=True))
    added = [one for one in shipped_mappings() if one["name"] not in known]
    for one in added:
        mapping = mapping_model.objects.create(name=one["name"], entity=one["entity"])
        value_model.objects.bulk_create(
            value_model(mapping=mapping, external_value=external, value=ours)
            for external, ours in one["values"].items()
        )
    return [str(one["name"]) for one in added]
