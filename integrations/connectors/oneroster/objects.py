"""Lines of OneRoster CSV files as the objects the service would send, so that both are read alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

USER_IDS = re.compile(r"\{([^:{}]*):([^{}]*)\}")
METADATA = "metadata."
RENAMED = {"preferredGivenName": "preferredFirstName", "preferredFamilyName": "preferredLastName"}
OWN = (
    "sourcedId", "status", "username", "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone",
    "userMasterIdentifier", "role",
)  # fmt: skip


def user_of(cells: Mapping[str, str], roles: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A user; roles: of 1.2, whose file is another."""
    found: dict[str, Any] = {name: cells[name] for name in OWN if name in cells}
    found |= {ours: cells[theirs] for theirs, ours in RENAMED.items() if theirs in cells}
    found["userIds"] = [
        {"type": kind, "identifier": value} for kind, value in USER_IDS.findall(cells.get("userIds", ""))
    ]
    found["grades"] = _listed(cells.get("grades", ""))
    found["agents"] = [{"sourcedId": key} for key in _listed(cells.get("agentSourcedIds", ""))]
    found["metadata"] = {name[len(METADATA) :]: text for name, text in cells.items() if name.startswith(METADATA)}
    if "orgSourcedIds" in cells:
        found["orgs"] = [{"sourcedId": key} for key in _listed(cells["orgSourcedIds"])]
    if main := cells.get("primaryOrgSourcedId", ""):
        found["primaryOrg"] = {"sourcedId": main}
    if roles:
        found["roles"] = list(roles)
    return found


def role_of(cells: Mapping[str, str]) -> dict[str, Any]:
    """One role of a user."""
    names = ("status", "roleType", "role", "beginDate", "endDate")
    return {
        **{name: cells.get(name, "") for name in names},
        "org": {"sourcedId": cells.get("orgSourcedId", "")},
    }


def plain_of(cells: Mapping[str, str]) -> dict[str, Any]:
    """A row of a file whose columns are the members: demographics without blanks, orgs, sessions."""
    return {name: text for name, text in cells.items() if text}


def _listed(text: str) -> list[str]:
    return [part for one in text.split(",") if (part := one.strip())]
