"""Reads a list whole, page after page, in either shape, and notes what speaks against its being whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from msgspec import Raw

from ...errors import UnusableAnswer
from ..base import Problem
from .client import PageOfRows

Fetch = Callable[[int], PageOfRows]
"""One page of a list by its number, from 1."""

MOST_PAGES = 10_000


class Listing(msgspec.Struct):
    """A list as it was read. name: for messages. declared: the total stated, None for a bare array.

    pages: how many were read. ends: digests of the first and the last page.
    """

    name: str
    rows: list[Raw]
    declared: int | None
    stated: tuple[int | None, int | None]
    pages: int
    ends: tuple[bytes, bytes]
    problems: list[Problem]


def read_list(fetch: Fetch, *, limit: int, name: str) -> Listing:
    """Every page of a list. One that changes its counts meanwhile is read once more, then told as a problem.

    Raises what fetching a page raises, and UnusableAnswer for a shape that changes between pages.
    """
    for last_try in (False, True):
        first = fetch(1)
        pages, moved = _array(fetch, first, limit) if first.pages is None else _envelope(fetch, first, name)
        if not moved or last_try:
            break
    problems = [Problem("count_disagrees", f"{name} changed while they were read, twice.")] if moved else []
    problems += _repeated(pages, name)
    if first.pages is None:
        problems += _array_faults(pages, limit, name)
    else:
        problems += _envelope_faults(pages, first, name)
    return Listing(
        name=name,
        rows=[raw for page in pages for raw in page.rows],
        declared=first.total,
        stated=(first.pages, first.total),
        pages=len(pages),
        ends=(_digest(pages[0]), _digest(pages[-1])),
        problems=problems,
    )


def confirm(listing: Listing, fetch: Fetch) -> list[Problem]:
    """Reads the first and the last page again, which must be as they were, counts included."""
    changed = [Problem("count_disagrees", f"{listing.name} changed while they were read.")]
    places = dict(zip((1, listing.pages), listing.ends, strict=True)) if listing.pages > 1 else {1: listing.ends[0]}
    for number, digest in places.items():
        page = fetch(number)
        if (page.pages, page.total) != listing.stated or _digest(page) != digest:
            return changed
    return []


def _envelope(fetch: Fetch, first: PageOfRows, name: str) -> tuple[list[PageOfRows], bool]:
    """The pages, and whether the counts changed between them."""
    last = first.pages or 0
    if last > MOST_PAGES:
        raise UnusableAnswer(f"{name} are said to have {last} pages. Try again later.")
    pages = [first]
    for number in range(2, last + 1):
        page = fetch(number)
        if page.pages is None:
            raise UnusableAnswer(f"{name} came without a count on page {number}. Try again later.")
        pages.append(page)
        if (page.pages, page.total) != (first.pages, first.total):
            return pages, True
    return pages, False


def _array(fetch: Fetch, first: PageOfRows, limit: int) -> tuple[list[PageOfRows], bool]:
    """The pages of a list without counts: up to one that is not full, or that comes again."""
    pages = [first]
    while len(pages[-1].rows) >= limit and len(pages) < MOST_PAGES:
        page = fetch(len(pages) + 1)
        if page.pages is not None:
            return pages, True
        if not page.rows:
            break
        if len(page.rows) > limit and _digest(page) == _digest(first):
            break
        pages.append(page)
        if len(pages) > 1 and _digest(page) == _digest(pages[-2]):
            break
    return pages, False


def _repeated(pages: list[PageOfRows], name: str) -> list[Problem]:
    """Rows that came on an earlier page too; where a total is stated and met, only a whole page counts.

    A student may have two rows that are alike, one at the end of a page and one at the beginning of the next.
    """
    seen: set[bytes] = set()
    met = pages[0].total is not None and sum(len(page.rows) for page in pages) == pages[0].total
    for page in pages:
        rows = {_digest(page)} if met and page.rows else {bytes(raw) for raw in page.rows}
        if rows & seen:
            return [Problem("page_repeated", f"Rows of {name} came on two pages.")]
        seen |= rows
    return []


def _array_faults(pages: list[PageOfRows], limit: int, name: str) -> list[Problem]:
    if len(pages) > 1 and any(len(page.rows) > limit for page in pages):
        return [Problem("page_size_ignored", f"{name} came in larger pages than asked for.")]
    return []


def _envelope_faults(pages: list[PageOfRows], first: PageOfRows, name: str) -> list[Problem]:
    found: list[Problem] = []
    received = sum(len(page.rows) for page in pages)
    if any(page.number not in (None, number) for number, page in enumerate(pages, start=1)):
        found.append(Problem("page_repeated", f"{name} came with another page than asked for."))
    if any(len(page.rows) < len(first.rows) for page in pages[:-1]):
        found.append(Problem("page_truncated", f"{name} came with a page that is not full before the last."))
    told = f"{name}: {first.total} stated, {received} sent."
    if first.total is not None and received < first.total:
        found.append(Problem("page_truncated", told))
    elif first.total is not None and received > first.total:
        found.append(Problem("count_disagrees", told))
    elif not first.pages and received:
        found.append(Problem("count_disagrees", f"{name}: no page stated, {received} sent."))
    return found


def _digest(page: PageOfRows) -> bytes:
    hashed = hashlib.blake2b(digest_size=16)
    for raw in page.rows:
        hashed.update(raw)
        hashed.update(b"\x00")
    return hashed.digest()
