"""Tokens of OAuth 2 client credentials: asked for once, shared by the process, renewed when refused."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from ..errors import AuthenticationFailed, RecordError, UnusableAnswer
from ..http import Answer, Client
from ..parsing import as_dict, integer, read

UNSTATED_S = 300
"""Seconds for which a token is used when its life is not told."""

_tokens: dict[tuple[str, ...], tuple[str, float]] = {}
_lock = threading.Lock()


class TokenKeeper:
    """The bearer tokens of one client at one token address. Threads may share it."""

    def __init__(
        self,
        client: Client,
        path: str,
        *,
        client_id: str,
        secret: str,
        rejected: str,
        form: Mapping[str, str] | None = None,
        quoted: bool = False,
        in_form: bool = False,
    ) -> None:
        """Prepare, without asking.

        path: of the token address below the client's base. rejected: the message of AuthenticationFailed
        when id and secret are refused. form: what is sent besides grant_type, such as scope. quoted: id and
        secret are percent-encoded inside Basic, as RFC 6749 has it and some servers do not. in_form: they
        stand in the form instead of in Basic.
        """
        self._client, self._path, self._rejected = client, path, rejected
        pair = [quote(part, safe="") if quoted else part for part in (client_id, secret)]
        basic = base64.b64encode(":".join(pair).encode()).decode()
        told = {"grant_type": "client_credentials", **(form or {})}
        digest = hashlib.sha256(basic.encode()).hexdigest()
        self._key = (client.base, path, digest, urlencode(told))
        self._headers = {} if in_form else {"Authorization": f"Basic {basic}"}
        self._form = urlencode(
            {**told, **({"client_id": client_id, "client_secret": secret} if in_form else {})}
        ).encode()
        self._renewing = threading.Lock()

    def token(self) -> str:
        """The token in use, asked for when there is none that lasts. Raises AuthenticationFailed."""
        with _lock:
            known, until = _tokens.get(self._key, ("", 0.0))
        return known if known and time.monotonic() < until else self.renewed(known)

    def asked(self, ask: Callable[[Mapping[str, str]], Answer]) -> Answer:
        """What ``ask`` answers to a request with the headers given to it.

        A 401 renews the token and asks once more; a second 401 is returned. Raises AuthenticationFailed
        when no new token is given.
        """
        token = self.token()
        answer = ask({"Authorization": f"Bearer {token}"})
        if answer.status != 401:
            return answer
        return ask({"Authorization": f"Bearer {self.renewed(token)}"})

    def renewed(self, refused: str) -> str:
        """A token other than the refused one, asked for by one thread only. Raises AuthenticationFailed."""
        with self._renewing:
            with _lock:
                known, until = _tokens.get(self._key, ("", 0.0))
            if known and known != refused and time.monotonic() < until:
                return known
            token, lasts = self._new()
            with _lock:
                _tokens[self._key] = (token, time.monotonic() + lasts - min(300.0, lasts / 10))
            return token

    def _new(self) -> tuple[str, int]:
        """A token from the system, and for how many seconds it is good."""
        answer = self._client.send(
            "POST",
            self._path,
            body=self._form,
            headers={
                **self._headers,
                "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            },
            repeatable=True,
        )
        if answer.status != 200:
            raise self._client.refusal(answer) or AuthenticationFailed(self._rejected)
        found = as_dict(read(answer.body, where=self._client.where))
        token = found.get("access_token")
        if not isinstance(token, str) or not token:
            raise UnusableAnswer(f"{self._client.where} gave no token. Try again later.")
        try:
            lasts = integer(found.get("expires_in"), "expires_in")
        except RecordError:
            lasts = None
        return token, UNSTATED_S if lasts is None else lasts
