"""A sandbox SIS in a process of its own, and an integration that reads it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from integrations.sandbox import District, start


class Vendor:
    """A running sandbox server: its address, its credentials, its schools."""

    def __init__(self, pipe: Connection, told: Mapping[str, Any]) -> None:
        self._pipe = pipe
        self.url: str = told["url"]
        self.credentials: dict[str, str] = told["credentials"]
        self.schools: list[tuple[str, str]] = told["schools"]

    def change_percent(self, percent: float, seed: int) -> int:
        """Change one field of this share of the children; returns how many, with all pages rendered."""
        self._pipe.send((percent, seed))
        count: int = self._pipe.recv()
        return count


@contextmanager
def vendor(system: str, *, students: int) -> Iterator[Vendor]:
    """A sandbox of a clean district with two contacts a student, pages rendered ahead."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(system, students, theirs), daemon=True)
    process.start()
    try:
        yield Vendor(ours, ours.recv())
    finally:
        ours.send(None)
        process.join(10)


def _serve(system: str, students: int, pipe: Connection) -> None:
    district = District.generate(students=students, seed=7, messy=False)
    with start(system, district=district) as server:
        server.warm()
        pipe.send(
            {
                "url": server.url,
                "credentials": dict(server.credentials),
                "schools": [(str(school.number), school.name) for school in district.real_schools],
            }
        )
        while (order := pipe.recv()) is not None:
            count = len(district.change_percent(order[0], seed=order[1]))
            server.warm()
            pipe.send(count)
