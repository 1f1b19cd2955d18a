"""What `up` remembers of the demo district, so that it is the same one at the next start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict


class Demo(TypedDict):
    """The district (`students`, `seed`) and the first of the ports its servers have, one after the other."""

    students: int
    seed: int
    vendors: list[str]
    port: int


def load(var_dir: Path) -> Demo | None:
    """The demo of this installation; None where it has none."""
    try:
        stored = json.loads((var_dir / "demo.json").read_text())
    except FileNotFoundError:
        return None
    return Demo(students=stored["students"], seed=stored["seed"], vendors=stored["vendors"], port=stored["port"])


def save(var_dir: Path, demo: Demo) -> None:
    """Remember the demo for the next start."""
    (var_dir / "demo.json").write_text(json.dumps(demo, indent=1))


def hosts(var_dir: Path) -> list[str]:
    """`host:port` of the demo's servers, which may be reached though they are on this machine; often none."""
    demo = load(var_dir)
    if demo is None:
        return []
    return [f"127.0.0.1:{demo['port'] + number}" for number in range(len(demo["vendors"]))]
