"""Addresses that carry their own secret: what of one may be shown, and what is kept encrypted. Pure.

Some systems give out a single address and put the key into it, as a query or as its last part. Such an address
is stored in two halves: one that anybody may read, ``https://sis.example.org/feeds/…``, and what ``…`` stands
for. Nobody can tell a key from a word, so everything behind the last slash of the path is taken for secret, and
all that follows a part too long to be a word.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

MASK = "…"
LONGEST_WORD = 16


def is_masked(url: str) -> bool:
    """Whether the address is the readable half of one."""
    return url.strip().endswith(MASK)


def split_url(url: str) -> tuple[str, str]:
    """The readable half and what its ``…`` stands for, "" where nothing has to be hidden. A fragment is left out.

    The halves of a readable half are itself and "". Raises ValueError for what cannot be an address.
    """
    parts = urlsplit(url.strip())
    segments = parts.path.rstrip("/").split("/")
    shown = next((place for place, one in enumerate(segments) if len(one) >= LONGEST_WORD), len(segments) - 1)
    tail = "/".join(segments[max(shown, 1) :])
    secret = f"{tail}?{parts.query}" if parts.query else tail
    if not secret or is_masked(url):
        return url.strip(), ""
    before = "/".join(segments[: max(shown, 1)])
    return urlunsplit(parts._replace(path=f"{before}/{MASK}", query="", fragment="")), secret


def whole_url(url: str, secret: str) -> str:
    """The address that ``split_url`` has split; an address that is whole comes back as it is."""
    return f"{url.strip().removesuffix(MASK)}{secret}" if is_masked(url) else url.strip()
