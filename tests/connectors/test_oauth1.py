"""Signatures of OAuth 1.0a: every attempt its own, and nothing of them in the log."""

from __future__ import annotations

import logging

import pytest

from integrations.connectors.oauth1 import signer

ADDRESS = "https://sis.example.org/live/rest_server.php/Api/Sites/?page=1"


def test_every_attempt_has_a_nonce_of_its_own() -> None:
    sign = signer("key", "secret", token="user", token_secret="user secret")  # noqa: S106 (invented)
    one, other = (sign("GET", ADDRESS)["Authorization"] for _ in range(2))

    assert one.startswith("OAuth ")
    assert 'oauth_token="user"' in one
    assert one != other


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_request_of_two_legs_names_no_user(method: str) -> None:
    header = signer("key", "secret", method=method)("GET", ADDRESS)["Authorization"]

    assert "oauth_token" not in header
    assert f'oauth_signature_method="{method}"' in header


def test_nothing_of_a_signature_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    signer("key", "secret", token="user", token_secret="user secret")("GET", ADDRESS)  # noqa: S106 (invented)

    assert caplog.text == ""
