"""Changes as they are read back from the database to be applied."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db.models import QuerySet

from integrations.models import Change


class Planned(msgspec.Struct, kw_only=True):
    """One stored change; the names are those of ``integrations.models.Change``.

    fields and withheld are changed while the change is applied, and so are target and status.
    """

    pk: int
    entity: str
    external_id: str
    kind: str
    target: int | None = None
    fields: dict[str, list[Any]] = {}
    withheld: dict[str, list[Any]] = {}
    schools: list[str] = []
    page_id: int | None = None
    page_ids: list[int] = []
    status: str = Change.Status.PLANNED

    @property
    def creates(self) -> bool:
        """Whether the change adds a student or a contact."""
        return self.kind == Change.Kind.CREATE


_COLUMNS = (
    "pk", "entity", "external_id", "kind", "page_id", "target", "fields", "withheld", "schools", "page_ids",
)  # fmt: skip


def of_pages(pages: list[int]) -> list[Planned]:
    """The planned changes of some pages: of creates only what does not stand in the pages' blocks."""
    planned = Change.objects.filter(page__in=pages, status=Change.Status.PLANNED).order_by("pk")
    new = planned.filter(kind=Change.Kind.CREATE).values_list(*_COLUMNS[:5])
    return [
        Planned(pk=pk, entity=entity, external_id=external_id, kind=kind, page_id=page)
        for pk, entity, external_id, kind, page in new
    ] + whole(planned.exclude(kind=Change.Kind.CREATE))


def whole(changes: QuerySet[Change]) -> list[Planned]:
    """The changes with everything that is stored of them."""
    return [Planned(**dict(zip(_COLUMNS, row, strict=True))) for row in changes.values_list(*_COLUMNS)]
