"""What a district installs can be downloaded by those who may see integrations, and downloading changes nothing."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from integrations.models import Integration
from tests.factories.integrations import IntegrationFactory

pytestmark = pytest.mark.django_db
FILE = "sis-console-sync-plugin.zip"
ALLERGIES = b'field="ALLERGIES"'


def integration_of(system: str = "powerschool_query", **values: Any) -> Integration:
    """An integration of a system."""
    return IntegrationFactory.create(system=system, **values)


def address(integration: Integration, name: str = FILE) -> str:
    """Where a file of the integration is."""
    return reverse("admin:integrations_integration_file", args=[integration.pk, name])


def page(client: Client, integration: Integration) -> str:
    """The page of the integration."""
    path = reverse("admin:integrations_integration_change", args=[integration.pk])
    return client.get(path).content.decode()


def plugin_of(response: Any) -> bytes:
    """The plugin.xml in a downloaded plugin."""
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return archive.read("plugin.xml")


def test_the_page_offers_the_file_and_the_file_is_sent(registrar: Client) -> None:
    integration = integration_of()
    before = list(Integration.objects.values())

    assert f'href="{address(integration)}"' in page(registrar, integration)
    response = registrar.get(address(integration))

    assert response.headers["Content-Disposition"] == f'attachment; filename="{FILE}"'
    assert response.headers["Content-Type"] == "application/zip"
    assert ALLERGIES in plugin_of(response)
    assert list(Integration.objects.values()) == before


def test_the_file_asks_for_no_more_than_the_integration_reads(registrar: Client) -> None:
    integration = integration_of(options={"allergies": False})

    assert ALLERGIES not in plugin_of(registrar.get(address(integration)))


def test_the_file_is_offered_before_there_is_an_integration(registrar: Client) -> None:
    path = reverse("admin:integrations_integration_system_file", args=["powerschool_query", FILE])
    form = registrar.get(reverse("admin:integrations_integration_add")).content.decode()

    assert f'href="{path}"' in form
    assert ALLERGIES in plugin_of(registrar.get(path))


def test_nothing_is_offered_for_a_system_that_needs_nothing(registrar: Client) -> None:
    integration = integration_of("aeries")

    assert "Download" not in page(registrar, integration)
    assert registrar.get(address(integration)).status_code == 404


@pytest.mark.parametrize(("system", "name"), [("powerschool_query", "other.zip"), ("aeries", FILE), ("nobody", FILE)])
def test_an_unknown_file_is_not_found(registrar: Client, system: str, name: str) -> None:
    path = reverse("admin:integrations_integration_system_file", args=[system, name])

    assert registrar.get(path).status_code == 404


def test_who_may_not_see_integrations_may_not_download(client: Client) -> None:
    integration = integration_of()
    client.force_login(User.objects.create_user("visitor", is_staff=True))

    of_the_system = reverse("admin:integrations_integration_system_file", args=[integration.system, FILE])
    for path in (address(integration), of_the_system):
        assert client.get(path).status_code == 403
