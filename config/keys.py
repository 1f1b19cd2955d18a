"""The keys of an installation that was given none: made once, kept in a file only its owner reads."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TypedDict

from cryptography.fernet import Fernet


class Keys(TypedDict):
    """`secret_key` signs sessions; `field_encryption_keys` open the stored credentials, newest first."""

    secret_key: str
    field_encryption_keys: list[str]


def private_folder(path: Path) -> Path:
    """The folder, made where absent, that only its owner can enter (mode 0700)."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def load_or_create(path: Path) -> Keys:
    """The keys in the file, made (mode 0600) where absent; processes that start together get the same."""
    if not path.exists():
        _create(path)
    stored = json.loads(path.read_text())
    return Keys(secret_key=stored["secret_key"], field_encryption_keys=stored["field_encryption_keys"])


def _create(path: Path) -> None:
    keys = Keys(
        secret_key=Fernet.generate_key().decode(),
        field_encryption_keys=[Fernet.generate_key().decode()],
    )
    # Written aside and linked into place, so that whoever comes second finds the first one's file whole.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(keys, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
