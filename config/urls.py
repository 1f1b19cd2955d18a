"""Addresses of the console: everything people use is in the admin, and the help beside it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from config.health import healthz
from config.help import help_page

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("help/", admin.site.admin_view(help_page), name="help"),
    path("help/<slug:page>/", admin.site.admin_view(help_page), name="help-page"),
    path("admin/", admin.site.urls),
]
handler403 = "config.refusals.not_allowed"
handler404 = "config.refusals.not_found"
