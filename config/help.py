"""The help: the papers for registrars, as pages of the console."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token


def _folder(name: str) -> dict[str, str]:
    """Name in the address → paper, for each paper of a folder but its README, by name."""
    papers = sorted(Path(settings.BASE_DIR, name).glob("[a-z]*.md"))
    return {path.stem: f"{name}/{path.name}" for path in papers}


# The name in the address → the paper. The first is the way in.
PAPERS = {
    "start": "docs/registrar/README.md",
    **_folder("docs/registrar"),
    "issues": "docs/issues.md",
    "glossary": "docs/glossary.md",
    **_folder("docs/connectors"),
    "commands": "docs/commands.md",
    "security": "SECURITY.md",
    "changes": "CHANGELOG.md",
}


class Paper(NamedTuple):
    """A paper as a page: its title, and the rest as HTML."""

    title: str
    html: SafeString


@require_safe
def help_page(request: HttpRequest, page: str = "start") -> HttpResponse:
    """A page of the help; 404 when there is none of that name."""
    if page not in PAPERS:
        raise Http404
    paper = read(page)
    pages = [(name, read(name).title, reverse("help-page", args=[name])) for name in PAPERS]
    context = {**admin.site.each_context(request), "title": paper.title, "html": paper.html}
    return render(request, "console/help.html", {**context, "pages": pages, "page": page})


@cache
def read(page: str) -> Paper:
    """A paper; its links lead to other pages of the help, and those that lead to none are plain words."""
    path = PAPERS[page]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(Path(settings.BASE_DIR, path).read_text())
    for token, inline in zip(tokens, tokens[1:], strict=False):
        if token.type == "heading_open":
            token.attrSet("id", anchor(inline.content))
        elif token.type == "table_open":
            token.attrSet("class", "console-table")
    for token in tokens:
        _lead(token.children or [], posixpath.dirname(path))
    title = re.sub(r"[`*]", "", tokens[1].content)
    html = markdown.renderer.render(tokens[3:], markdown.options, {})
    return Paper(title, mark_safe(html))  # noqa: S308 - our own papers, and HTML in them is switched off


def anchor(heading: str) -> str:
    """The name by which links of the papers call a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lead(tokens: Sequence[Token], folder: str) -> None:
    """Point the links of a line to where their papers are shown."""
    names = {path: name for name, path in PAPERS.items()}
    known = True
    for token in tokens:
        if token.type == "link_open":
            target, mark, place = str(token.attrGet("href") or "").partition("#")
            name = names.get(posixpath.normpath(posixpath.join(folder, target))) if target else ""
            known = name is not None
            token.attrs = {}
            if known:
                page = reverse("help-page", args=[name]) if name else ""
                token.attrs = {"class": "console-link", "href": f"{page}{mark}{place}"}
        if token.type in ("link_open", "link_close") and not known:
            token.tag = "span"
