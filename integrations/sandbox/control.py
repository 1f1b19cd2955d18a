"""The endpoints under /_sandbox that steer a sandbox of another process: faults, truth log, changes."""

from __future__ import annotations

import ipaddress
import json
from datetime import date
from typing import TYPE_CHECKING, Any

from integrations.sandbox.district import Child, Contact, District, Enrollment
from integrations.sandbox.vendor import Answer

if TYPE_CHECKING:
    from integrations.sandbox.server import Sandbox

CHANGES = (
    "change",
    "change_enrollment",
    "change_contact",
    "move",
    "enroll",
    "leave",
    "remove",
    "add",
    "change_percent",
    "roll_over",
)
DATES = ("on", "entered", "left", "birth_date", "district_entered")


def answer(sandbox: Sandbox, method: str, path: str, body: bytes, client: str) -> Answer:
    """Answer one control request; 403 to other machines, 400 with the reason when it makes no sense."""
    if not ipaddress.ip_address(client).is_loopback:
        return _json({"error": "only this machine may steer the sandbox"}, 403)
    try:
        data = json.loads(body) if body else {}
        return _json(_do(sandbox, method, path.removeprefix("/_sandbox/").rstrip("/"), data))
    except (ValueError, TypeError, KeyError) as error:
        return _json({"error": str(error)}, 400)


def _do(sandbox: Sandbox, method: str, what: str, data: dict[str, Any]) -> Any:
    if what == "faults":
        if method == "POST":
            sandbox.faults.add(**data)
        elif method == "DELETE":
            sandbox.faults.clear()
        return sandbox.faults.report()
    if what == "truth" and method == "GET":
        return list(sandbox.truth)
    if what == "change" and method == "POST":
        return {"result": change(sandbox.district, data), "version": sandbox.district.version}
    raise ValueError(f"there is no {method} /_sandbox/{what}; there are faults, truth and change")


def change(district: District, data: dict[str, Any]) -> Any:
    """Do one change given as data, {"do": name of a mutator, "child": id, ...}; the ids concerned."""
    values = dict(data)
    name = values.pop("do", None)
    if name not in CHANGES:
        raise ValueError(f"cannot do {name!r}; known: {', '.join(CHANGES)}")
    for key in ("child", "contact"):
        if key in values:
            values[f"{key}_id"] = values.pop(key)
    for key in DATES:
        if isinstance(values.get(key), str):
            values[key] = date.fromisoformat(values[key])
    result = getattr(district, name)(**values)
    if isinstance(result, Child | Contact):
        return result.id
    return result.student_number if isinstance(result, Enrollment) else result


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value, default=str).encode())
