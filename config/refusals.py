"""The pages for what cannot be shown: each says why and leads back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: there is no such page, or it is of a school this person may not see."""
    return _page(
        request,
        404,
        "This page does not exist",
        "What it showed may have been deleted, or it belongs to a school you are not allowed to see. "
        "If you typed the address, look whether it is complete.",
    )


def not_allowed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: the person's groups do not allow it."""
    return _page(
        request,
        403,
        "You are not allowed to do this",
        "Your groups do not include it. Ask whoever gives out the groups of this console. Nothing was changed.",
    )


def too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form was sent without the mark of this session."""
    return _page(
        request,
        403,
        "This form was open too long",
        "You have signed in anew since, or your browser sends no cookies. Nothing was changed. "
        "Go back, load the page again and repeat what you entered.",
    )


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    context: dict[str, Any] = {"title": title, "text": text, "layout": "unfold/layouts/unauthenticated.html"}
    if hasattr(request, "user"):
        context |= admin.site.each_context(request)
        if context["has_permission"]:
            context["layout"] = "admin/base_site.html"
    return render(request, "console/refusal.html", {**context, "title": title}, status=status)
