"""Owns the table of commands: what each is called, where it stands, and a line about it.

A command is loaded when it is asked for, so that none pays for what the others need: `--help` loads nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from wallet_server import __version__
from wallet_server.errors import WalletError

GROUP = ""
COMMANDS = {
    "run": ("serve:run", "Serve, with the embedded worker unless WALLET_WORKER is none."),
    "sandbox": ("sandbox:sandbox", "Try the product: server, worker, wallet vendors and phones, all on this machine."),
    "worker": ("worker:worker", "Deliver in a process of its own; several may run at once."),
    "found": ("found:found", "Found a merchant; prints its keys this once."),
    "setup": ("apple_setup:setup", "Prepare for real cards."),
    "staff": ("staff:staff", "The people who sign in to the console."),
    "poster": ("poster:poster", "Write the poster by which people join at a store, as PDF."),
    "import-cards": ("import_cards:import_cards", "Take over old cards of plastic from a CSV file."),
    "announce": ("announce:announce", "Say something to everybody who wants to hear it, or take it back."),
    "simulate": ("simulate:simulate", "Replay past sales through a draft of a programme: cost, tiers, what to mend."),
    "presets": ("presets:presets", "List and print the programmes that are shipped."),
    "dry-run": ("dry_run:dry_run", "Say what a draft of a programme would change for its members; changes nothing."),
    "check-design": ("check_design:check_design", "Say all that is wrong with card designs, before a phone does."),
    "doctor": ("doctor:doctor", "Look whether all is well, and say what to do; changes nothing."),
    "audit": ("audit:audit", "Prove the books: entries, balances and lots agree."),
    "books": ("books:books", "Print what is owed to members, or the trial balance, as CSV."),
    "backup": ("safekeeping:backup", "Write everything that the database holds into a file."),
    "restore": ("safekeeping:restore", "Fill the configured, empty database with a backup."),
    "move": ("safekeeping:move", "Copy the configured database into an empty one and prove it there."),
    "db": (GROUP, "The database."),
    "db upgrade": ("database:upgrade_database", "Bring the database to the newest migration."),
    "jobs": (GROUP, "What delivery has to do."),
    "jobs list": ("jobs:show", "Waiting or dead jobs, the longest due first."),
    "jobs retry": ("jobs:retry", "Run dead jobs again."),
    "codes": (GROUP, "The keys that sign the codes on cards."),
    "codes keys": ("codes:keys", "List them, with what verifies a code offline."),
    "codes rotate": ("codes:rotate", "Make a new one; what older ones signed stays good."),
    "secrets": (GROUP, "The keys that encrypt secrets at rest."),
    "secrets new": ("new_key:new", "Print a fresh key line."),
    "secrets rotate": ("rotate:rotate", "Encrypt everything stored under the current key."),
}
"""Words on the command line -> (module:attribute within this package, or GROUP; the line that `--help` shows)."""

PARTS = {"plain door": "plain_door:plainly", "card doctor": "card_doctor:examine"}
"""What a command needs in one case alone, and would otherwise load every time."""


def load(place: str) -> Any:
    """What stands at `module:attribute` of this package."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


class Commands(click.Group):
    """The commands below a word of the table; they say what was refused and end with status 1."""

    def __init__(self, name: str | None = None, under: str = "", **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._under = under

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        inside = (words.removeprefix(self._under) for words in COMMANDS if words.startswith(self._under))
        return [word for word in inside if " " not in word]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads it."""
        words = self._under + cmd_name
        place, sentence = COMMANDS.get(words, (None, ""))
        if place is None:
            return None
        if place == GROUP:
            return Commands(cmd_name, f"{words} ", help=sentence)
        command: click.Command = load(place)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own sentences, so that help loads nothing."""
        rows = [(name, COMMANDS[self._under + name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Raises `click.ClickException` in place of any error of the product."""
        try:
            return super().invoke(ctx)
        except WalletError as fault:
            raise click.ClickException("\n".join([fault.sentence, *_details(fault)])) from fault


def _details(fault: WalletError) -> list[str]:
    return [f"  {one.path}: {one.sentence}" for one in fault.faults if one.sentence != fault.sentence]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Loyalty cards in phone wallets, and the books behind them."""
