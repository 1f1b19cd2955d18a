"""Whether the settings of an integration can work: address and options as they stand, and what the system says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone

from integrations.connectors.base import Check, Connector
from integrations.connectors.registry import connector_class
from integrations.errors import ConfigurationError, IntegrationError
from integrations.http import checked_address
from integrations.inbound.academic_year import AUTOMATIC, imported
from integrations.inbound.rules import connection_of
from integrations.models import Integration
from integrations.system_fields import FIELDS
from mapping.models import DataEntityMappingValue


def connection_faults(values: Mapping[str, Any], *, system: str) -> dict[str, str]:
    """Why address or options of an integration cannot be stored: field → one sentence; {} when they can.

    values: ``url`` and ``options``; a blank address has no fault here. The system must have a connector.
    """
    told = {
        "url": _address_fault(values["url"], label=FIELDS[system].label("url")),
        "options": _options_fault(values.get("options") or {}, system=system),
    }
    return {field: sentence for field, sentence in told.items() if sentence}


def _options_fault(options: Mapping[str, Any], *, system: str) -> str:
    rules = FIELDS[system]
    for key in rules.addresses:
        if fault := _address_fault(str(options.get(key, "")), label=rules.label(key)):
            return fault
    try:
        connector_class(system).check_options(options)
    except ConfigurationError as error:
        return error.message
    return ""


def _address_fault(url: str, *, label: str) -> str:
    if not url.strip():
        return ""
    try:
        checked_address(url, frozenset(settings.SIS_ALLOWED_HOSTS))
    except ConfigurationError as error:
        return error.message.replace("The Url ", f"The {label} ", 1)
    return ""


def check_integration(integration: Integration) -> list[Check]:
    """One line a thing looked at, in order up to what fails; nothing is stored, no failure is raised.

    Settings that no connection can be made with are a failed line ``Settings``. Where a Building mapping is
    chosen, schools of it are tried, and the last line says whether the system has them all.
    """
    codes = DataEntityMappingValue.objects.filter(mapping=integration.building_id).values_list("external_value")
    buildings = tuple(sorted(code.strip() for (code,) in codes))
    try:
        connection = connection_of(integration, today=timezone.localdate())
        connector = connector_class(integration.system)(msgspec.structs.replace(connection, buildings=buildings))
    except IntegrationError as error:
        return [Check("Settings", False, error.message, "Correct the settings of the integration.")]
    try:
        lines = connector.check()
        if integration.building_id and all(line.ok for line in lines):
            lines.append(_building_line(connector, buildings))
        return [_year_line(integration), *lines]
    except IntegrationError as error:
        return [Check("Connection", False, error.message)]
    finally:
        connector.close()


def _year_line(integration: Integration) -> Check:
    """Which academic year an import would be of now, and whether it is over."""
    now = imported(integration, today=timezone.localdate())
    if now.warning:
        return Check("Academic year imported", False, now.warning, f"Choose {now.began}, or “{AUTOMATIC}”.")
    return Check("Academic year imported", True, f"{now.words}.")


def _building_line(connector: Connector, buildings: tuple[str, ...]) -> Check:
    """Whether the system lists every school of the Building mapping."""
    listed = {school.code for school in connector.schools()}
    remedy = "Correct the External Values of the Building mapping, or ask the district about the school."
    if not buildings:
        return Check("Building", False, "The Building mapping is empty, so an import would read no school.", remedy)
    if unknown := [code for code in buildings if code not in listed]:
        others = ", ".join(sorted(listed)) or "none"
        told = f"The system has no school {', '.join(unknown)} of the Building mapping. It has: {others}."
        return Check("Building", False, told, remedy)
    return Check("Building", True, f"The system has all {len(buildings)} schools of the Building mapping.")


def check_named(name: str) -> list[tuple[Integration, list[Check]]]:
    """The checks of the integration of that name, or of every active one, by name, when it is blank.

    Raises Integration.DoesNotExist for an unknown name.
    """
    chosen = [Integration.objects.get(name=name)] if name else Integration.objects.filter(active=True)
    return [(one, check_integration(one)) for one in chosen]
