"""What the actions of several screens answer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from integrations.errors import RunRefused


def run_page(run_id: int) -> HttpResponseRedirect:
    """To the page of a run."""
    return HttpResponseRedirect(reverse("admin:integrations_syncrun_change", args=[run_id]))


def refused(request: HttpRequest, error: RunRefused, *, back: str) -> HttpResponseRedirect:
    """Tell why nothing was done, back where the person came from."""
    messages.error(request, error.message)
    return HttpResponseRedirect(came_from(request, otherwise=back))


def came_from(request: HttpRequest, *, otherwise: str) -> str:
    """The page of ours the person came from."""
    referer = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return referer if referer and safe else otherwise


def page(request: HttpRequest, site: AdminSite, template: str, **context: Any) -> TemplateResponse:
    """A page of the admin, with its sidebar and header."""
    return TemplateResponse(request, template, {**site.each_context(request), **context})
