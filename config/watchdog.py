"""Ends the processes of a supervisor that was killed and could not end them itself.

Run by its path with `python -I`, so that it is small: it reads `+PID` and `-PID` lines, one process group
each, from its standard input. When that closes, the supervisor is gone: whatever is left is asked to end,
and ended after a while.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_S = 20.0


def watch() -> set[int]:
    """The process groups still there when the supervisor is gone."""
    groups: set[int] = set()
    for line in sys.stdin:
        sign, number = line[0], int(line[1:])
        if sign == "+":
            groups.add(number)
        else:
            groups.discard(number)
    return groups


def send(number: signal.Signals | int, group: int) -> bool:
    """Signal a group, or with SIGTERM its leader, who tells the rest. False when it is not there any more."""
    try:
        if number == signal.SIGTERM:
            os.kill(group, number)
        else:
            os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Wait for the supervisor's end, then end what it left."""
    groups = watch()
    deadline = time.monotonic() + GRACE_S
    while groups and time.monotonic() < deadline:
        # Every second: a signal that comes while a program starts can be lost in it.
        groups = {group for group in groups if send(signal.SIGTERM, group)}
        pause = time.monotonic() + 1.0
        while groups and time.monotonic() < pause:
            time.sleep(0.1)
            groups = {group for group in groups if send(0, group)}
    for group in groups:
        send(signal.SIGKILL, group)


if __name__ == "__main__":
    main()
