"""Asks an integration's system whether address, credentials and permissions are right."""

from __future__ import annotations

from django.utils import timezone

from integrations.connectors.base import Check
from integrations.connectors.registry import connector_class
from integrations.errors import IntegrationError
from integrations.inbound.rules import connection_of
from integrations.models import Integration


def check_integration(integration: Integration) -> list[Check]:
    """One line a thing looked at, in order up to what fails; nothing is stored, no failure is raised.

    Settings that no connection can be made with are a failed line ``Settings``.
    """
    try:
        connector = connector_class(integration.system)(connection_of(integration, today=timezone.localdate()))
    except IntegrationError as error:
        return [Check("Settings", False, error.message, "Correct the settings of the integration.")]
    try:
        return connector.check()
    except IntegrationError as error:
        return [Check("Connection", False, error.message)]
    finally:
        connector.close()


def check_named(name: str) -> list[tuple[Integration, list[Check]]]:
    """The checks of the integration of that name, or of every active one, by name, when it is blank.

    Raises Integration.DoesNotExist for an unknown name.
    """
    chosen = [Integration.objects.get(name=name)] if name else Integration.objects.filter(active=True)
    return [(one, check_integration(one)) for one in chosen]
