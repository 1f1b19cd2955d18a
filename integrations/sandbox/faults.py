"""Fault switches: what can go wrong on the way from a student information system, by code.

A fault names requests by a regular expression on the path, lets the first `after` of them pass, then applies
to `times` of them (None: to all). `CODES` says what each code does and which settings it takes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

CODES: dict[str, tuple[str, dict[str, Any]]] = {
    "F04": ("connection reset before the request is executed", {}),
    "F05": ("connection reset after the request is executed, before the answer", {}),
    "F06": ("connection reset in the middle of the body", {}),
    "F07": ("no byte comes; the connection closes after `seconds`", {"seconds": 30.0}),
    "F08": (
        "one byte every `interval` seconds for `seconds`, then the rest if `finish`, else closed",
        {"interval": 0.05, "seconds": 2.0, "finish": False},
    ),
    "F10": ("the answer comes `seconds` late, more by up to `jitter`", {"seconds": 0.5, "jitter": 0.0}),
    "F13": ("429 with Retry-After in seconds", {"retry_after": 1}),
    "F14": ("429 with Retry-After as an HTTP date `retry_after` seconds ahead", {"retry_after": 1}),
    "F15": ("429 without Retry-After", {}),
    "F16": (
        "a server error `status`, not executed; HTML unless `message` is given",
        {"status": 503, "message": None},
    ),
    "F17": ("401 because the token was revoked; a new token works (add with times=1)", {}),
    "F18": ("401 for ever: credentials revoked", {}),
    "F19": ("403 on one `school` (None: on every request)", {"school": None}),
    "F20": (
        "302 to a `login` page, an `other` host, the cloud `metadata` address or a `maintenance` page",
        {"to": "login"},
    ),
    "F21": ("200 with an HTML login page", {}),
    "F22": ("200 with an empty body", {}),
    "F23": ("204 without a body", {}),
    "F24": (
        "wrong Content-Type; with a charset in it the body is encoded so",
        {"content_type": "text/plain; charset=iso-8859-1"},
    ),
    "F26": ("Content-Length longer than the body by `by` bytes, then closed", {"by": 100}),
    "F27": ("JSON cut off after the share `at` of its bytes, Content-Length to match", {"at": 0.5}),
    "F28": ("valid JSON that keeps only the first `keep` rows of a page", {"keep": 1}),
    "F29": ("`null` where the list should be", {}),
    "F30": ("the vendor's error object with status 200", {"message": "An error has occurred."}),
    "F31": (
        "a `field` is `how` = missing, renamed (to `to`) or of another type",
        {"field": None, "how": "missing", "to": None},
    ),
    "F32": ("a `field` is null in every row", {"field": None}),
    "F33": ("the first row of a page comes twice in it", {}),
    "F34": (
        "the first row of a page comes twice, the second time with `field` = `value`",
        {"field": None, "value": "Different"},
    ),
    "F35": (
        "strange text in `field`: `kind` = invalid_utf8, nul, rtl, long, emoji, nfd, formula, or all in turn",
        {"field": None, "kind": "all"},
    ),
    "F36": (
        "identifiers as `how` = number (leading zeros lost), float, or stripped (still text)",
        {"how": "number", "field": None},
    ),
    "F37": (
        "dates that are none or in other formats; `value` for one of them, else in turn",
        {"field": None, "value": None},
    ),
    "F38": ("the page before is sent again", {}),
    "F39": ("a page is skipped: the next one is sent", {}),
    "F40": (
        "a row before this page was deleted (`how` = delete) or inserted (insert): the window shifts",
        {"how": "delete"},
    ),
    "F41": ("the last page is empty", {}),
    "F42": ("paging never ends: the first page every time, and a next link to itself", {}),
    "F43": ("the total count is wrong by `by`", {"by": 1}),
    "F44": ("the page size is ignored: every row at once, or pages of `size`", {"size": None}),
    "F45": (
        "the building `school` (None: every one) answers with no rows although it has some",
        {"school": None},
    ),
    "F46": ("another district's data, of `students` children", {"students": 200}),
    "F50": ("tokens live `seconds`", {"seconds": 1}),
}


@dataclass(slots=True)
class Fault:
    """One switched-on fault; `seen` requests matched it, `applied` of them were spoilt."""

    code: str
    path: str | None
    after: int
    times: int | None
    settings: dict[str, Any]
    seen: int = 0
    applied: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The fault as plain JSON data."""
        return {
            "code": self.code,
            "path": self.path,
            "after": self.after,
            "times": self.times,
            **self.settings,
            "seen": self.seen,
            "applied": self.applied,
        }


@dataclass(eq=False)
class Faults:
    """The faults switched on for one server; safe to change while it serves."""

    active: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(
        self, code: str, path: str | None = None, after: int = 0, times: int | None = None, **settings: Any
    ) -> Fault:
        """Switch a fault on and return it. ValueError names an unknown code or setting."""
        if code not in CODES:
            raise ValueError(f"there is no fault {code!r}; known: {', '.join(CODES)}")
        known = CODES[code][1]
        if unknown := sorted(set(settings) - set(known)):
            raise ValueError(f"fault {code} takes {sorted(known)}, not {unknown}")
        if path is not None:
            re.compile(path)
        fault = Fault(code, path, after, times, {**known, **settings})
        with self._lock:
            self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self.active.clear()

    def report(self) -> list[dict[str, Any]]:
        """The faults switched on, with how often each was seen and applied."""
        with self._lock:
            return [fault.as_dict() for fault in self.active]

    def take(self, codes: Iterable[str], path: str, when: Callable[[Fault], bool] | None = None) -> list[Fault]:
        """The faults of these codes that spoil this request, each counted as applied once more.

        `when` says whether a fault fits the request at all (its school, its place in the paging); a request
        it does not fit is neither seen nor applied.
        """
        with self._lock:
            if not self.active:
                return []
            wanted, found = set(codes), []
            for fault in self.active:
                if fault.code not in wanted or (fault.path and not re.search(fault.path, path, re.IGNORECASE)):
                    continue
                if when is not None and not when(fault):
                    continue
                fault.seen += 1
                if fault.seen > fault.after and (fault.times is None or fault.applied < fault.times):
                    fault.applied += 1
                    found.append(fault)
            return found

    def setting(self, code: str, name: str, default: Any) -> Any:
        """The setting of the first such fault switched on, or `default`; counts nothing."""
        with self._lock:
            return next((fault.settings[name] for fault in self.active if fault.code == code), default)
