"""Owns the sandbox's Google Wallet: a server built from Google's own discovery document, and Android phones."""

from wallet_server.sandbox.google.discovery import Discovery, NoDiscovery
from wallet_server.sandbox.google.fleet import AndroidFleet
from wallet_server.sandbox.google.phone import AndroidPhone, Notification, SaveRefused
from wallet_server.sandbox.google.server import GoogleServer
from wallet_server.sandbox.google.switches import Order

__all__ = [
    "AndroidFleet",
    "AndroidPhone",
    "Discovery",
    "GoogleServer",
    "NoDiscovery",
    "Notification",
    "Order",
    "SaveRefused",
]
