"""Orgs and academic sessions: which are schools, which district answers, and for which school year. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import RecordError, TenantChanged, UnusableAnswer
from ...parsing import date_or_none, integer, plain
from ..base import SourceSchool, Tenant
from .rows import is_gone

ABOVE_SCHOOLS = ("district", "local", "state", "national")


def school_of(org: Mapping[str, Any], where: str) -> SourceSchool:
    """An org as the school list shows it; a building is an org of type school that is no tombstone."""
    try:
        key, name, kind = (plain(org.get(field), field) for field in ("sourcedId", "name", "type"))
    except RecordError as fault:
        raise UnusableAnswer(f"{where} lists an org that cannot be read: {fault.message}") from None
    if not key:
        raise UnusableAnswer(f"{where} lists an org without a sourcedId.")
    return SourceSchool(code=key, key=key, name=name, building=kind == "school" and not is_gone(org.get("status")))


def tenant_of(orgs: Sequence[Mapping[str, Any]], where: str) -> Tenant:
    """The district that answers, by the sourcedId of its org; without one, by the first of its schools."""
    listed = sorted((str(org.get("sourcedId", "")), str(org.get("type", "")), str(org.get("name", ""))) for org in orgs)
    for wanted in (*ABOVE_SCHOOLS, "school"):
        found = [(key, name) for key, kind, name in listed if kind == wanted and key]
        if found and wanted == "school":
            return Tenant(id=f"school {found[0][0]}", name=f"{len(found)} schools without a district")
        if found:
            return Tenant(id="+".join(key for key, _ in found), name=", ".join(name for _, name in found))
    raise UnusableAnswer(f"{where} lists neither a district nor a school.")


def year_of(sessions: Sequence[Mapping[str, Any]], *, asked: int | None, today: dt.date, where: str) -> str:
    """The title of the school year read, "" where none is known: the one asked for, else today's, else the last.

    asked: the year its autumn falls in. Raises TenantChanged when the system has school years, but not that one.
    """
    years = [one for one in sessions if one.get("type") == "schoolYear" and not is_gone(one.get("status"))]
    if not years:
        return ""
    if asked is not None:
        years = [one for one in years if _ends_in(one) == asked + 1]
        if not years:
            raise TenantChanged(
                f"{where} has no school year {asked}-{asked + 1}. Wait until the district opens it in its provider."
            )
    now = [one for one in years if _holds(one, today)]
    last = max(years, key=lambda one: str(one.get("endDate", "")))
    found = now[0] if now else last
    return str(found.get("title") or found.get("schoolYear") or "")


def _ends_in(session: Mapping[str, Any]) -> int | None:
    try:
        return integer(session.get("schoolYear"), "schoolYear")
    except RecordError:
        return None


def _holds(session: Mapping[str, Any], today: dt.date) -> bool:
    starts, ends = date_or_none(session.get("startDate")), date_or_none(session.get("endDate"))
    return starts is not None and ends is not None and starts <= today <= ends
