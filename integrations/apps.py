"""The Django app `integrations`."""

from __future__ import annotations

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Names the app on the screens."""

    name = "integrations"
    verbose_name = "Student Information Systems"
