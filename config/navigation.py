"""The sidebar: groups in the order of a registrar's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from django.http import HttpRequest
from django.urls import reverse


class Item(TypedDict, total=False):
    """One line of the sidebar."""

    title: str
    icon: str
    link: str
    permission: Callable[[HttpRequest], bool]


class Group(TypedDict):
    """Lines under one heading."""

    title: str
    separator: bool
    items: list[Item]


# Heading → (title, icon, app, model) of each line.
LISTINGS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "Students": (
        ("Students", "school", "students", "student"),
        ("Families", "family_restroom", "students", "family"),
        ("Contacts", "contacts", "students", "contact"),
        ("Enrollments", "how_to_reg", "students", "enrollment"),
        ("Duplicate Students", "merge", "students", "studentmerge"),
    ),
    "Synchronization": (
        ("SIS Integrations", "sync_alt", "integrations", "integration"),
        ("Job Scheduler", "schedule", "integrations", "scheduledjob"),
        ("Sync Runs", "history", "integrations", "syncrun"),
        ("Review Queue", "compare_arrows", "integrations", "matchdecision"),
        ("Issues", "report", "integrations", "recordissue"),
        ("Unmapped Codes", "question_mark", "integrations", "unmappedcode"),
        ("Kept Enrollments", "bookmark", "integrations", "keepenrolled"),
    ),
    "Configuration": (
        ("Data Entity Mappings", "translate", "mapping", "dataentitymapping"),
        ("Field Ownership", "key", "students", "fieldownership"),
        ("Schools", "domain", "students", "school"),
        ("Academic Years", "calendar_month", "students", "academicyear"),
        ("Sync Connections", "link", "integrations", "schoolconnection"),
        ("Schedule Pauses", "pause_circle", "integrations", "schedulepause"),
    ),
    "People and access": (
        ("Users", "person", "auth", "user"),
        ("Groups", "group", "auth", "group"),
        ("School Scopes", "visibility", "students", "schoolscope"),
    ),
}


def sidebar(_request: HttpRequest) -> list[Group]:
    """All groups, for Unfold's SIDEBAR.navigation; each line says who may see it."""
    dashboard = Item(title="Dashboard", icon="dashboard", link=reverse("admin:index"))
    groups = [Group(title="", separator=False, items=[dashboard])]
    for title, lines in LISTINGS.items():
        groups.append(Group(title=title, separator=True, items=[_listing(*line) for line in lines]))
    return groups


def _listing(title: str, icon: str, app: str, model: str) -> Item:
    """A line that leads to a model's list, shown to those who may view it."""

    def may_view(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}")

    return Item(title=title, icon=icon, link=reverse(f"admin:{app}_{model}_changelist"), permission=may_view)
