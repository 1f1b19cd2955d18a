"""Who may ask a OneRoster server: OAuth 2 bearer tokens with scopes, or requests signed with OAuth 1.0a.

Sources: RFC 6749 (client credentials) and RFC 5849 (signatures, two-legged: a consumer and no token), the security
parts of the OneRoster 1.1 and 1.2 specifications for scopes; that HMAC-SHA1 and HMAC-SHA256 are both met, from
public clients. Inferred: five minutes of clock difference, a nonce is good once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, quote, unquote

from integrations.sandbox.vendor import Request, new_token

SCOPE = {
    "1.1": "https://purl.imsglobal.org/spec/or/v1p1/scope/",
    "1.2": "https://purl.imsglobal.org/spec/or/v1p2/scope/",
}
ROSTER, CORE, PEOPLE = "roster.readonly", "roster-core.readonly", "roster-demographics.readonly"
SCOPES = (CORE, ROSTER, PEOPLE)
SKEW_S = 300
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


class Tokens:
    """Bearer tokens given out, each with its scopes and end."""

    def __init__(self, client: tuple[str, str]) -> None:
        self._client, self._given = client, dict[str, tuple[frozenset[str], float]]()

    def revoke(self) -> None:
        """Make every token invalid."""
        self._given.clear()

    def knows(self, request: Request) -> bool:
        """Whether the request names the client: as Basic, raw or percent-encoded, or in the form."""
        form = parse_qs(request.body.decode("utf-8", "replace"))
        in_form = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
        given = _basic(request.headers.get("authorization", "")) or in_form
        return _same(given, self._client) or _same((unquote(given[0]), unquote(given[1])), self._client)

    def give(self, wanted: Iterable[str], granted: Iterable[str], seconds: float) -> tuple[str, list[str]]:
        """A token, and what of the scopes wanted it covers; nothing wanted means everything granted."""
        wanted = list(wanted)
        scopes = [scope for scope in granted if not wanted or scope in wanted]
        token = new_token(40)
        self._given[token] = (frozenset(scopes), time.time() + seconds)
        return token, scopes

    def scopes(self, request: Request) -> frozenset[str] | None:
        """The scopes of the request's token; None when there is no valid one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        scopes, until = self._given.get(token.strip(), (frozenset(), 0.0))
        return scopes if scheme.lower() == "bearer" and time.time() < until else None


class Signatures:
    """Requests signed by one consumer."""

    def __init__(self, client: tuple[str, str]) -> None:
        self._client, self._nonces = client, set[str]()

    def valid(self, request: Request, methods: Iterable[str]) -> bool:
        """Whether the request is signed rightly with one of the methods, in time and not seen before."""
        given = _oauth(request.headers.get("authorization", ""))
        method = given.get("oauth_signature_method", "")
        if given.get("oauth_consumer_key") != self._client[0] or method not in methods or method not in _HASHES:
            return False
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > SKEW_S or not nonce or nonce in self._nonces:
            return False
        signature = self._signature(request, given, method)
        if not hmac.compare_digest(signature, given.get("oauth_signature", "").encode()):
            return False
        self._nonces.add(nonce)
        return True

    def _signature(self, request: Request, given: Mapping[str, str], method: str) -> bytes:
        pairs = [(name, value) for name, value in given.items() if name not in ("oauth_signature", "realm")]
        pairs += request.query.items()
        encoded = sorted((_enc(name), _enc(value)) for name, value in pairs)
        joined = "&".join(f"{name}={value}" for name, value in encoded)
        scheme = request.headers.get("x-forwarded-proto", "http")
        host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
        host = host.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
        base = "&".join((request.method, _enc(f"{scheme}://{host}{request.full_path}"), _enc(joined)))
        key = f"{_enc(self._client[1])}&".encode()
        return base64.b64encode(hmac.new(key, base.encode(), _HASHES[method]).digest())


def _enc(text: str) -> str:
    return quote(text, safe="-._~")


def _oauth(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    return {unquote(name): unquote(value) for name, value in re.findall(r'([\w%]+)="([^"]*)"', rest)}


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, text = header.partition(" ")
    try:
        name, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if scheme.lower() == "basic" and colon else None


def _same(given: tuple[str, str], known: tuple[str, str]) -> bool:
    return all(hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, known, strict=True))
