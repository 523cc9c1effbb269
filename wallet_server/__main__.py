"""Owns `python -m wallet_server`: the command line."""

from wallet_server.cli import main

main()
