"""Tokens of OAuth 2: asked for once, renewed when refused, never shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from integrations.connectors.oauth2 import TokenKeeper
from integrations.errors import AuthenticationFailed, UnusableAnswer
from integrations.http import Answer, Client
from tests.connectors.web import Web, send, served

SECRET = "s3cr3t of a client"


def keeper(web: Web, **values: Any) -> tuple[TokenKeeper, Client]:
    """A keeper of the server's tokens, and the client it asks with."""
    client = Client(web.url, system="Testing", allowed_hosts=frozenset({"127.0.0.1"}), sleep=lambda _: None)
    settings = {"client_id": "me", "secret": SECRET, "rejected": "Copy the secret again.", **values}
    return TokenKeeper(client, "/token", **settings), client


def server(*, expires: object = "3600", good: set[str] | None = None) -> Callable[[BaseHTTPRequestHandler, int], None]:
    """Gives tokens t1, t2, ... at /token; elsewhere 401 for a token that is not among the good ones (None: all are)."""
    given: list[str] = []

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if handler.path == "/token":
            given.append(f"t{len(given) + 1}")
            send(handler, 200, json.dumps({"access_token": given[-1], "expires_in": expires}).encode())
            return
        token = handler.headers["Authorization"].removeprefix("Bearer ")
        send(handler, 200 if good is None or token in good else 401, json.dumps({"token": token}).encode())

    return reply


def asked(web: Web, path: str = "/token") -> int:
    """How often a path was asked for."""
    return sum(one[1] == path for one in web.requests)


def reading(client: Client) -> Callable[[Mapping[str, str]], Answer]:
    """A request of the data with the headers it is given."""
    return lambda headers: client.get("/data", headers=headers)


@pytest.mark.parametrize(("expires", "times"), [("3600", 1), (3600, 1), (None, 1), ("soon", 1), (0, 2)])
def test_token_is_asked_for_once_when_it_lasts(expires: object, times: int) -> None:
    with served(server(expires=expires)) as web:
        one, _ = keeper(web)
        other, client = keeper(web)
        assert other.token()
        assert one.token()
        assert asked(web) == times
        client.close()


def test_clients_do_not_share_a_token_when_their_secrets_differ() -> None:
    with served(server()) as web:
        tokens = {keeper(web, secret=secret)[0].token() for secret in ("a", "b")}

    assert len(tokens) == 2


def test_refused_token_is_renewed_and_the_request_sent_again() -> None:
    with served(server(good={"t2"})) as web:
        tokens, client = keeper(web)
        assert json.loads(tokens.asked(reading(client)).body) == {"token": "t2"}
        assert tokens.token() == "t2"
        assert (asked(web), asked(web, "/data")) == (2, 2)


def test_second_refusal_is_the_answer() -> None:
    with served(server(good=set())) as web:
        tokens, client = keeper(web)
        assert tokens.asked(reading(client)).status == 401
        assert asked(web, "/data") == 2


def test_one_token_is_asked_for_when_threads_meet_the_same_refusal() -> None:
    with served(server()) as web:
        tokens, _ = keeper(web)
        first = tokens.token()
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(tokens.renewed(first))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == ["t2"] * 5
        assert asked(web) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_are_told_and_never_shown(status: int) -> None:
    with served(lambda handler, _: send(handler, status, b'{"error": "invalid_client"}')) as web:
        tokens, _ = keeper(web)
        with pytest.raises(AuthenticationFailed, match=r"Copy the secret again\.") as caught:
            tokens.token()

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("body", [b"{}", b'{"access_token": ""}', b'{"access_token": 7}', b'{"access_'])
def test_answer_without_a_token_is_unusable(body: bytes) -> None:
    with served(lambda handler, _: send(handler, 200, body)) as web, pytest.raises(UnusableAnswer):
        keeper(web)[0].token()


def test_id_and_secret_are_percent_encoded_when_the_server_wants_it_so() -> None:
    with served(server()) as web:
        for quoted in (False, True):
            keeper(web, client_id="a:b", secret="c d", quoted=quoted)[0].token()
        sent = [headers["Authorization"] for _, _, headers in web.requests]

    assert sent == ["Basic YTpiOmMgZA==", "Basic YSUzQWI6YyUyMGQ="]
