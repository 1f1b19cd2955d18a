"""Who may import what, beyond the layers that import-linter watches in `make lint`."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, modules, name_of, uses

PURE = (
    "students.codes",
    "students.differ",
    "students.families",
    "students.records",
    "mapping.transformations",
)
OPENS_SOCKETS = ("http.client", "urllib.request", "urllib3", "requests", "requests_hardened", "httpx")
RAW_SOCKET = re.compile(r"socket\.(socket|create_connection|create_server)\b|from socket import")
# `reasons` reads the exceptions of these libraries and sends nothing.
MAY_OPEN = ("integrations.http", "integrations.reasons", "integrations.sandbox")
VENDORS = sorted(
    folder.name for folder in (ROOT / "integrations/connectors").iterdir() if (folder / "__init__.py").exists()
)


@pytest.mark.parametrize("name", PURE)
def test_values_know_no_django(name: str) -> None:
    paths = [path for path in modules() if name_of(path) == name or name_of(path).startswith(f"{name}.")]

    assert not {path.name: used for path in paths if (used := uses(path, "django"))}


def test_only_the_http_module_opens_sockets() -> None:
    offenders = [
        name_of(path)
        for path in modules("students", "mapping", "integrations")
        if not name_of(path).startswith(MAY_OPEN)
        and (uses(path, *OPENS_SOCKETS) or RAW_SOCKET.search(path.read_text()))
    ]

    assert not offenders


def test_only_the_admin_base_imports_unfold() -> None:
    offenders = [name_of(path) for path in modules() if uses(path, "unfold")]

    assert offenders == ["config.admin_base"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_vendor_imports_another(vendor: str) -> None:
    others = [f"integrations.connectors.{other}" for other in VENDORS if other != vendor]
    folder = f"integrations/connectors/{vendor}"

    assert not {name_of(path): used for path in modules(folder) if (used := uses(path, *others))}


def test_only_the_registry_names_a_vendors_folder() -> None:
    folders = [f"integrations.connectors.{vendor}" for vendor in VENDORS]
    offenders = {
        name_of(path): used
        for path in modules()
        if not name_of(path).startswith(tuple(folders)) and (used := uses(path, *folders))
    }

    assert not offenders
