"""The whole console as one command: prepares the database, then keeps every process running."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from config import demo
from config.supervisor import Child, Say, Supervisor

HOST = "127.0.0.1"
DEMO_STUDENTS = 500
DEMO_SEED = 1
FIRST_DEMO_PORT = 8100


class CannotStart(Exception):
    """Why the console does not start and what to do, in one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in, with the password just made."""

    name: str
    password: str
    may: str


def up(*, port: int, with_demo: bool, say: Say) -> None:
    """Run the console on 127.0.0.1:`port` until SIGINT or SIGTERM. CannotStart before anything runs."""
    os.umask(0o077)
    with only_one(settings.VAR_DIR / "up.lock"), listening(port) as door:
        migrate()
        if settings.PRODUCTION:
            call_command("collectstatic", interactive=False, verbosity=0)
        accounts = first_start(with_demo=with_demo, say=say)
        district = demo.load(settings.VAR_DIR) if with_demo else None
        connections.close_all()
        supervisor = Supervisor(children(door, district), say=say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.run(each_tick=Welcome(port=port, accounts=accounts, say=say, district=district).when_ready)
        say("Stopped.")


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock of this installation. CannotStart when another `up` holds it."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise CannotStart(
                f"The console is already running from {path.parent} (process {file.read().strip()}); "
                "stop it with Ctrl-C where it runs, or set SIS_VAR_DIR to another folder for a second one."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """The socket people connect to. It outlives a web process that dies, so they wait and are not refused."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CannotStart(
                f"Port {port} cannot be used ({reason}); choose another one: manage.py up --port {port + 1}"
            ) from None
        door.listen(128)
        yield door


def migrate() -> None:
    """Bring the database up to date. CannotStart when it does not answer."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        detail = str(error).strip().splitlines()
        raise CannotStart(
            f"The database does not answer: {detail[0] if detail else type(error).__name__}. "
            "Start it, or correct DATABASE_URL."
        ) from None
    call_command("migrate", interactive=False, verbosity=0)


def first_start(*, with_demo: bool, say: Say) -> list[Account]:
    """Make what a new database lacks; the accounts made, none on a later start."""
    users = get_user_model()._default_manager
    accounts = [
        Account("admin", new_password(), "everything"),
        Account("registrar", new_password(), "the registrar's work"),
    ]
    if with_demo and connection.vendor == "sqlite" and is_empty():
        say("First start: filling in a demo district. This takes a moment.")
        seed_demo({account.name: account.password for account in accounts})
    if not users.filter(is_superuser=True).exists():
        get_user_model().objects.create_superuser("admin", "", accounts[0].password)
    elif not any(person.check_password(accounts[0].password) for person in users.filter(username="admin")):
        return []
    return [account for account in accounts if users.filter(username=account.name).exists()]


def new_password() -> str:
    """Twelve letters and digits in groups of four, none that looks like another; 59 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(3))


def is_empty() -> bool:
    """Whether nobody has used this database: no user, school, student or integration."""
    names = ("auth.User", "students.School", "students.Student", "integrations.Integration")
    return not any(apps.get_model(name)._default_manager.exists() for name in names)


def seed_demo(passwords: Mapping[str, str]) -> None:
    """Fill the empty database with the demo, whole or not at all. CannotStart when its servers do not."""
    district = demo.load(settings.VAR_DIR) or new_demo()
    servers = ask_servers(district)
    demo.save(settings.VAR_DIR, district)
    settings.SIS_ALLOWED_HOSTS = sorted({*settings.SIS_ALLOWED_HOSTS, *demo.hosts(settings.VAR_DIR)})
    with transaction.atomic():
        import_module("integrations.demo").seed(
            admin_password=passwords["admin"],
            registrar_password=passwords["registrar"],
            servers={name: (server["url"], server["credentials"]) for name, server in servers.items()},
            students=district["students"],
            district_seed=district["seed"],
        )


def new_demo() -> demo.Demo:
    """A demo of every vendor the sandbox can play, on ports that are free now."""
    vendors = list(import_module("integrations.sandbox.registry").SERVERS)
    return demo.Demo(
        students=DEMO_STUDENTS,
        seed=DEMO_SEED,
        vendors=vendors,
        port=free_ports(len(vendors), FIRST_DEMO_PORT),
    )


