"""The code lists of PowerSchool that a query of the plugin gives: CodeSet (seen; see the README here)."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import RecordError, UnusableAnswer
from ...parsing import UNREADABLE, plain
from ..base import SourceCode
from . import plugin
from .client import QueryClient
from .rows import cells

KINDS: Mapping[str, str] = {"relationship": "Relationship", "state": "State"}
"""Entity → kind of code. Of students PowerSchool keeps no such lists; those of contacts come from here."""


def code_list(client: QueryClient, entity: str, *, contacts: bool) -> list[SourceCode] | None:
    """The codes of an entity; None where PowerSchool keeps no list, or contacts are not read.

    Raises IntegrationError; PermissionMissing where the installed plugin does not have the query yet.
    """
    if entity not in KINDS or not contacts:
        return None
    doing = f"list the codes of {KINDS[entity]}"
    rows = client.rows(plugin.CODES, {"codetype": KINDS[entity]}, doing=doing)
    try:
        found = [cells(raw) for raw in rows]
        codes = [
            SourceCode(code=plain(row.get("code"), "code"), description=plain(row.get("description"), "description"))
            for row in found
        ]
    except (RecordError, *UNREADABLE) as fault:
        said = getattr(fault, "message", "it is no text")
        told = f"{client.where} sent a code that cannot be read: {said}"
        raise UnusableAnswer(told) from None
    return [one for one in codes if one.code]
