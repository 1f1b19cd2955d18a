"""Field ownership, with the integrations among the owners."""

from __future__ import annotations

from django.contrib import admin

from integrations.models import Integration
from students.admin.ownership import FieldOwnershipAdmin
from students.models import FieldOwnership

admin.site.unregister(FieldOwnership)


@admin.register(FieldOwnership)
class OwnedByIntegrationsAdmin(FieldOwnershipAdmin):
    """Which system may write which field."""

    def owners(self) -> list[tuple[str, str]]:
        """This console and every integration, by name."""
        return [
            *super().owners(),
            *((one.owner_key, one.name) for one in Integration.objects.order_by("name")),
        ]
