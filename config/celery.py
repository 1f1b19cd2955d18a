"""The Celery application. Messages carry ids only; what is true stands in the database."""

from __future__ import annotations

import logging.config
import os
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# It warns of a worker run as root, for the sake of pickled messages; ours are JSON only.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="clock")


@setup_logging.connect
def use_our_logging(**_kwargs: Any) -> None:
    """Worker and beat log as the web does, instead of in Celery's own way."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
