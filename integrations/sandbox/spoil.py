"""Lays the switched-on faults on requests, pages, rows and bytes. The vendors know of none of them."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from integrations.sandbox.faults import Fault, Faults
from integrations.sandbox.vendor import Answer, Count, Page, Request, Result, Vendor

if TYPE_CHECKING:
    from integrations.sandbox.server import Sandbox, _Handler

BEFORE = ("F04", "F07", "F13", "F14", "F15", "F16", "F17", "F18", "F19", "F20", "F21", "F22", "F23")
WIRE = ("F05", "F06", "F08", "F26")
PAGING = ("F38", "F39", "F40", "F41", "F42", "F44", "F45")
ROWS = ("F28", "F31", "F32", "F33", "F34", "F35", "F36", "F37")
BODY = ("F24", "F27", "F30")

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign In</title></head><body><h1>Sign in</h1>"
    b"<form method='post'><input name='user'><input name='password' type='password'></form>"
    b"</body></html>"
)
ERROR_PAGE = (
    b"<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body>"
    b"<h2>The service is unavailable.</h2></body></html>"
)
REDIRECTS = {"other": "http://other.example.org/", "metadata": "http://169.254.169.254/latest/meta-data/"}
STRANGE = {
    "invalid_utf8": "Inv\ue000lid",
    "nul": "Nul\u0000l",
    "rtl": "\u202eEvil\u202c",
    "long": "X" * 10_000,
    "emoji": "Ana \U0001f469\u200d\U0001f393",
    "nfd": "Nu\u0301n\u0303ez",
    "formula": "=cmd|'/c calc'!A1",
}
STRANGE_DATES = ("0000-00-00", "2023-02-29", "02/29/2015", "31-12-2014", "12/31/14", "20150307")


def html(body: bytes, status: int) -> Answer:
    """An answer that is a web page."""
    return Answer(status, body, "text/html; charset=utf-8")


def reset(connection: socket.socket) -> None:
    """Close a connection so that the other side sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def serve(handler: _Handler, sandbox: Sandbox, request: Request) -> None:
    """Answer a request on the wire, spoilt by the transport and HTTP faults that apply."""
    faults, path = sandbox.faults, request.full_path
    if request.route is None and request.path.endswith("/login"):
        handler.send(html(LOGIN_PAGE, 200))
        return
    for fault in faults.take(("F10",), path):
        late = fault.settings["seconds"] + fault.settings["jitter"] * (fault.applied * 37 % 100) / 100
        sandbox.stopping.wait(late)
    for fault in faults.take(BEFORE, path, lambda one: _fits_request(one, sandbox.vendor, request)):
        if refused := _refuse(fault, handler, sandbox):
            handler.send(refused)
        return
    wire = faults.take(WIRE, path)
    answer = sandbox.answer(request, [fault.code for fault in wire])
    if wire:
        _spoil_wire(wire[0], handler, answer)
    else:
        handler.send(answer)


def _fits_request(fault: Fault, vendor: Vendor, request: Request) -> bool:
    if fault.code in ("F17", "F19") and (request.route is None or request.route.open):
        return False
    if fault.code == "F19" and fault.settings["school"] is not None:
        return vendor.school_of(request) == int(fault.settings["school"])
    return True


def _refuse(fault: Fault, handler: _Handler, sandbox: Sandbox) -> Answer | None:
    vendor, settings = sandbox.vendor, fault.settings
    if fault.code in ("F04", "F07"):
        if fault.code == "F07":
            sandbox.stopping.wait(settings["seconds"])
        handler.reset()
        return None
    if fault.code in ("F13", "F14", "F15"):
        return _busy(fault, vendor.error(429, "Too many requests."))
    if fault.code == "F16":
        message = settings["message"]
        return vendor.error(settings["status"], message) if message else html(ERROR_PAGE, settings["status"])
    if fault.code in ("F17", "F18"):
        vendor.revoke()
        return vendor.unauthorized()
    if fault.code == "F19":
        return vendor.error(403, "Access to this school is denied.")
    if fault.code == "F20":
        target = {**REDIRECTS, **vendor.redirects}.get(settings["to"], f"{sandbox.root}/login")
        return Answer(302, b"", "text/html", {"Location": target})
    if fault.code == "F21":
        return html(LOGIN_PAGE, 200)
    return Answer(204 if fault.code == "F23" else 200)


