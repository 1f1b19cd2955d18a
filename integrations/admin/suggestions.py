"""Suggested values, each for a person to tick: a system's codes beside a mapping, and many unmapped codes at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations import code_inbox, code_lists
from integrations.admin.responses import page
from integrations.errors import IntegrationError, RunRefused
from integrations.models import Integration, SyncRun, UnmappedCode
from integrations.models.integration import MAPPING_FIELDS
from mapping.choices import our_values
from mapping.models import DataEntityMapping, Entity
from students.scope import allowed_schools

INBOX = "admin:integrations_unmappedcode_changelist"
MOST_AT_ONCE = 200


def suggest_values(request: HttpRequest, site: AdminSite, pk: int) -> HttpResponse:
    """For one mapping: choose an integration (GET), ask its system and show what it suggests, or save (POST)."""
    mapping = get_object_or_404(DataEntityMapping, pk=pk)
    _may_look(request, "mapping.view_dataentitymapping")
    context: dict[str, Any] = {
        "title": f"Suggest values for {mapping.name}",
        "mapping": mapping,
        "integrations": _integrations(mapping),
        "may_ask": request.user.has_perm("integrations.run_import"),
        "may_map": request.user.has_perm("mapping.add_dataentitymappingvalue"),
        "back": reverse("admin:mapping_dataentitymapping_change", args=[pk]),
    }
    chosen = request.POST.get("integration") or request.GET.get("integration", "")
    integration = next((one for one in context["integrations"] if str(one.pk) == chosen), None)
    context["integration"] = integration
    if request.method != "POST":
        return page(request, site, "console/suggest_values.html", **context)
    if not context["may_ask"]:
        raise PermissionDenied
    if integration is None:
        messages.error(request, "Choose the integration whose system is to be asked.")
        return page(request, site, "console/suggest_values.html", **context)
    if "save" in request.POST and (answer := _accept(request, mapping)):
        return answer
    try:
        found = code_lists.compare(mapping, integration=integration)
    except IntegrationError as error:
        messages.error(request, error.message)
        return page(request, site, "console/suggest_values.html", **context)
    offered = our_values(mapping.entity).items()
    rows = [
        _row(one.code.code, one.suggestion, request=request, proposal=one, offered=offered) for one in found.proposals
    ]
    context |= {"found": found, "rows": rows}
    return page(request, site, "console/suggest_values.html", **context)


def map_several(request: HttpRequest, site: AdminSite, codes: Iterable[UnmappedCode]) -> HttpResponse:
    """Many unmapped codes on one page, each with its suggestion; saving adds those that are ticked."""
    may_map = request.user.has_perm("mapping.add_dataentitymappingvalue")
    _may_look(request, "integrations.view_unmappedcode")
    open_codes = [one for one in codes if code_inbox.mapping_of(one) is not None]
    known = code_inbox.values_of(open_codes)
    shown = [one for one in open_codes if one.pk not in known][:MOST_AT_ONCE]
    if request.method == "POST":
        if not may_map:
            raise PermissionDenied
        if answer := _map(request, shown):
            return answer
    suggested = code_lists.suggestions(shown)
    rows = [_row(str(one.pk), suggested.get(one.pk), request=request, unmapped=one) for one in shown]
    for row in rows:
        entity, value = row["unmapped"].entity, row["unmapped"].value
        row |= {
            "offered": our_values(entity).items(),
            "entity": Entity(entity).label,
            "shown": f"“{value}”" if value.strip() else "(blank)",
        }
    left = len(open_codes) - len(known) - len(shown)
    return page(
        request,
        site,
        "console/map_several.html",
        title="Map several codes",
        rows=rows,
        left=left,
        may_map=may_map,
        may_run=request.user.has_perm("integrations.run_import"),
        back=reverse(INBOX),
    )


def tell_mapped(request: HttpRequest, told: code_inbox.Mapped) -> None:
    """Say which students are imported again, and who waits for the next import."""
    for sentence in told.waiting:
        messages.warning(request, f"{sentence} The students are looked at again with the next import.")
    if not told.runs and not told.waiting:
        messages.info(request, "The next import takes it.")
    for run in told.runs:
        messages.success(request, run_told(run))


def run_told(run: SyncRun) -> SafeString:
    """A sentence on a run that was queued, with the way to its page."""
    count = len(run.scope_students)
    url = reverse("admin:integrations_syncrun_change", args=[run.pk])
    who = "1 student" if count == 1 else f"{count:,} students"
    told = '{} of {} {} imported again: <a class="console-link" href="{}">run {}</a>. Nobody else is touched.'
    return format_html(told, who, run.integration.name, "is" if count == 1 else "are", url, run.pk)


def _accept(request: HttpRequest, mapping: DataEntityMapping) -> HttpResponse | None:
    """Save the ticked rows of one mapping; None, with the reason told, when nothing could be saved."""
    if not request.user.has_perm("mapping.add_dataentitymappingvalue"):
        raise PermissionDenied
    chosen = _ticked(request)
    if not chosen:
        messages.error(request, "Nothing is ticked, so nothing was saved.")
        return None
    may_run = request.user.has_perm("integrations.run_import")
    try:
        added, told = code_lists.accept(mapping, chosen=chosen, user=request.user, run=may_run)
    except RunRefused as error:
        messages.error(request, f"Nothing was saved. {error.message}")
        return None
    messages.success(request, f"{added} value{'' if added == 1 else 's'} added to {mapping.name}.")
    tell_mapped(request, told)
    return HttpResponseRedirect(reverse("admin:mapping_dataentitymapping_change", args=[mapping.pk]))


def _map(request: HttpRequest, shown: Iterable[UnmappedCode]) -> HttpResponse | None:
    """Save the ticked rows of the inbox; None, with the reason told, when nothing could be saved."""
    ticked = _ticked(request)
    chosen = {one: ticked[str(one.pk)] for one in shown if str(one.pk) in ticked}
    if not chosen:
        messages.error(request, "Nothing is ticked, so nothing was saved.")
        return None
    may_run = request.user.has_perm("integrations.run_import")
    try:
        told = code_inbox.map_codes(chosen, user=request.user, run=may_run)
    except RunRefused as error:
        messages.error(request, f"Nothing was saved. {error.message}")
        return None
    messages.success(request, f"{len(chosen)} code{'' if len(chosen) == 1 else 's'} added to the mappings.")
    tell_mapped(request, told)
    return HttpResponseRedirect(reverse(INBOX))


def _ticked(request: HttpRequest) -> dict[str, str]:
    """Key of a ticked row → the value chosen in it; keys and values stand in the same order as the rows."""
    keys, values = request.POST.getlist("key"), request.POST.getlist("value")
    ticks = set(request.POST.getlist("tick"))
    return {key: value for key, value in zip(keys, values, strict=False) if key in ticks}


def _row(key: str, suggestion: Any, *, request: HttpRequest, **more: Any) -> dict[str, Any]:
    """What the template shows of a row: as posted before, else the suggestion, unticked."""
    posted = dict(zip(request.POST.getlist("key"), request.POST.getlist("value"), strict=False))
    suggested = suggestion.value if suggestion else ""
    return {
        "key": key,
        "chosen": posted.get(key, suggested),
        "suggested": suggested,
        "reason": suggestion.reason if suggestion else "",
        "ticked": key in request.POST.getlist("tick"),
        **more,
    }


def _integrations(mapping: DataEntityMapping) -> list[Integration]:
    """The active integrations that can be asked for the mapping's entity, those that use it first."""
    assert mapping.entity in MAPPING_FIELDS
    every: list[Integration] = list(Integration.objects.filter(active=True))
    return sorted(every, key=lambda one: (getattr(one, f"{mapping.entity}_id") != mapping.pk, one.name))


def _may_look(request: HttpRequest, permission: str) -> None:
    """Codes belong to no school, so they are for people who may see all."""
    if not request.user.has_perm(permission) or allowed_schools(request.user) is not None:
        raise PermissionDenied
