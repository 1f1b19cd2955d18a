"""The vendors the sandbox can play, and how to start one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from integrations.sandbox.district import District
from integrations.sandbox.server import Sandbox, Vendor, start_vendor

SERVERS: dict[str, str] = {
    "aeries": "integrations.sandbox.aeries:Aeries",
    "illuminate": "integrations.sandbox.illuminate:Illuminate",
    "powerschool": "integrations.sandbox.powerschool:PowerSchool",
    "oneroster": "integrations.sandbox.oneroster:OneRoster",
    "schooltool": "integrations.sandbox.schooltool:SchoolTool",
    "powerschool_query": "integrations.sandbox.powerschool_powerquery:PowerSchoolQuery",
}


def vendor_class(key: str) -> type[Vendor]:
    """The Vendor class of a key. KeyError names the keys there are."""
    if key not in SERVERS:
        raise KeyError(f"there is no sandbox for {key!r}; there are {', '.join(sorted(SERVERS))}")
    module, _, name = SERVERS[key].partition(":")
    found: type[Vendor] = getattr(import_module(module), name)
    return found


def start(
    key: str,
    district: District | None = None,
    *,
    students: int = 500,
    seed: int = 1,
    port: int = 0,
    host: str = "127.0.0.1",
    **switches: Any,
) -> Sandbox:
    """Start the server of one vendor and return it; use it as a context manager, or call `stop`.

    Without `district` it shows a generated one of `students` children. `truth_path=` also writes the truth
    log as JSON lines; any other keyword is a switch of the vendor (its class lists them).
    """
    return start_vendor(vendor_class(key), district, students=students, seed=seed, port=port, host=host, **switches)
