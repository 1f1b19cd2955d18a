"""Consoles as real processes: their environments and command lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def embedded_env(var_dir: Path) -> dict[str, str]:
    """An environment for `manage.py` as a process of its own, with nothing configured but the folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "SIS_VAR_DIR": str(var_dir), "SIS_ENV_FILE": os.devnull, "PYTHONUNBUFFERED": "1"}


def manage(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]