def _busy(fault: Fault, answer: Answer) -> Answer:
    if fault.code == "F13":
        answer.headers["Retry-After"] = str(fault.settings["retry_after"])
    if fault.code == "F14":
        again = datetime.now(UTC) + timedelta(seconds=fault.settings["retry_after"])
        answer.headers["Retry-After"] = format_datetime(again, usegmt=True)
    return answer


def _spoil_wire(fault: Fault, handler: _Handler, answer: Answer) -> None:
    if fault.code == "F05":
        handler.reset()
    elif fault.code == "F06":
        handler.head(answer, len(answer.body))
        handler.wfile.write(answer.body[: len(answer.body) // 2])
        handler.wfile.flush()
        # A reset throws away what the client has not read yet.
        time.sleep(0.05)
        handler.reset()
    elif fault.code == "F26":
        handler.send(answer, extra_length=fault.settings["by"])
        handler.close_connection = True
    else:
        handler.head(answer, len(answer.body))
        sent = sum(1 for _ in handler.drip(answer.body, fault.settings["interval"], fault.settings["seconds"]))
        if fault.settings["finish"]:
            handler.wfile.write(answer.body[sent:])
        else:
            handler.reset()


def finish(vendor: Vendor, faults: Faults, request: Request, result: Result) -> tuple[Answer, list[str]]:
    """Turn a handler's result into an answer, spoilt by the paging and payload faults; with their codes."""
    path, codes = request.full_path, list[str]()
    if isinstance(result, Page):
        answer, codes = _finish_page(vendor, faults, path, result)
    elif isinstance(result, Count):
        answer, codes = _finish_count(faults, path, result)
    else:
        answer = result
    for fault in faults.take(BODY, path, lambda _: answer.status == 200):
        codes.append(fault.code)
        if fault.code == "F30":
            answer.body = vendor.error(200, fault.settings["message"]).body
        elif fault.code == "F27":
            answer.body = answer.body[: int(len(answer.body) * fault.settings["at"])]
        else:
            answer.content_type = fault.settings["content_type"]
            _, _, charset = answer.content_type.partition("charset=")
            if charset and charset.lower() != "utf-8":
                answer.body = answer.body.decode().encode(charset, "replace")
    return answer, codes


def _finish_count(faults: Faults, path: str, result: Count) -> tuple[Answer, list[str]]:
    codes, value = list[str](), result.value
    for fault in faults.take(("F43", "F45"), path, lambda one: one.code == "F43" or _in_school(one, result.school)):
        codes.append(fault.code)
        value = max(0, value + fault.settings["by"]) if fault.code == "F43" else 0
    return Answer(200, result.wrap(value)), codes


def _in_school(fault: Fault, school: int | None) -> bool:
    return fault.settings["school"] is None or int(fault.settings["school"]) == school


def _finish_page(vendor: Vendor, faults: Faults, path: str, page: Page) -> tuple[Answer, list[str]]:
    codes: list[str] = []
    start, stop = max(0, page.start), max(0, page.stop)
    for fault in faults.take(PAGING, path, lambda one: _fits_page(one, page)):
        codes.append(fault.code)
        start, stop = _shift(fault, start, stop, len(page.rows))
    rows = page.rows[start:stop]
    for fault in faults.take(ROWS if rows else (), path):
        codes.append(fault.code)
        rows = spoil_rows(fault, vendor, rows)
    answer = Answer(200, page.wrap(rows), headers=dict(page.headers), rows=len(rows))
    if faults.take(("F29",), path):
        codes.append("F29")
        answer.body = b"null"
    return answer, codes


def _fits_page(fault: Fault, page: Page) -> bool:
    total = len(page.rows)
    if fault.code in ("F38", "F40", "F42"):
        return 0 < page.start < total or (fault.code == "F42" and page.start > 0)
    if fault.code == "F39":
        return page.stop < total
    if fault.code == "F41":
        return page.start < total <= page.stop
    if fault.code == "F45":
        return total > 0 and _in_school(fault, page.school)
    return True


def _shift(fault: Fault, start: int, stop: int, total: int) -> tuple[int, int]:
    size = stop - start
    if fault.code == "F38":
        return max(0, start - size), start
    if fault.code == "F39":
        return start + size, stop + size
    if fault.code == "F40":
        by = 1 if fault.settings["how"] == "delete" else -1
        return start + by, stop + by
    if fault.code == "F42":
        return 0, size
    if fault.code == "F44":
        wanted = fault.settings["size"]
        return (0, total) if wanted is None else (start, start + int(wanted))
    return 0, 0


def spoil_rows(fault: Fault, vendor: Vendor, rows: Sequence[bytes]) -> Sequence[bytes]:
    """The rows of one page after one payload fault."""
    settings, code = fault.settings, fault.code
    if code == "F28":
        return rows[: settings["keep"]]
    if code == "F33":
        return [rows[0], *rows]
    if code == "F34":
        name = settings["field"] or vendor.last_name
        return [*rows, _edited(rows[0], lambda row: _set(row, name, lambda _: settings["value"]))]
    return [_edited(row, partial(_spoil_row, fault, vendor, place)) for place, row in enumerate(rows)]


def _spoil_row(fault: Fault, vendor: Vendor, place: int, row: dict[str, Any]) -> None:
    settings = fault.settings
    if fault.code == "F31":
        _misshape(row, settings["field"] or vendor.last_name, settings["how"], settings["to"])
    elif fault.code == "F32":
        _set(row, settings["field"] or vendor.last_name, lambda _: None)
    elif fault.code == "F35":
        kinds = list(STRANGE) if settings["kind"] == "all" else [settings["kind"]]
        text = STRANGE[kinds[place % len(kinds)]]
        _set(row, settings["field"] or vendor.last_name, lambda _: text)
    elif fault.code == "F36":
        for name in [settings["field"]] if settings["field"] else vendor.identifiers:
            _set(row, name, lambda value: _unpadded(value, settings["how"]))
    else:
        wrong = settings["value"] or STRANGE_DATES[place % len(STRANGE_DATES)]
        for name in [settings["field"]] if settings["field"] else vendor.dates:
            _set(row, name, lambda _: wrong)


def _misshape(row: dict[str, Any], name: str, how: str, to: str | None) -> None:
    def drop(holder: dict[str, Any], key: str) -> None:
        value = holder.pop(key)
        if how == "renamed":
            holder[to or f"{key}New"] = value
        elif how == "type":
            holder[key] = str(value) if isinstance(value, (int, float)) else [value]

    _reach(row, name, drop)


def _unpadded(value: Any, how: str) -> Any:
    text = str(value)
    if isinstance(value, bool) or not text.strip().isdigit():
        return value
    return {"number": int(text), "float": float(text), "stripped": str(int(text))}[how]


def _set(row: dict[str, Any], name: str, make: Callable[[Any], Any]) -> None:
    _reach(row, name, lambda holder, key: holder.__setitem__(key, make(holder[key])))


def _reach(row: dict[str, Any], name: str, do: Callable[[dict[str, Any], str], None]) -> None:
    *way, last = name.split(".")
    holder: Any = row
    for part in way:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if isinstance(holder, dict) and last in holder:
        do(holder, last)


def _edited(row: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    data = json.loads(row)
    edit(data)
    # U+E000 stands for the bytes that are no UTF-8.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return text.replace("\ue000".encode(), b"\xff\xfe\x80")
