"""Saving an integration whose hidden fields hold something: list what would be cleared, and ask.

What the person typed, secrets among it, waits in the page as one encrypted text, never in the clear.
"""

from __future__ import annotations

import json
import time
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

from integrations.admin.responses import page
from integrations.secrets import SecretUnreadable, decrypt, encrypt

WAITING = "_waiting"
MINUTES = 30


def restore(request: HttpRequest, object_id: str | None) -> None:
    """Put back what was typed when the person has confirmed; a text that is not theirs is ignored."""
    waiting = request.POST.get(WAITING, "")
    if request.method != "POST" or not waiting:
        return
    try:
        told = json.loads(decrypt(waiting))
    except (SecretUnreadable, ValueError):
        return
    own = told["user"] == request.user.pk and told["object"] == object_id
    if own and time.time() - told["time"] < MINUTES * 60:
        request.POST = QueryDict(told["values"])
        request._clearing_confirmed = True  # type: ignore[attr-defined]


def confirmed(request: HttpRequest) -> bool:
    """Whether this request carries a confirmation that ``restore`` has accepted."""
    return getattr(request, "_clearing_confirmed", False)


def form_to_confirm(response: HttpResponse) -> Any:
    """The form of a response that was not saved only because clearing is not confirmed; else None."""
    context = getattr(response, "context_data", None) or {}
    form = getattr(context.get("adminform"), "form", None)
    if form is None or not getattr(form, "to_clear", None) or form.clearing_confirmed:
        return None
    return form if list(form.errors) == ["__all__"] else None


def ask(request: HttpRequest, site: AdminSite, form: Any, object_id: str | None) -> TemplateResponse:
    """The page that lists what would be cleared. Its Save goes to the form's own address."""
    told = {
        "user": request.user.pk,
        "object": object_id,
        "time": time.time(),
        "values": request.POST.urlencode(),
    }
    return page(
        request,
        site,
        "console/confirm_clearing.html",
        title="Clear hidden fields?",
        name=form.cleaned_data.get("name") or form.instance.name,
        cleared=form.to_clear,
        waiting=encrypt(json.dumps(told)),
        field=WAITING,
        back=reverse("admin:integrations_integration_changelist"),
    )
