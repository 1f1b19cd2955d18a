"""The Django app `integrations`."""

from __future__ import annotations

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Names the app on the screens."""

    name = "integrations"
    verbose_name = "Student Information Systems"

    def ready(self) -> None:
        """Let the next import look again at students whom a person has edited."""
        from integrations.services import listen_for_edits

        listen_for_edits()
