"""Owns what every test may ask for: databases of both kinds, and the order and marks of the suite.

For tests of whatever touches the books, take `database_url`: the test then runs twice, on a new, migrated and empty
SQLite file and on such a PostgreSQL database.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from tests import rsa_keys
from tests.examples import QUICK, examples
from tests.postgres import GIVEN, MISSING, NoPostgres, Session, quick_folder

KINDS = ("sqlite", "postgresql")
JOURNEYS = ("stories", "wire")
DOORS = ("cli", "clients", "pages")
LONGEST = ("architecture/test_package.py", "docs/test_tour.py", "stories", "pages", "cli", "wire", "docs", "clients")
"""Where the files stand that take longest. Several processes take them first, so that all end at about one time."""
SESSION = pytest.StashKey[Session]()
ROOM_BYTES = 4 << 30
"""Everything that a run writes lies in memory where there is so much room: each commit on a disk waits for it."""

# No deadline: a shared machine sometimes loses a core. The same examples every time in continuous integration.
# Half of the usual number, so that the whole run stays short; `WALLET_TEST_ALL=1` tries as many as usual.
# The quick half tries a quarter.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=examples(100 if os.environ.get("WALLET_TEST_ALL") else 50),
)
hypothesis.settings.load_profile("suite")


def mostly_on(kind: str, stage: bool = False) -> pytest.MarkDecorator:
    """A long test that runs on one database, so that the whole run stays short; `WALLET_TEST_ALL=1` runs it on both.
    `stage`: it is a story on the stage of its module."""
    kinds = KINDS if os.environ.get("WALLET_TEST_ALL") else (kind,)
    if stage:
        return pytest.mark.parametrize("stage", kinds, indirect=True, scope="module")
    return pytest.mark.parametrize("database_kind", kinds)


def whole_module_mostly_on(kind: str) -> Callable[..., str]:
    """The same for every test of a module: `database_kind = whole_module_mostly_on("sqlite")`."""

    @pytest.fixture(params=KINDS if os.environ.get("WALLET_TEST_ALL") else (kind,))
    def database_kind(request: pytest.FixtureRequest) -> str:
        return str(request.param)

    return database_kind


NewDatabase = Callable[..., str]
"""`new_database(kind, migrated=True)` gives the SQLAlchemy address of a new, empty database."""


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Both kinds in turn: "sqlite", "postgresql"."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, new_database: NewDatabase) -> str:
    """Address of a new database that is migrated and empty; the test runs once for each kind."""
    return new_database(database_kind)


@pytest.fixture
def fresh_database_url(database_kind: str, new_database: NewDatabase) -> str:
    """Address of a new database without any table; the test runs once for each kind."""
    return new_database(database_kind, migrated=False)


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Makes as many databases as a test wants, of the kind it wants; all are dropped when the test ends.

    `new_database("postgresql")` is migrated and empty, `new_database("sqlite", migrated=False)` has no table. Skips
    the test where no PostgreSQL can be had.
    """
    with databases(request.config, tmp_path) as new:
        yield new


@contextmanager
def databases(config: pytest.Config, folder: Path) -> Iterator[NewDatabase]:
    """The same for fixtures of a wider scope than a test."""
    session = config.stash[SESSION]
    made: list[str] = []

    def new(kind: str, *, migrated: bool = True) -> str:
        if kind == "sqlite":
            file = folder / f"wallet-{len(list(folder.glob('wallet-*.db')))}.db"
            if migrated:
                shutil.copyfile(_migrated_file(session), file)
            return f"sqlite:///{file}"
        if os.environ.get(QUICK):
            pytest.fail("The quick half starts no database server: name the kind among the test's parameters.")
        try:
            made.append(session.create(session.template(_migrate) if migrated else None))
        except NoPostgres as fault:
            pytest.skip(f"{MISSING}{fault}")
        return made[-1]

    yield new
    for address in made:
        session.drop(address)


def _migrate(address: str) -> None:
    importlib.import_module("wallet_server.records.database").upgrade(address)


def _migrated_file(session: Session) -> Path:
    file = session.folder / "template.db"
    with session.turn():
        if not file.is_file():
            half = session.folder / "half.db"
            _migrate(f"sqlite:///{half}")
            half.rename(file)
    return file


# ---------------------------------------------------------------------- the suite as a whole


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the session: made here, or named by the process that began the session. What tests write is in
    it, and gone with it; `--basetemp` keeps what those leave that fail."""
    given = getattr(config, "workerinput", {}).get("session_folder")
    if given is None:
        given = tempfile.mkdtemp(prefix="wallet-tests-", dir=quick_folder(ROOM_BYTES, programs=True))
        Path(given).chmod(0o711)  # the database server, under another user, must find its own folder inside
        config.option.basetemp = config.option.basetemp or f"{given}/tests"
    os.environ["TMPDIR"] = tempfile.tempdir = given
    rsa_keys.share(Path(given) / "keys")
    config.stash[SESSION] = Session(Path(given))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell each worker process the session's folder."""
    node.workerinput["session_folder"] = str(node.config.stash[SESSION].folder)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that began the session ends it."""
    if not hasattr(config, "workerinput") and SESSION in config.stash:
        config.stash[SESSION].end()


YOUNG = 20_000
"""So many new objects, and not 700, before it is looked for garbage among them: hardly any of a test's is in a ring."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays to the end of the run: to look through it for garbage again and again, meanwhile and
    later, takes each process a few seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(YOUNG, 20, 50)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Journeys over the wire are marked by their folder. What goes through a whole installation is slow; what runs
    against a database server is marked by its parameters, or because it asks for one by name. One process keeps the
    journeys for the end: a small test that fails says more, sooner."""
    top = Path(__file__).parent
    turns: dict[pytest.Item, int] = {}
    for item in items:
        place = item.path.relative_to(top).as_posix() if item.path.is_relative_to(top) else ""
        folder = place.split("/")[0]
        if folder in JOURNEYS:
            item.add_marker(pytest.mark.story)
        if folder in DOORS:
            item.add_marker(pytest.mark.slow)
        if "postgresql" in (item.callspec.params.values() if hasattr(item, "callspec") else ()) or _names_server(item):
            item.add_marker(pytest.mark.server)
        if hasattr(config, "workerinput"):
            found = (turn for turn, dear in enumerate(LONGEST) if place.startswith(dear))
            turns[item] = next(found, len(LONGEST))
        else:
            turns[item] = int(item.get_closest_marker("story") is not None)
    items.sort(key=turns.__getitem__)


SERVER = 'new_database("postgresql")'
_mentions = functools.cache(lambda path: SERVER in path.read_text("utf-8"))


def _names_server(item: pytest.Item) -> bool:
    """Whether the test, or a fixture of its own module, asks for a database server by name."""
    if not isinstance(item, pytest.Function) or not _mentions(item.path):
        return False
    made = (found[-1].func for found in item._fixtureinfo.name2fixturedefs.values())
    own = [item.function, *(one for one in made if one.__module__ == item.function.__module__)]
    return any(SERVER in inspect.getsource(inspect.unwrap(one)) for one in own)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which PostgreSQL was used, or say loudly that half of the database tests did not run."""
    skipped = [
        report.longrepr[2].split(MISSING, 1)[1]
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.section("HALF OF THE DATABASE TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests need a PostgreSQL and found none: {skipped[0]}", red=True)
        terminalreporter.line(
            f"Install PostgreSQL, or name a server: {GIVEN}=postgresql://user@host/postgres", red=True
        )
    elif server := config.stash[SESSION].known():
        terminalreporter.line(f"PostgreSQL for the tests: {server.origin}")
