"""`python -m tests.deploy_check`: Django's checks as an installation for others would run them."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from tests.processes import embedded_env, manage


def production_env(var_dir: Path) -> dict[str, str]:
    """The environment of an installation that serves people over https."""
    return {
        **embedded_env(var_dir),
        "SIS_PUBLIC_URL": "https://sis.example.org",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }


def main() -> int:
    """Run them all; the exit status of the first that fails, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        embedded, production = embedded_env(Path(folder) / "a"), production_env(Path(folder) / "b")
        steps = [
            (["check", "--fail-level", "WARNING"], embedded),
            (["check", "--deploy", "--fail-level", "WARNING"], production),
            (["makemigrations", "--check", "--dry-run"], embedded),
        ]
        for arguments, env in steps:
            print("manage.py", *arguments, flush=True)
            status = subprocess.run(manage(*arguments), env=env, check=False).returncode
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
