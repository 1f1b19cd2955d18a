"""OAuth 1.0a: signs one attempt of a request after the other, each with a nonce and a time of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

from oauthlib import oauth1

# At DEBUG it writes keys and signatures.
logging.getLogger("oauthlib").setLevel(logging.INFO)

Sign = Callable[[str, str], Mapping[str, str]]
"""Headers of one attempt, from its method and whole address."""


def signer(key: str, secret: str, *, token: str = "", token_secret: str = "", method: str = "HMAC-SHA1") -> Sign:
    """What signs requests in the Authorization header. token and token_secret: "" for two-legged requests.

    method: HMAC-SHA1 or HMAC-SHA256. Threads may share it.
    """
    client = oauth1.Client(
        key,
        client_secret=secret,
        resource_owner_key=token or None,
        resource_owner_secret=token_secret or None,
        signature_method=method,
        signature_type=oauth1.SIGNATURE_TYPE_AUTH_HEADER,
    )
    signing = threading.Lock()

    def sign(verb: str, address: str) -> Mapping[str, str]:
        with signing:
            _, headers, _ = client.sign(address, http_method=cast(Any, verb))
        return {name: str(value) for name, value in headers.items()}

    return sign
