"""Owns the way to the files that are shipped with the code but are no code: migrations and pass designs.

In a wheel they lie inside the package, under `_data`; in a checkout (an editable install) they lie at the top of
the repository. Nobody else needs to know which of the two is the case.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_PACKAGE = "wallet_server"


def migrations() -> Path:
    """The folder of Alembic migrations.

    Raises FileNotFoundError, with a sentence for the operator, when the installation is not whole.
    """
    return _folder("migrations", "migrations")


def templates() -> Path:
    """The folder with one folder per pass design.

    Raises FileNotFoundError, with a sentence for the operator, when the installation is not whole.
    """
    return _folder("templates", "passes/templates")


def presets() -> Path:
    """The folder with the programmes that are shipped.

    Raises FileNotFoundError, with a sentence for the operator, when the installation is not whole.
    """
    return _folder("presets", "passes/presets")


def _folder(in_wheel: str, in_checkout: str) -> Path:
    package = files(_PACKAGE)
    if not isinstance(package, Path):
        raise FileNotFoundError(
            "wallet-server cannot run from inside an archive. Install it into an environment: pip install wallet-server"
        )
    shipped = package / "_data" / in_wheel
    if shipped.is_dir():
        return shipped
    top = package.parent
    # A folder of that name beside an installed package belongs to someone else; only a checkout has both.
    if (top / "pyproject.toml").is_file() and (top / in_checkout).is_dir():
        return top / in_checkout
    raise FileNotFoundError(
        f"The installation lacks its folder {in_wheel}. Install it again: pip install --force-reinstall wallet-server"
    )
