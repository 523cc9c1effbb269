"""Owns the proof that the layers hold, and that each contract on them can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

# For each contract, one line in one module that must break it.
PLANTS = {
    "layers": ("records/planted.py", "import wallet_server.actions"),
    "books": ("web/planted.py", "import wallet_server.records"),
    "wallets": ("wallets/planted.py", "import wallet_server.settings"),
    "sandbox-alone": ("sandbox/planted.py", "from wallet_server.errors import WalletError"),
    "sandbox-guest": ("delivery/planted.py", "import wallet_server.sandbox"),
    "sql": ("actions/planted.py", "from sqlalchemy import text"),
    "flask": ("records/planted.py", "from flask import g"),
    "pure-rules": ("rules/planted.py", "import time"),
    "documents": ("channels/planted.py", "from pydantic import BaseModel"),
}


def lint(folder: Path) -> tuple[int, str]:
    """Check the contracts on the package in `folder`; exit code and report."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to be spoilt."""
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    shutil.copytree(TOP / "wallet_server", tmp_path / "wallet_server", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def plant(copy: Path, place: str, line: str) -> None:
    """Append a line to a module of the copy; make the module and its package where they are missing."""
    module = copy / "wallet_server" / place
    module.parent.mkdir(exist_ok=True)
    (module.parent / "__init__.py").touch()
    with module.open("a") as file:
        file.write(line + "\n")


def test_every_contract_is_kept() -> None:
    code, report = lint(TOP)
    assert code == 0, report


def test_every_contract_breaks_when_it_is_violated(copy: Path) -> None:
    assert set(PLANTS) == set(CONTRACTS), "each contract has its plant"
    for place, line in PLANTS.values():
        plant(copy, place, line)
    code, report = lint(copy)
    assert code != 0
    unbroken = [name for name in CONTRACTS.values() if f"{name} BROKEN" not in report]
    assert not unbroken, report


def test_a_module_without_a_layer_is_refused(copy: Path) -> None:
    plant(copy, "misc/__init__.py", "")
    code, report = lint(copy)
    assert code != 0
    assert f"{CONTRACTS['layers']} BROKEN" in report
    assert "wallet_server.misc" in report
