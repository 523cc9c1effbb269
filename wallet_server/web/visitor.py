"""Owns what is known of whoever opens a page: the device, the app that holds the page, and the address."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import request

IPHONE, ANDROID, DESK = "iphone", "android", "desk"

_APPS: tuple[tuple[str, str], ...] = (
    ("Instagram", r"Instagram"),
    ("Messenger", r"MessengerForiOS|MessengerLiteForiOS|Orca-Android"),
    ("Facebook", r"FBAN|FBAV|FB_IAB|FBIOS"),
    ("TikTok", r"TikTok|musical_ly|BytedanceWebview|trill_"),
    ("WhatsApp", r"WhatsApp"),
    ("Snapchat", r"Snapchat"),
    ("LINE", r"\bLine/"),
    ("LinkedIn", r"LinkedInApp"),
    ("X", r"Twitter"),
    ("Pinterest", r"Pinterest"),
    ("WeChat", r"MicroMessenger"),
    ("KakaoTalk", r"KAKAOTALK"),
    ("Telegram", r"Telegram"),
    ("Gmail", r"Gmail"),
    ("Google", r"\bGSA/"),
)
"""Apps that open links inside themselves, where a phone adds no card, by what they say of themselves."""


@dataclass(frozen=True)
class Visitor:
    """`device` is `iphone`, `android` or `desk`; `inside` says that an app shows the page within itself, `app` which
    ("" where it does not say)."""

    device: str
    inside: bool = False
    app: str = ""

    @property
    def browser(self) -> str:
        """The browser of this phone that adds cards."""
        return "Safari" if self.device == IPHONE else "Chrome"


def visitor() -> Visitor:
    """Who asks for this page."""
    return seen(request.user_agent.string)


def seen(user_agent: str) -> Visitor:
    """What a browser's name tells."""
    if re.search(r"iPhone|iPod|iPad", user_agent):
        device = IPHONE
    elif "Android" in user_agent:
        device = ANDROID
    else:
        return Visitor(DESK)
    app = next((name for name, marks in _APPS if re.search(marks, user_agent)), "")
    # A web view says so on Android ("; wv)"); on an iPhone it lacks the word that every real browser there has.
    bare = "; wv)" in user_agent if device == ANDROID else "Safari" not in user_agent
    return Visitor(device, bool(app) or bare, app)


def address() -> str | None:
    """Where this request comes from: behind proxies, as many of them say as WALLET_TRUSTED_PROXIES has."""
    return request.remote_addr
