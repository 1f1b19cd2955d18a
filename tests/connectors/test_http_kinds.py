"""Answers that are no JSON, answers too large for memory, and requests that are signed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler

import pytest

from integrations.errors import ConfigurationError, SystemUnavailable, UnusableAnswer
from integrations.http import Client, Limits
from tests.connectors.web import Web, always, send, served

CSV, JSON_OR_CSV = frozenset({"csv"}), frozenset({"json", "csv"})


def client(web: Web, **values: object) -> Client:
    """A client for a server, allowed to reach it, that does not wait."""
    settings: dict[str, object] = {"system": "Testing", "allowed_hosts": frozenset({"127.0.0.1"}), **values}
    return Client(web.url, sleep=lambda seconds: None, **settings)  # type: ignore[arg-type]  # values of many types


@pytest.mark.parametrize("stated", ["text/csv", "text/csv; charset=iso-8859-1", "text/plain"])
def test_csv_is_taken_as_it_came_when_asked_for(stated: str) -> None:
    sent = "name\nMu\xf1oz\n".encode("latin-1")
    with served(always(200, sent, Content_Type=stated)) as web:
        answer = client(web).get("/", kinds=JSON_OR_CSV)

    assert (answer.kind, answer.body) == ("csv", sent)


def test_other_kind_than_asked_for_is_told() -> None:
    with served(always(200, b"{}")) as web, pytest.raises(UnusableAnswer, match="instead of CSV data"):
        client(web).get("/", kinds=CSV)


def test_web_page_is_refused_whatever_is_asked_for() -> None:
    with (
        served(always(200, b"<html>login</html>", Content_Type="text/html")) as web,
        tempfile.TemporaryFile() as file,
        pytest.raises(UnusableAnswer, match="login page"),
    ):
        client(web).download("/", file, kinds=frozenset({"zip", "csv", "json"}))


def test_download_goes_into_the_file_and_starts_anew_after_a_broken_one() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            handler.send_response(200)
            handler.send_header("Content-Type", "application/zip")
            handler.send_header("Content-Length", "4000000")
            handler.end_headers()
            handler.wfile.write(b"x" * 3_000_000)
            handler.close_connection = True
        else:
            send(handler, 200, b"PK whole", Content_Type="application/zip")

    with served(reply) as web, tempfile.TemporaryFile() as file:
        answer = client(web).download("/", file, kinds=frozenset({"zip"}))
        file.seek(0)

        assert (answer.status, answer.body, file.read()) == (200, b"", b"PK whole")
    assert len(web.requests) == 2


def test_download_is_bounded() -> None:
    limits = Limits(body_bytes=1 << 20)
    with (
        served(always(200, b"1" * (2 << 20))) as web,
        tempfile.TemporaryFile() as file,
        pytest.raises(UnusableAnswer, match="more than 1 MB"),
    ):
        client(web, limits=limits).download("/", file)


def test_refused_download_leaves_the_file_empty_and_says_why() -> None:
    with served(always(403, b'{"message":"no"}')) as web, tempfile.TemporaryFile() as file:
        answer = client(web).download("/", file)

        assert (answer.status, answer.body, file.tell()) == (403, b'{"message":"no"}', 0)


def test_every_attempt_is_signed_for_its_whole_address() -> None:
    signed: list[tuple[str, str]] = []

    def sign(method: str, address: str) -> Mapping[str, str]:
        signed.append((method, address))
        return {"Authorization": f"Signed {len(signed)}"}

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        send(handler, 503 if number == 1 else 200, b"{}")

    with served(reply) as web:
        client(web, sign=sign).get("/list", params={"page": "2"})

    assert signed == [("GET", f"{web.url}/list?page=2")] * 2
    assert [headers["Authorization"] for _, _, headers in web.requests] == ["Signed 1", "Signed 2"]


def test_signature_that_cannot_be_sent_is_refused() -> None:
    with served(always(200)) as web, pytest.raises(ConfigurationError, match="cannot be sent"):
        client(web, sign=lambda method, address: {"Authorization": "a\nb"}).get("/")

    assert web.requests == []


def test_dripping_download_is_given_up() -> None:
    limits = Limits(body_s=0.2, read_s=5.0, attempts=1)

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            try:
                handler.wfile.write(b"1")
                handler.wfile.flush()
                dripping.wait(0.02)
            except OSError:
                return

    dripping = threading.Event()
    with (
        served(reply) as web,
        tempfile.TemporaryFile() as file,
        pytest.raises(SystemUnavailable, match="too slowly"),
    ):
        client(web, limits=limits).download("/", file)
