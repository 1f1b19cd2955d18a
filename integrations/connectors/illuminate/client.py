"""How Illuminate's lists are asked for: address, the two ways to sign in, what a refusal means. Sources: the README."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw

from ...errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    PermissionMissing,
    RecordError,
    RequestRefused,
    UnusableAnswer,
)
from ...http import Answer, Client, Limits
from ...parsing import UNREADABLE, as_dict, integer, split_rows
from ..base import Connection
from ..oauth1 import Sign, signer
from ..oauth2 import TokenKeeper
from .profile import Endpoint

OAUTH1, OAUTH2 = "oauth1", "oauth2"
TOKEN_ADDRESS = "/?OAuth2_AccessToken"  # noqa: S105 - an address, no token
PASTED = re.compile(r"/rest_server\.php(/api)?/*$", re.IGNORECASE)
WHERE_TO_GRANT = "in Illuminate, Administration gear > API Management"
FOUR = {
    "consumer_token": "Consumer Token",
    "consumer_secret": "Consumer Secret",
    "user_token": "User Token",
    "user_secret": "User Secret",
}


class PageOfRows(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list. number, pages and total: as the envelope states them, None for a bare array."""

    rows: list[Raw]
    number: int | None = None
    pages: int | None = None
    total: int | None = None


def base_url(url: str) -> str:
    """The address of the instance from what people paste: without rest_server.php, Api and a query."""
    return PASTED.sub("", url.strip().partition("?")[0].rstrip("/")).rstrip("/")


class IlluminateClient:
    """Reads lists of one Illuminate instance. Threads may share it."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        *,
        sign_in: str = OAUTH1,
        parameters: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare, without connecting. sign_in: OAUTH1 or OAUTH2. parameters: sent with every request.

        Raises ConfigurationError and AddressRefused.
        """
        given = {name: connection.credentials.get(name, "").strip() for name in FOUR}
        needed = [*FOUR] if sign_in == OAUTH1 else ["consumer_token", "consumer_secret"]
        self._labels = " and ".join([", ".join(FOUR[name] for name in needed[:-1]), FOUR[needed[-1]]])
        if missing := [FOUR[name] for name in needed if not given[name]]:
            raise ConfigurationError(
                f"The {' and the '.join(missing)} of Illuminate {'are' if len(missing) > 1 else 'is'} missing. "
                f"The district finds them {WHERE_TO_GRANT}."
            )
        self._parameters = dict(parameters or {})
        self._client = Client(
            base_url(connection.url),
            system="Illuminate",
            allowed_hosts=connection.allowed_hosts,
            limits=limits,
            sign=_signer(given) if sign_in == OAUTH1 else None,
            sleep=sleep,
        )
        self.where, self.base = self._client.where, self._client.base
        self._tokens: TokenKeeper | None = None
        if sign_in == OAUTH2:
            self._tokens = TokenKeeper(
                self._client,
                TOKEN_ADDRESS,
                client_id=given["consumer_token"],
                secret=given["consumer_secret"],
                in_form=True,
                rejected=self._rejected(),
            )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def page(self, endpoint: Endpoint, values: Mapping[str, str], *, doing: str) -> PageOfRows:
        """One page of a list. values: our parameters → what is asked for; doing: "read ...", for messages.

        Raises ConfigurationError where the address is not known there, and what every request may raise.
        """
        names = {**endpoint.parameters}
        quoted = {name: quote(value, safe="") for name, value in values.items()}
        path = "/rest_server.php/Api/" + endpoint.path.format_map(quoted)
        params = {
            **self._parameters,
            **{names[name]: value for name, value in values.items() if names.get(name)},
        }
        answer = self._ask(path, params)
        if answer.status == 204:
            raise UnusableAnswer(f"{self.where}, asked to {doing}, sent an empty answer. Try again later.")
        if answer.status != 200:
            raise self._refusal(answer, endpoint, doing)
        return self._rows(answer.body, endpoint, doing)

    def _ask(self, path: str, params: Mapping[str, str]) -> Answer:
        if self._tokens is None:
            return self._client.get(path, params=params)
        return self._tokens.asked(lambda headers: self._client.get(path, params=params, headers=headers))

    def _rows(self, body: bytes, endpoint: Endpoint, doing: str) -> PageOfRows:
        """The rows of either shape."""
        if body.lstrip()[:1] == b"[":
            return PageOfRows(rows=split_rows(body, where=self.where))
        try:
            outer = msgspec.json.decode(body, type=dict[str, Raw])
        except msgspec.ValidationError:
            raise self._no_list(endpoint, doing) from None
        except UNREADABLE:
            raise UnusableAnswer(
                f"{self.where} sent an answer that breaks off or is no JSON. Try again later."
            ) from None
        if endpoint.root not in outer or "num_pages" not in outer:
            raise self._no_list(endpoint, doing)
        try:
            number, pages, total = (_whole(outer, name) for name in ("page", "num_pages", "num_results"))
        except RecordError:
            raise self._no_list(endpoint, doing) from None
        if pages is None or pages < 0:
            raise self._no_list(endpoint, doing)
        rows = split_rows(bytes(outer[endpoint.root]), where=self.where)
        return PageOfRows(rows=rows, number=number, pages=pages, total=total)

    def _refusal(self, answer: Answer, endpoint: Endpoint, doing: str) -> IntegrationError:
        if answer.status in (404, 405):
            return ConfigurationError(
                f"{self.where} was asked to {doing} and has no end point {endpoint.path} ({answer.status}). "
                f"Correct {endpoint.option('path')}, or the Url if no list can be read."
            )
        if general := self._client.refusal(answer):
            return general
        if answer.status == 401:
            return AuthenticationFailed(self._rejected())
        if answer.status == 403:
            return PermissionMissing(
                f"{self.where} refuses to {doing}. Ask the district to give the access key the end point "
                f"{endpoint.path}, {WHERE_TO_GRANT}."
            )
        said = _message(answer)
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")

    def _rejected(self) -> str:
        return (
            f"{self.where} refuses the {self._labels}. Copy them again from API Management, and see that the clock "
            "of this computer is right."
        )

    def _no_list(self, endpoint: Endpoint, doing: str) -> UnusableAnswer:
        return UnusableAnswer(
            f"{self.where}, asked to {doing}, sent something else than a list. If this stays so, correct "
            f"{endpoint.option('path')} or {endpoint.name}.root."
        )


def _signer(given: Mapping[str, str]) -> Sign:
    return signer(
        given["consumer_token"],
        given["consumer_secret"],
        token=given["user_token"],
        token_secret=given["user_secret"],
    )


def _whole(outer: Mapping[str, Raw], name: str) -> int | None:
    return integer(msgspec.json.decode(outer[name]), name) if name in outer else None


def _message(answer: Answer) -> str:
    """The text of an error, "" when there is none."""
    try:
        found: Any = as_dict(msgspec.json.decode(answer.body))
    except UNREADABLE:
        return ""
    said = found.get("error") or found.get("message")
    return said if isinstance(said, str) else ""
