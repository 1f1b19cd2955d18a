"""The console's own Django app: commands and system checks that concern the whole."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Registers the system checks of the configuration."""

    name = "config"
    verbose_name = "Console"

    def ready(self) -> None:
        """Make the checks known."""
        from config import checks  # noqa: F401
