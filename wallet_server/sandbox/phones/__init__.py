"""Owns simulated iPhones: Apple's protocol over real HTTP, and a lock screen that shows what iOS shows."""

from wallet_server.sandbox.passes import PassRefused
from wallet_server.sandbox.phones.fleet import Fleet, Notice, Subscription
from wallet_server.sandbox.phones.links import LinkRefused
from wallet_server.sandbox.phones.lockscreen import Alert
from wallet_server.sandbox.phones.model import Behaviour, Card, Event, Key, Retry, Sample, Throttle
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.sandbox.phones.thread import FleetThread
from wallet_server.sandbox.phones.webservice import Line

__all__ = [
    "Alert",
    "Behaviour",
    "Card",
    "Event",
    "Fleet",
    "FleetThread",
    "Key",
    "Line",
    "LinkRefused",
    "Notice",
    "PassRefused",
    "Phone",
    "Retry",
    "Sample",
    "Subscription",
    "Throttle",
]
