"""Keeps processes running: starts them, starts again what dies, ends them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from config import watchdog

LONG_ENOUGH_S = 10.0  # a child that lived this long counts as having started well
QUICK_DEATHS = 5  # after so many in a row its last words are told, and it is tried once a minute
SLOWEST_RETRY_S = 60.0
GRACE_S = 20.0  # how long a child may take to finish what it is doing
ASK_AGAIN_S = 8.0
TICK_S = 0.1

Say = Callable[[str], None]


@dataclass
class Child:
    """One process to keep running. `keeps_fds` are the open files it inherits, for a listening socket."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    keeps_fds: Sequence[int] = ()
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float = 0.0
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=12))

    def start(self, say: Say) -> int:
        """Start it in a process group of its own and return its number; its lines go to `say`, named."""
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            self.argv,
            env={**self.env},
            pass_fds=tuple(self.keeps_fds),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.started = time.monotonic()
        self.last_words.clear()
        assert self.process.stdout is not None
        threading.Thread(target=self._relay, args=(self.process.stdout, say), daemon=True).start()
        return self.process.pid

    def _relay(self, lines: IO[str], say: Say) -> None:
        with lines:
            for line in lines:
                self.last_words.append(line.rstrip())
                if line.strip():
                    say(f"{self.name}: {line.rstrip()}")

    def is_running(self) -> bool:
        """Whether its process lives. One found dead takes the rest of its group with it."""
        if self.process is None:
            return False
        # Looked at without reaping: while the dead leader is there, its number is no other process's group.
        if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return True
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGKILL to the whole group, any other to its leader, who tells the rest."""
        if self.process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                os.kill(self.process.pid, number)
        except ProcessLookupError:
            pass


class Supervisor:
    """Runs children until `stop` is called; they are ended in the order given, the first one first."""

    def __init__(self, children: Sequence[Child], *, say: Say) -> None:
        self.children = children
        self.say = say
        self.stopping = False
        self.hurry = False
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-I", watchdog.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def stop(self) -> None:
        """Begin the orderly end; a second call ends everything at once."""
        self.hurry = self.stopping
        self.stopping = True

    def run(self, *, each_tick: Callable[[], None] = lambda: None) -> None:
        """Start all, keep all running, and return when every one has ended after `stop`."""
        try:
            while not self.stopping:
                for child in self.children:
                    if not self.stopping:
                        self._tend(child)
                each_tick()
                time.sleep(TICK_S)
        finally:
            self._end()
            self._watchdog.communicate()

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            pid = child.process.pid
            if not child.is_running():
                self._tell_watchdog(f"-{pid}")
                self._plan_restart(child, lived=now - child.started)
        elif now >= child.start_at:
            self._tell_watchdog(f"+{child.start(self.say)}")

    def _plan_restart(self, child: Child, *, lived: float) -> None:
        child.deaths = 1 if lived >= LONG_ENOUGH_S else child.deaths + 1
        wait = 0.0 if child.deaths == 1 else min(0.5 * 2.0 ** (child.deaths - 2), SLOWEST_RETRY_S)
        if child.deaths < QUICK_DEATHS:
            self.say(f"{child.name} stopped and is started again.")
        else:
            wait = SLOWEST_RETRY_S
            why = next((line for line in reversed(child.last_words) if line.strip()), "it said nothing")
            self.say(
                f"{child.name} stopped {child.deaths} times just after its start; its last words: {why} "
                f"The rest goes on, and {child.name} is tried again every minute."
            )
        child.start_at = time.monotonic() + wait

    def _tell_watchdog(self, line: str) -> None:
        assert self._watchdog.stdin is not None
        try:
            self._watchdog.stdin.write(f"{line}\n")
            self._watchdog.stdin.flush()
        except BrokenPipeError:  # somebody ended it; it is only for the day we are killed
            pass

    def _end(self) -> None:
        self.say("Stopping; what runs is finished first. Once more ends everything at once.")
        for child in self.children:
            if child.process is not None:
                pid = child.process.pid
                self._end_one(child)
                self._tell_watchdog(f"-{pid}")

    def _end_one(self, child: Child) -> None:
        deadline = time.monotonic() + GRACE_S
        ask_at = 0.0
        while child.is_running() and time.monotonic() < deadline and not self.hurry:
            # More than once: a signal that comes while a program starts can be lost in it.
            if time.monotonic() >= ask_at:
                child.signal(signal.SIGTERM)
                ask_at = time.monotonic() + ASK_AGAIN_S
            time.sleep(TICK_S / 2)
        if child.process is not None:
            self.say(f"{child.name} is ended while busy; what it was doing goes on at the next start.")
            child.signal(signal.SIGKILL)
            child.process.wait()
            child.process = None
