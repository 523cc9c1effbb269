"""Owns what pages offer to whoever tries the product on one machine: simulated phones, and the way to a phone of one's
own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlencode, urlsplit

from wallet_server.web.rendering import context

USUAL_PORT = 8080
"""That of `make run` where no other is asked for."""


def alone() -> bool:
    """Whether links lead to this machine alone, so that a code to scan would lead a phone to itself."""
    host = urlsplit(context().settings.base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def beyond() -> str:
    """The command that starts this sandbox for one's own network, at the port that it has now."""
    port = urlsplit(context().settings.base_url).port
    return "make run LAN=1" + (f" PORT={port}" if port not in (None, USUAL_PORT) else "")


def phones() -> str:
    """The page of the sandbox's simulated phones; "" where there is none."""
    settings = context().settings
    return (settings.phones_url or "") if settings.sandbox else ""


def onto_a_phone(card_link: str) -> str:
    """Where the sandbox's phones take this card; "" where there are none."""
    return f"{phones()}/?{urlencode({'card': card_link})}" if phones() else ""
