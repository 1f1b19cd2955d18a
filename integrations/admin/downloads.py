"""What a district installs in its system, to download from the form of an integration."""

from __future__ import annotations

from mimetypes import guess_type

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header

from integrations.connectors.registry import SYSTEMS
from integrations.models import Integration
from integrations.offering import offered_files


def links(integration: Integration | None) -> list[tuple[str, str, str]]:
    """System, file name and address of each file: those of the integration, on an empty form those of all systems."""
    if integration is not None:
        names = offered_files(integration.system, options=integration.options)
        keys = [(integration.get_system_display(), name, [integration.pk, name]) for name in names]
        return [(title, name, reverse("admin:integrations_integration_file", args=args)) for title, name, args in keys]
    return [
        (title, name, reverse("admin:integrations_integration_system_file", args=[system, name]))
        for system, (title, _) in SYSTEMS.items()
        for name in offered_files(system)
    ]


def file_of(name: str, *, system: str, integration: Integration | None = None) -> HttpResponse:
    """One of the files as an attachment: for the integration, else for one with the usual options.

    Raises Http404 when the system offers no such file.
    """
    known = offered_files(system, options=integration.options if integration else {}) if system in SYSTEMS else {}
    if name not in known:
        raise Http404
    headers = {"Content-Disposition": content_disposition_header(True, name) or "attachment"}
    kind = guess_type(name)[0] or "application/octet-stream"
    return HttpResponse(known[name], content_type=kind, headers=headers)
