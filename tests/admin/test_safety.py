"""Nothing changes on GET; every group may do what it says; nothing raw on the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from config.navigation import LISTINGS
from integrations.groups import GROUPS
from integrations.models import Integration, SyncRun
from tests.factories.integrations import IntegrationFactory, SyncRunFactory, UnmappedCodeFactory

pytestmark = pytest.mark.django_db
ACTIONS = ("run", "check", "resume")


@pytest.mark.parametrize("action", ACTIONS)
def test_integration_button_is_post_only(approver: Client, action: str) -> None:
    integration = IntegrationFactory.create()

    response = approver.get(reverse(f"admin:integrations_integration_{action}", args=[integration.pk]))

    assert response.status_code == 405


def test_run_pages_change_nothing_on_get(approver: Client) -> None:
    run = SyncRunFactory.create(status="held")
    before = list(SyncRun.objects.values())

    for name in ("change", "progress", "held", "undo"):
        approver.get(reverse(f"admin:integrations_syncrun_{name}", args=[run.pk]))
    cancelled = approver.get(reverse("admin:integrations_syncrun_cancel", args=[run.pk]))

    assert cancelled.status_code == 405
    assert list(SyncRun.objects.values()) == before


def test_no_screen_has_an_action_that_runs_on_get() -> None:
    kinds = ("actions_list", "actions_row", "actions_detail", "actions_submit_line")
    plain = [
        (type(screen).__name__, kind, name)
        for screen in admin.site._registry.values()
        for kind in kinds
        for name in getattr(screen, kind, ())
        if not getattr(getattr(screen, name), "dialog", None)
    ]

    assert plain == []


def test_groups_are_shipped_with_their_permissions(looker: Client) -> None:
    for name, codes in GROUPS.items():
        rows = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in rows} == set(codes)


def test_limited_access_may_import_and_look_but_not_change(looker: Client) -> None:
    integration = IntegrationFactory.create(family_identifier=["head_of_household_last_name"])
    page = reverse("admin:integrations_integration_change", args=[integration.pk])

    shown = looker.get(page)
    refused = looker.post(page, {"name": "Mine", "import_enabled": ""})
    looker.post(reverse("admin:integrations_integration_run", args=[integration.pk]))

    assert shown.status_code == 200
    page_text = shown.content.decode()
    assert "stored-token" not in page_text
    assert "Token: stored" in page_text
    assert "Head of Household Last Name" in page_text
    assert refused.status_code == 403
    assert Integration.objects.get().import_enabled
    assert SyncRun.objects.count() == 1


def test_person_without_a_group_may_not_run(sign_in: Any) -> None:
    integration = IntegrationFactory.create()
    client = sign_in("View Registrations")

    assert client.post(reverse("admin:integrations_integration_run", args=[integration.pk])).status_code in (
        403,
        404,
    )
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    "listing", [(app, model) for lines in LISTINGS.values() for _, _, app, model in lines], ids="_".join
)
def test_every_line_of_the_sidebar_opens(admin_client: Client, listing: tuple[str, str]) -> None:
    page = admin_client.get(reverse(f"admin:{listing[0]}_{listing[1]}_changelist"))

    assert page.status_code == 200


def test_what_may_not_be_seen_is_not_in_the_sidebar(sign_in: Any) -> None:
    page = sign_in("View Registrations").get(reverse("admin:index")).content.decode()

    assert "SIS Integrations" not in page
    assert "Dashboard" in page


def test_dashboard_of_an_empty_console_says_what_to_do_first(registrar: Client) -> None:
    page = registrar.get(reverse("admin:index")).content.decode()

    assert "What to do first" in page
    assert "Add an integration" in page


def test_dashboard_counts_what_needs_a_person(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="County SIS")
    SyncRunFactory.create(integration=integration, status="complete")
    SyncRunFactory.create(integration=integration, status="held", finished=None)
    SyncRunFactory.create(status="failed")
    failed_once = SyncRunFactory.create(status="failed")
    SyncRunFactory.create(integration=failed_once.integration)
    UnmappedCodeFactory.create(integration=integration)

    page = registrar.get(reverse("admin:index"))

    tasks = {task.what: task.number for task in page.context["tasks"]}
    assert tasks == {"held for approval": 1, "failed and not run again since": 1, "unmapped codes": 1}
    assert b"County SIS" in page.content
    assert b"What to do first" not in page.content


def test_missing_object_is_not_found(registrar: Client) -> None:
    for app, model in (("students", "student"), ("integrations", "syncrun"), ("integrations", "integration")):
        assert registrar.get(reverse(f"admin:{app}_{model}_change", args=[999_999])).status_code == 404


def test_check_connection_tells_what_is_wrong_and_what_to_do(registrar: Client) -> None:
    integration = IntegrationFactory.create(url="https://127.0.0.1:9")

    page = registrar.post(reverse("admin:integrations_integration_check", args=[integration.pk]))

    assert page.status_code == 200
    assert "The connection does not work yet" in page.content.decode()
    assert any(check.remedy or check.message for check in page.context["checks"] if not check.ok)