def free_ports(count: int, first: int) -> int:
    """The lowest port from `first` on that begins `count` free ones. CannotStart when there is none."""
    run = 0
    for port in range(first, 65536):
        with socket.socket() as probe:
            run = run + 1 if probe.connect_ex((HOST, port)) != 0 and _can_bind(port) else 0
        if run == count:
            return port - count + 1
    raise CannotStart("No ports are free for the demo; start without it: manage.py up --no-demo")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def ask_servers(district: demo.Demo) -> dict[str, Any]:
    """Url and credentials of each demo server, from servers started for the question and stopped again."""
    with subprocess.Popen(  # noqa: S603 - our own command line
        sandbox_command(district), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.terminate()
        if not line:
            words = process.stderr.read().strip().splitlines()
            raise CannotStart(
                f"The demo's servers did not start: {words[-1] if words else 'they said nothing'} "
                "Mend that, or start without them: manage.py up --no-demo"
            )
    found: dict[str, Any] = json.loads(line)
    return found


def sandbox_command(district: demo.Demo) -> list[str]:
    """The command line of the demo's servers."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py"), "sandbox", *district["vendors"]]
    shape = {"--port": district["port"], "--students": district["students"], "--seed": district["seed"]}
    return [*manage, "--json", *(str(part) for option in shape.items() for part in option)]


def children(door: socket.socket, district: demo.Demo | None) -> list[Child]:
    """The processes of the console, in the order in which they are to end."""
    python = sys.executable
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(settings.BASE_DIR)}
    env.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    celery = [python, "-m", "celery", "--quiet", "-A", "config"]
    web = [python, "-m", "gunicorn", "config.wsgi", "--bind", f"fd://{door.fileno()}", "--no-control-socket"]
    web += [
        "--worker-class",
        "gthread",
        "--threads",
        "8",
        "--log-level",
        "warning",
        "--graceful-timeout",
        "10",
    ]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip"]
    running = [
        Child("beat", [*celery, "beat", "--loglevel", "WARNING", "--pidfile="], env),
        Child("web", web, env, keeps_fds=[door.fileno()]),
        Child("worker", [*worker, "--without-mingle", "--hostname", f"up-{os.getpid()}@%h"], env),
    ]
    if district is not None:
        running.append(Child("sandbox", [*sandbox_command(district), "--verbosity", "0"], env))
    return running


class Welcome:
    """Tells once, when the first page can be served, where to go and how to sign in."""

    def __init__(self, *, port: int, accounts: list[Account], say: Say, district: demo.Demo | None = None) -> None:
        self.port, self.accounts, self.say, self.district = port, accounts, say, district
        self.told = False
        self.ask_at = 0.0

    def when_ready(self) -> None:
        """Say it if the web answers and it has not been said."""
        if self.told or time.monotonic() < self.ask_at:
            return
        if not answers(self.port):
            self.ask_at = time.monotonic() + 0.3
            return
        self.told = True
        self.say(self.text())

    def text(self) -> str:
        """Where to go, the new accounts or how to set a password, where the demo's systems and the data are."""
        command = f"{os.path.relpath(sys.executable)} manage.py changepassword"
        lines = ["", f"SIS Console is ready: {settings.PUBLIC_URL or f'http://{HOST}:{self.port}'}/", ""]
        if self.accounts:
            lines.append("Sign in with one of these. The passwords are shown only now.")
            lines += [f"    {a.name:<10} {a.password:<14} may do {a.may}" for a in self.accounts]
            lines += [f"To set a new password: {command} {self.accounts[0].name}"]
        else:
            lines.append(f"Sign in as before. To set a new password: {command} admin")
        if self.district is not None:
            lines.append("The demo plays these systems, on ports of this machine:")
            ports = enumerate(self.district["vendors"], self.district["port"])
            lines += [f"    {name:<20} {number}" for number, name in ports]
        if connection.vendor == "sqlite":
            lines.append(f"The data are in {_folder(settings.VAR_DIR)}/. The next start goes on with them.")
        return "\n".join([*lines, "Ctrl-C stops everything.", ""])


def _folder(path: Path) -> str:
    """A folder as a person would type it: from here where it is below here, else whole."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def answers(port: int) -> bool:
    """Whether our own web process says that it is well."""
    page = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        page.request("GET", "/healthz")
        return page.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        page.close()
