"""An Illuminate of a few lines, for lists that the sandbox server would not send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integrations.connectors.base import Connection, Connector, SourceSchool
from integrations.connectors.registry import connector_class
from tests.connectors.reading import LOOPBACK
from tests.connectors.web import Web, send, served

LISTS = {
    "Sites/": [{"site_id": 2, "site_name": "Only", "site_type_name": "Elementary"}],
    "GradeLevels/": [],
    "Terms/": [{"start_date": "2026-08-13", "end_date": "2027-06-04", "session_type_id": 1}],
    "Students/": [{"student_id": 5012, "local_student_id": "1", "first_name": "Ana", "last_name": "Ortiz"}],
    "Enrollment/": [
        {"student_id": 5012, "site_id": 2, "academic_year": 2027, "session_type_id": 1, "grade_level_id": 5,
         "entry_date": "2026-08-13", "leave_date": "2027-06-04", "is_primary_ada": True},
    ],
    "Contacts/": [],
}  # fmt: skip
ONLY = SourceSchool(code="2", key="2", name="Only")


@contextmanager
def answering(**lists: Any) -> Iterator[Web]:
    """A server that sends these lists (path without slash → rows, envelope, or a function of page and limit)."""
    known: dict[str, Any] = {**LISTS, **{f"{path}/": rows for path, rows in lists.items()}}

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        parts = urlsplit(handler.path)
        found = known.get(parts.path.rpartition("/Api/")[2])
        if found is None:
            send(handler, 404, b'{"error": "Unknown endpoint."}')
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if callable(found):
            found = found(int(query["page"]), int(query["limit"]))
        send(handler, 200, json.dumps(found).encode())

    with served(reply) as web:
        yield web


def pages_of(rows: list[Any], *, total: Callable[[int], int] = lambda page: 0) -> Callable[[int, int], Any]:
    """An envelope over rows; total: what is added to the count on a page."""

    def page(number: int, limit: int) -> Any:
        count = len(rows) + total(number)
        return {
            "page": number,
            "num_pages": -(-count // limit),
            "num_results": count,
            "results": rows[(number - 1) * limit : number * limit],
        }

    return page


def a_student(number: int) -> dict[str, Any]:
    return {"student_id": number, "local_student_id": str(number), "first_name": "A", "last_name": "B"}


def a_stay(number: float, **values: Any) -> dict[str, Any]:
    return {**LISTS["Enrollment/"][0], "student_id": number, **values}


def asked(web: Web, path: str) -> list[dict[str, str]]:
    """The queries that came for a list."""
    parts = [urlsplit(path_asked) for _, path_asked, _ in web.requests]
    return [{k: v[0] for k, v in parse_qs(one.query).items()} for one in parts if one.path.endswith(f"/Api/{path}/")]


@contextmanager
def one(web: Web, **options: Any) -> Iterator[Connector]:
    """A connector to a server of a few lines."""
    make: Any = connector_class("illuminate")
    connection = Connection(
        url=f"{web.url}/live",
        credentials=dict.fromkeys(("consumer_token", "consumer_secret", "user_token", "user_secret"), "x"),
        year=2026,
        options={"page_size": 2, **options},
        allowed_hosts=LOOPBACK,
    )
    connector: Connector = make(connection, sleep=lambda _: None)
    try:
        yield connector
    finally:
        connector.close()
