"""The table of commands: everything in it can be had, and nothing is loaded that was not asked for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from wallet_server.cli import COMMANDS, GROUP, PARTS, load, main

HEAVY = {"sqlalchemy", "flask", "pydantic", "PIL", "granian", "aiohttp", "alembic", "fpdf"}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has after it ran this code; they come on its last line."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint()\nprint(*sys.modules)"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    return set(told.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["jobs", "--help"], ["secrets", "new"]], ids=" ".join)
def test_what_needs_no_books_loads_none(words: list[str]) -> None:
    modules = loaded_by(f"from wallet_server.cli import main\nmain({words!r}, standalone_mode=False)")
    assert "wallet_server.cli" in modules
    assert not modules & HEAVY
    if words[0] == "--help":
        assert not {name for name in modules if name.startswith("wallet_server.cli.")}


def test_the_process_that_watches_the_servers_holds_no_web_application() -> None:
    modules = loaded_by("import wallet_server.cli.serve")
    assert "wallet_server.installation" in modules
    assert not {
        name for name in modules if name.startswith(("wallet_server.web", "wallet_server.app", "flask_openapi3"))
    }


@pytest.mark.parametrize("words", COMMANDS)
def test_a_word_of_the_table_leads_to_its_command(words: str) -> None:
    group: click.Command | None = main
    looking = click.Context(main)
    for word in words.split():
        assert isinstance(group, click.Group)
        group = group.get_command(looking, word)
        assert group is not None
        assert group.name == word
    assert group is not None
    assert group.help
    place, sentence = COMMANDS[words]
    assert sentence.endswith(".")
    assert (place == GROUP) == any(other.startswith(f"{words} ") for other in COMMANDS)


def test_every_part_stands_where_the_table_says() -> None:
    assert all(callable(load(place)) for place in PARTS.values())


def test_a_word_that_is_no_command_is_refused_in_words() -> None:
    result = click.testing.CliRunner().invoke(main, ["sekrets"])
    assert result.exit_code == 2
    assert "sekrets" in result.output
