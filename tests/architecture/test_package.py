"""Owns the proof that the product can be set up on a bare machine and lives outside its repository."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import runpy
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from contextlib import suppress
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.source import TOP, statements, tree_of

BOOTSTRAP = TOP / "scripts" / "bootstrap.py"

READY_SECONDS = 90
STOP_SECONDS = 30

WITHOUT_ENSUREPIP = """
import runpy, sys
sys.modules["ensurepip"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

LOOK = """
import re
from importlib.metadata import distribution, distributions
import wallet_server.resources as r
from pip._vendor.packaging.requirements import Requirement

def brought(name, extras, seen):
    key = (re.sub(r"[-_.]+", "-", name).lower(), frozenset(extras))
    if key not in seen:
        seen.add(key)
        for line in distribution(name).requires or ():
            wanted = Requirement(line)
            marks = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if not wanted.marker or any(wanted.marker.evaluate(mark) for mark in marks):
                brought(wanted.name, wanted.extras, seen)
    return {name for name, _ in seen}

known = brought("wallet-server", ("sandbox",), set()) | brought("pip", (), set()) | brought("hatchling", (), set())
print(r.migrations() / "env.py")
print(r.templates())
print(*{re.sub(r"[-_.]+", "-", d.name).lower() for d in distributions()} - known)
"""
"""Where the installed product has its files, and which packages are there that nobody asked for."""


KEEP_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Each process reads what the one before it compiled, whatever the tests themselves are told."""


def done(*command: object, folder: Path, **environment: str) -> str:
    """Run a command in a folder; its output, once it ended well."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **KEEP_COMPILED, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    done(sys.executable, "-m", "pip", "wheel", *options, TOP, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_carries_migrations_and_designs_and_no_certificates(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"wallet_server"}
    assert "wallet_server/_data/migrations/env.py" in names
    assert any(re.fullmatch(r"wallet_server/_data/migrations/versions/\w+\.py", name) for name in names)
    assert any(re.fullmatch(r"wallet_server/_data/templates/\w+/design\.toml", name) for name in names)
    assert any(re.fullmatch(r"wallet_server/_data/presets/[\w-]+\.toml", name) for name in names)
    assert not [name for name in names if name.endswith((".p12", ".pem", ".key", ".cer", ".db"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_a_bare_python_is_set_up_and_runs_the_wheel_elsewhere(wheel: Path, tmp_path: Path) -> None:
    home, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    python = home / "bin" / "python"
    bootstrap = [sys.executable, "-c", WITHOUT_ENSUREPIP, BOOTSTRAP, "run", "--venv", home]

    first = done(*bootstrap, folder=empty, PYTHONPATH="")
    assert "this Python cannot install pip by itself" in first
    assert done(*bootstrap, folder=empty) == "", "what stands is not set up again"

    options = ["--quiet", "--no-index", "--no-deps", "--force-reinstall"]
    done(python, "-m", "pip", "install", *options, wheel, folder=empty)
    done(python, "-m", "pip", "check", folder=empty)
    migrations, templates, *unasked = done(python, "-c", LOOK, folder=empty).split()
    migrations, templates = Path(migrations), Path(templates)
    assert migrations.is_file()
    assert templates.is_dir()
    assert migrations.is_relative_to(home), "the checkout is not needed"
    assert templates.is_relative_to(home)
    assert not unasked, "what runs here is what the wheel and its sandbox bring, and pip's and hatchling's own"
    assert_the_sandbox_runs(home / "bin" / "wallet-server", empty)


def assert_the_sandbox_runs(command: Path, folder: Path) -> None:
    """The installed command starts the sandbox, answers at the address it prints, and stops cleanly when told to."""
    started = [command, "sandbox", "--json", "--port", str(free_port()), "--data", folder / "data"]
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            started,
            cwd=folder,
            env={**os.environ, **KEEP_COMPILED},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        hurry = threading.Timer(READY_SECONDS, process.kill)
        hurry.start()
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, (folder / "errors.txt").read_text()
            ready = json.loads(line)
            assert set(ready) >= {"base_url", "openapi_url", "join_url", "phones_url", "merchant_key", "till_key"}
            for page in ("openapi_url", "join_url", "phones_url"):
                assert httpx.get(ready[page], timeout=30, follow_redirects=True).status_code == 200, page
        finally:
            hurry.cancel()
            process.terminate()
            try:
                code = process.wait(STOP_SECONDS)
            finally:
                process.kill()
        assert code == 0, (folder / "errors.txt").read_text()


def free_port() -> int:
    """A port of loopback that nobody listens on just now, nor on the next one, where the phones are.

    Below the range from which the system takes ports for outgoing connections: one of those may come in between.
    """
    for port in random.sample(range(20_000, 32_000, 2), 50):
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 1)),
        ):
            return port
    raise RuntimeError("no two ports in a row are free")


@pytest.mark.slow
def test_whatever_the_code_imports_is_declared() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    declared = {plain(line) for line in project["dependencies"]} | {"pydantic-core"}  # pydantic pins its own core
    of_sandbox = {plain(line) for line in project["optional-dependencies"]["sandbox"]}
    owners = packages_distributions()
    missing = set()
    for module in (TOP / "wallet_server").rglob("*.py"):
        allowed = declared | of_sandbox if module.is_relative_to(TOP / "wallet_server/sandbox") else declared
        for name in imported(tree_of(module)) - sys.stdlib_module_names - {"wallet_server"}:
            packages = {plain(owner) for owner in owners.get(name, [name])}
            if not packages & allowed:
                missing.add(f"{module.relative_to(TOP)}: {name}")
    assert not missing


def plain(requirement: str) -> str:
    """The name alone of a requirement, as indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def imported(tree: ast.AST) -> set[str]:
    """The top-level names that a module imports."""
    names = set()
    for node in statements(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


# ---------------------------------------------------------------------- pip without pip, piece by piece


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The names of the bootstrap script, on a machine without any configuration of pip."""
    for variable in [name for name in os.environ if name.startswith(("PIP_", "XDG_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    return runpy.run_path(str(BOOTSTRAP))


def lock_for(content: bytes, bootstrap: dict[str, Any]) -> str:
    """A lock that pins one pip."""
    digest = bootstrap["hashlib"].sha256(content).hexdigest()
    pins = {"pillow==1": ["0" * 64], "pip==99.1": ["1" * 64, digest]}
    return "".join(f"{pin}" + "".join(f" \\\n    --hash=sha256:{hash_}" for hash_ in pins[pin]) + "\n" for pin in pins)


def index_with(folder: Path, content: bytes, sha256: str) -> str:
    """A package index in a folder, with one pip; its address."""
    page = folder / "simple" / "pip"
    page.mkdir(parents=True)
    (page / "pip-99.1-py3-none-any.whl").write_bytes(content)
    (page / "index.html").write_text(f'<a href="pip-99.1-py3-none-any.whl#sha256={sha256}">pip</a>')
    return (folder / "simple").as_uri()


def test_pip_comes_from_the_configured_index(
    bootstrap: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "lock"
    lock.write_text(lock_for(b"pip itself", bootstrap))
    digest = bootstrap["pinned"]("pip", lock.read_text())[1] - {"1" * 64}
    monkeypatch.setenv("PIP_INDEX_URL", index_with(tmp_path, b"pip itself", *digest))
    assert bootstrap["fetch_pip"](lock, tmp_path).read_bytes() == b"pip itself"


def test_a_changed_pip_is_refused(bootstrap: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(lock_for(b"pip itself", bootstrap))
    digest = bootstrap["pinned"]("pip", lock.read_text())[1] - {"1" * 64}
    monkeypatch.setenv("PIP_INDEX_URL", index_with(tmp_path, b"something else", *digest))
    with pytest.raises(bootstrap["Trouble"], match="changed on its way"):
        bootstrap["fetch_pip"](lock, tmp_path)


def test_a_pip_that_the_lock_does_not_know_is_refused(
    bootstrap: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "lock"
    lock.write_text(lock_for(b"pip itself", bootstrap))
    other = bootstrap["hashlib"].sha256(b"something else").hexdigest()
    monkeypatch.setenv("PIP_INDEX_URL", index_with(tmp_path, b"something else", other))
    with pytest.raises(bootstrap["Trouble"], match=r"does not offer pip 99\.1"):
        bootstrap["fetch_pip"](lock, tmp_path)


def test_the_narrower_configuration_of_pip_wins(
    bootstrap: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bootstrap["indexes"](bootstrap["pip_settings"]())[0] == bootstrap["DEFAULT_INDEX"]
    for place, index in (("xdg/pip", "https://wide.example/simple"), (".config/pip", "https://own.example/simple")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "pip.conf").write_text(f"[global]\nindex_url = {index}\n")
    assert bootstrap["indexes"](bootstrap["pip_settings"]()) == ["https://own.example/simple"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://now.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple")
    expected = ["https://now.example/simple", "https://more.example/simple"]
    assert bootstrap["indexes"](bootstrap["pip_settings"]()) == expected


def test_a_login_goes_no_further_than_its_index(bootstrap: dict[str, Any]) -> None:
    page = "https://me:secret@index.example/simple/pip/"
    assert bootstrap["join"](page, "../../files/p.whl") == "https://me:secret@index.example/files/p.whl"
    assert bootstrap["join"](page, "https://files.example/p.whl") == "https://files.example/p.whl"
    assert bootstrap["without_login"](page) == "https://index.example/simple/pip/"


def test_locks_hold_versions_and_hashes_alone() -> None:
    versions: dict[str, set[str]] = {}
    for lock in sorted((TOP / "requirements").glob("*.lock")):
        text = lock.read_text()
        assert "://" not in text
        for block in re.split(r"\n(?=\S)", text.strip()):
            name, version = re.match(r"([\w.-]+)==([\w.+!]+)", block).groups()
            assert "--hash=sha256:" in block, name
            versions.setdefault(f"{name} {block.partition(';')[2].partition(chr(92))[0]}", set()).add(version)
    assert len(versions) > 100
    assert not {name for name, several in versions.items() if len(several) > 1}, "one version in all locks"
