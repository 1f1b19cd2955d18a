"""What every screen shows around its own content: the page of the help it belongs to, and whose time it tells."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from config.navigation import LISTINGS

ZONES = {
    "Pacific/Honolulu": "Hawaii time",
    "America/Anchorage": "Alaska time",
    "America/Los_Angeles": "Pacific time",
    "America/Phoenix": "Arizona time",
    "America/Denver": "Mountain time",
    "America/Chicago": "Central time",
    "America/New_York": "Eastern time",
    "America/Puerto_Rico": "Atlantic time",
}
# The names of addresses, by how they begin → a page of the help. The first that fits counts.
HELP = {
    "index": "dashboard",
    "integrations_syncrun_undo": "undo",
    "integrations_syncrun": "sync-runs",
    "integrations_change": "sync-runs",
    "integrations_keepenrolled": "held-runs",
    "integrations_scheduledjob": "job-scheduler",
    "integrations_schedulepause": "job-scheduler",
    "integrations_matchdecision": "review-queue",
    "integrations_recordissue": "issues-and-unmapped-codes",
    "integrations_unmappedcode": "issues-and-unmapped-codes",
    "integrations_": "integrations",
    "mapping_": "data-entity-mappings",
    "students_fieldownership": "field-ownership",
    "students_schoolscope": "security",
    "students_studentmerge": "duplicate-students",
    "students_school": "dashboard",
    "students_academicyear": "dashboard",
    "students_": "students-and-families",
    "auth_": "security",
}


def around(request: HttpRequest) -> dict[str, str]:
    """For every template: ``help_link``, ``district_time`` such as "Pacific time (PST)", and ``list_name``.

    list_name: what the sidebar calls the list the screen belongs to; "" for a screen that belongs to none.
    """
    found = request.resolver_match
    name = (found.url_name or "") if found else ""
    page = next((page for start, page in HELP.items() if name.startswith(start)), "")
    link = reverse("help-page", args=[page]) if page else reverse("help")
    return {"help_link": link, "district_time": district_time(), "list_name": _list_name(name)}


def _list_name(address: str) -> str:
    lines = (line for group in LISTINGS.values() for line in group)
    return next((title for title, _, app, model in lines if address.startswith(f"{app}_{model}_")), "")


def district_time() -> str:
    """The district's time zone in words, with the letters that hold today."""
    now = timezone.now().astimezone(ZoneInfo(settings.TIME_ZONE))
    place = settings.TIME_ZONE.rpartition("/")[2].replace("_", " ")
    return f"{ZONES.get(settings.TIME_ZONE, f'{place} time')} ({now:%Z})"
