"""Files that a district installs in its system before the console can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.connectors.base import Offering
from integrations.connectors.registry import connector_class


def offered_files(system: str, *, options: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """File name → content of what an integration with this system and these options asks a district to install.

    {} for the systems that need nothing of the kind. Raises ConfigurationError for options that do not fit.
    """
    connector = connector_class(system)
    return connector.files(options or {}) if issubclass(connector, Offering) else {}
