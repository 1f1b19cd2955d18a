"""The kinds of student information system we know: the one line that adds a vendor stands here."""

from __future__ import annotations

from importlib import import_module

from .base import Connector

SYSTEMS: dict[str, tuple[str, str]] = {
    "aeries": ("Aeries", "integrations.connectors.aeries.connector:AeriesConnector"),
    "powerschool": ("PowerSchool", "integrations.connectors.powerschool.connector:PowerSchoolConnector"),
}


def connector_class(system: str) -> type[Connector]:
    """The connector of a system key such as ``aeries``. Raises KeyError for an unknown key."""
    module, name = SYSTEMS[system][1].split(":")
    found: type[Connector] = getattr(import_module(module), name)
    return found
