"""A database that belongs to the benchmark alone, so that no other is ever emptied."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

NAME = "sis_console_benchmark"
OURS = "SIS_BENCHMARK_DATABASE"


@contextmanager
def own_database() -> Iterator[None]:
    """Point DATABASE_URL and SIS_VAR_DIR at what exists for the length of the block only.

    A process started inside the block keeps what its parent made.
    """
    if os.environ.get(OURS):
        yield
        return
    os.environ[OURS] = "1"
    url = os.environ.get("DATABASE_URL", "")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIS_VAR_DIR"] = folder
        if not url.startswith("postgres"):
            os.environ["DATABASE_URL"] = f"sqlite:///{folder}/benchmark.sqlite3"
            yield
            return
        _make(url)
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{NAME}").geturl()
        try:
            yield
        finally:
            _drop(url)


def _make(url: str) -> None:
    _drop(url)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))


def _drop(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(NAME)))
