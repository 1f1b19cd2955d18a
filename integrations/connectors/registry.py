"""The kinds of student information system we know: the one line that adds a vendor stands here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .base import Connector
from .options import COMMON, Option

SYSTEMS: dict[str, tuple[str, str]] = {
    "aeries": ("Aeries", "integrations.connectors.aeries.connector:AeriesConnector"),
    "illuminate": ("Illuminate", "integrations.connectors.illuminate.connector:IlluminateConnector"),
    "powerschool": ("PowerSchool", "integrations.connectors.powerschool.connector:PowerSchoolConnector"),
    "oneroster": ("OneRoster", "integrations.connectors.oneroster.connector:OneRosterConnector"),
    "schooltool": ("SchoolTool", "integrations.connectors.schooltool.connector:SchoolToolConnector"),
    "powerschool_query": (
        "PowerSchool Query",
        "integrations.connectors.powerschool_query.connector:PowerSchoolQueryConnector",
    ),
}


def connector_class(system: str) -> type[Connector]:
    """The connector of a system key such as ``aeries``. Raises KeyError for an unknown key."""
    module, name = SYSTEMS[system][1].split(":")
    found: type[Connector] = getattr(import_module(module), name)
    return found


def known_options(system: str) -> Mapping[str, Option]:
    """The options the connector of a system key takes, its own first: the ``OPTIONS`` of its module and COMMON."""
    own: Mapping[str, Option] = getattr(import_module(SYSTEMS[system][1].partition(":")[0]), "OPTIONS", {})
    return {**own, **{key: option for key, option in COMMON.items() if key not in own}}
