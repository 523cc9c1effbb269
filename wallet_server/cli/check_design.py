"""Owns the command that says everything that is wrong with card designs, before a phone does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from wallet_server import resources
from wallet_server.errors import Fault, Invalid
from wallet_server.settings import Settings
from wallet_server.wallets.apple import checking as apple
from wallet_server.wallets.apple import rules
from wallet_server.wallets.designs import Design, Designs, load_designs
from wallet_server.wallets.google import checking as google
from wallet_server.wallets.google import limits


@dataclass(frozen=True)
class _Told:
    """A fault or a warning of one wallet's cards, in English and French, and the states in which it was met."""

    wallet: str
    path: str
    code: str
    sentence: str
    sentence_fr: str
    states: Sequence[str]


@dataclass(frozen=True)
class _Checked:
    """What was found in one design, for all wallets."""

    design: Design
    faults: Sequence[_Told]
    warnings: Sequence[_Told]


@click.command("check-design")
@click.argument("which", metavar="[FOLDER|NAME]", required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, with French sentences beside the English."
)
def check_design(which: str | None, as_json: bool) -> None:
    """Check card designs: every file, and the pass of every state of a card, in every language and for every wallet.

    FOLDER holds one design or a folder for each; NAME is one of the designs that are used. Without either, all of those
    are checked. Prints all faults at once, and warnings for what phones would show badly. Ends with status 1 when there
    is a fault.
    """
    folder, only = _place(which)
    designs, broken = _read(folder, only)
    checked = [_check(design) for design in designs]
    if not checked and not broken:
        raise click.UsageError(f"There is no design named {only}. There are: {', '.join(sorted(_names(folder)))}.")
    if as_json:
        click.echo(json.dumps(_document(checked, broken), ensure_ascii=False, indent=2))
    else:
        for line in _lines(checked, broken):
            click.echo(line)
    if broken or any(one.faults for one in checked):
        raise click.exceptions.Exit(1)


def _check(design: Design) -> _Checked:
    """The design's passes for Apple Wallet, then its classes and objects for Google Wallet."""
    ours, theirs = apple.check(design), google.check(design)
    return _Checked(
        design,
        [*_of("apple", ours.faults, rules.said), *_of("google", theirs.faults, limits.said)],
        [*_of("apple", ours.warnings, rules.said), *_of("google", theirs.warnings, limits.said)],
    )


def _of(wallet: str, found: Sequence[Any], said: Callable[[Any, str], str]) -> Iterator[_Told]:
    for one in found:
        fault = one.fault
        yield _Told(wallet, fault.path, fault.code, fault.sentence, said(fault, "fr"), one.states)


def _place(which: str | None) -> tuple[Path, str | None]:
    """The folder of designs, and the name of the one that is asked for."""
    used = Settings.from_env().designs_dir or resources.templates()
    if which is None:
        return used, None
    given = Path(which)
    if (given / "design.toml").exists():
        return given.absolute().parent, given.absolute().name
    if given.is_dir():
        return given, None
    return used, which


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.is_dir()]


def _read(folder: Path, only: str | None) -> tuple[list[Design], Sequence[Fault]]:
    """The designs that can be read, and the faults of the files of the others."""
    names = [name for name in _names(folder) if only in (None, name, name.partition("@")[0])]
    if not names and only is not None:
        return [], ()
    try:
        return list(_some(folder, names)), ()
    except Invalid as refused:
        wrong = {fault.path.partition("/")[0] for fault in refused.faults}
        sound = [name for name in names if name not in wrong]
        return list(_some(folder, sound)) if sound and sound != names else [], refused.faults


def _some(folder: Path, names: Sequence[str]) -> Designs:
    """The designs of these folders alone."""
    if not names:
        return load_designs(folder)
    with tempfile.TemporaryDirectory() as chosen:
        for name in names:
            (Path(chosen) / name).symlink_to((folder / name).absolute(), target_is_directory=True)
        return load_designs(Path(chosen))


# --- what is said ----------------------------------------------------------------------------------------------


def _lines(checked: Sequence[_Checked], broken: Sequence[Fault]) -> Iterator[str]:
    for fault in broken:
        yield f"fault    {fault.path}: {fault.sentence}"
    for one in checked:
        name = f"{one.design.name}@{one.design.version}"
        counts = [_count(len(one.faults), "fault"), _count(len(one.warnings), "warning")]
        about = ", ".join(count for count in counts if count) or "nothing to say against it"
        yield f"{name} ({', '.join((one.design.style, *one.design.languages))}): {about}"
        for word, found in (("fault  ", one.faults), ("warning", one.warnings)):
            for told in found:
                wallet = "" if told.wallet == "apple" else "Google Wallet: "
                yield f"  {word}  {wallet}{told.path}: {told.sentence} ({', '.join(told.states)})"


def _count(number: int, word: str) -> str:
    return "" if not number else f"{number} {word}{'s' if number > 1 else ''}"


def _document(checked: Sequence[_Checked], broken: Sequence[Fault]) -> Mapping[str, Any]:
    return {
        "files": [{"path": fault.path, "sentence": fault.sentence} for fault in broken],
        "designs": [
            {
                "name": one.design.name,
                "version": one.design.version,
                "style": one.design.style,
                "languages": one.design.languages,
                "faults": [asdict(told) for told in one.faults],
                "warnings": [asdict(told) for told in one.warnings],
            }
            for one in checked
        ],
    }
