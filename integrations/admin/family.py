"""The family's page, with the integration and the run that made it one."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from integrations.admin.scoping import visible_runs
from integrations.models import Change, SyncRun
from students.admin.families import FamilyAdmin, Origin
from students.models import Family

admin.site.unregister(Family)


@admin.register(Family)
class FamilyWithRunsAdmin(FamilyAdmin):
    """Families, with what brought their children together."""

    def prepare(self, request: HttpRequest, family: Family) -> None:
        """Note the latest applied change that gave one of the children this family."""
        members = [student.pk for student in getattr(family, "members_to_see", [])]
        changes = Change.objects.filter(entity="student", target__in=members, status=Change.Status.APPLIED)
        gave = changes.filter(Q(kind=Change.Kind.CREATE) | Q(fields__has_key="family"))
        change = gave.select_related("run__integration").order_by("-id").first()
        if change is None:
            return
        integration = change.run.integration
        told = f"run {change.run_id}"
        may_look = request.user.has_perm("integrations.view_syncrun")
        if may_look and visible_runs(SyncRun.objects.filter(pk=change.run_id), request.user).exists():
            page = reverse("admin:integrations_syncrun_change", args=[change.run_id])
            told = format_html('<a class="console-link" href="{}">{}</a>', page, told)
        family.origin = Origin(integration.name, told, list(integration.family_identifier))  # type: ignore[attr-defined]
