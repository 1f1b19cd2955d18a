"""Named places at which a test may end this process as a power cut would.

``SIS_KILL_AT=name:n`` in the environment kills the process, with SIGKILL, when it reaches the place with
that name for the n-th time. Without the variable a place does nothing.
"""

from __future__ import annotations

import os
import signal

_name, _, _count = os.environ.get("SIS_KILL_AT", "").partition(":")
_left = int(_count or 1) if _name else 0


def reach(name: str) -> None:
    """Say that the process has come to a place. Does not return where it is to end here."""
    global _left
    if _left and name == _name:
        _left -= 1
        if not _left:
            os.kill(os.getpid(), signal.SIGKILL)
