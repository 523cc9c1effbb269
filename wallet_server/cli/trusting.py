"""Owns how a terminal shows where devices learn to trust this installation's certificate."""

from __future__ import annotations

import sys

import click
import segno


def show_trust(address: str, fingerprint: str) -> None:
    """The address of the trust page, as text and as a QR code that a phone reads off the screen."""
    click.echo("\nOnce for each device: open this page on it and follow the steps. Then the till has the camera.\n")
    click.secho(f"  {address}\n", bold=True)
    if sys.stdout.isatty():
        segno.make(address, error="m", micro=False).terminal(compact=True)
    click.echo(f"\n  Fingerprint (SHA-256)  {fingerprint}\n")
