"""How Illuminate knows its caller: OAuth 1.0a signatures with four values, or OAuth 2 client credentials.

Signatures are computed here as RFC 5849 says. Documented: HMAC-SHA1, the roles of the four values, the token address.
The 300 seconds of clock difference and the refusal of a nonce that was used are inferred.
"""

from __future__ import annotations

import base64
import hmac
import re
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote

from integrations.sandbox.vendor import Request, new_token

CLOCK_S = 300
PART = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Keys:
    """The four values of one access."""

    consumer: str
    consumer_secret: str
    user: str
    user_secret: str


@dataclass(eq=False)
class Guard:
    """Verifies requests for one set of keys; gives out and revokes bearer tokens."""

    keys: Keys
    nonces: dict[tuple[str, str], float] = field(default_factory=dict)
    token: str = ""
    expires: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def refusal(self, request: Request) -> str:
        """Why a request is refused, "" when its signature or token is good."""
        header = request.headers.get("authorization", "")
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            good = self.token and time.time() < self.expires and _same(rest.strip(), self.token)
            return "" if good else "The access token is invalid or has expired."
        if scheme.lower() != "oauth":
            return "The request is not signed."
        given = {name: unquote(value) for name, value in PART.findall(rest)}
        return self._signature_fault(request, given)

    def _signature_fault(self, request: Request, given: dict[str, str]) -> str:
        if given.get("oauth_signature_method") != "HMAC-SHA1":
            return "Only HMAC-SHA1 is supported."
        if given.get("oauth_consumer_key") != self.keys.consumer or given.get("oauth_token") != self.keys.user:
            return "The consumer key or user token is unknown."
        if not _same(given.get("oauth_signature", ""), self._signed(request, given)):
            return "The signature is invalid."
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > CLOCK_S:
            return "The timestamp is too far from the time of the server."
        return "" if nonce and self._fresh(stamp, nonce) else "The nonce was used before."

    def _signed(self, request: Request, given: dict[str, str]) -> str:
        """The signature the request should have: over method, address, query and the header's parameters."""
        told = {name: value for name, value in given.items() if name not in ("oauth_signature", "realm")}
        pairs = sorted((_quoted(name), _quoted(value)) for name, value in [*told.items(), *request.query.items()])
        address = f"http://{request.headers.get('host', '').lower()}{request.full_path}"
        parts = (request.method, address, "&".join(f"{name}={value}" for name, value in pairs))
        base = "&".join(_quoted(part) for part in parts)
        key = f"{_quoted(self.keys.consumer_secret)}&{_quoted(self.keys.user_secret)}"
        return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()

    def _fresh(self, stamp: str, nonce: str) -> bool:
        now = time.time()
        with self._lock:
            for old in [key for key, until in self.nonces.items() if until < now]:
                del self.nonces[old]
            if (stamp, nonce) in self.nonces:
                return False
            self.nonces[(stamp, nonce)] = now + 2 * CLOCK_S
            return True

    def new_token(self, request: Request, *, seconds: float) -> str:
        """A token for a form with the right client_id, client_secret and grant_type; "" for any other."""
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return ""
        pair = f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
        if not _same(pair, f"{self.keys.consumer}:{self.keys.consumer_secret}"):
            return ""
        self.token, self.expires = new_token(40), time.time() + seconds
        return self.token

    def revoke(self) -> None:
        """Make the token given out invalid."""
        self.token = ""


def _quoted(text: str) -> str:
    """A text as RFC 5849 has it in signatures."""
    return quote(text, safe="~")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
