"""Owns the console's pages of webhooks: the addresses that are told what happens, their secrets, and what was sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.once import Asked, asked
from wallet_server.actions.staff import Person
from wallet_server.actions.telling import webhooks as actions
from wallet_server.errors import Conflict, Invalid, WalletError
from wallet_server.rules import webhooks as rules
from wallet_server.web.console.door import console_page, signed_in, words
from wallet_server.web.console.sign_in import status_of, typed
from wallet_server.web.rendering import context, root

webhooks = Blueprint("console-webhooks", __name__)

PATH = "/console/webhooks"
STATES = ("pending", "delivered", "dead")
MOST_SHOWN = 30
MISSED = timedelta(days=30)
"""How far back what was given up is sent again."""
MOST_FORM = 60
REFUSALS = (Invalid, Conflict)


@webhooks.get(PATH)
def page() -> Response:
    """Every address, and a form for a further one."""
    return _page(signed_in("webhooks"), None)


def _page(person: Person, fault: WalletError | None, made: Mapping[str, Any] | None = None) -> Response:
    return console_page(
        "console/webhooks.html",
        person,
        section="webhooks",
        status=status_of(fault),
        fault=fault and words(fault, "webhooks"),
        webhooks=actions.listed(context(), person.scope),
        kinds=rules.KINDS,
        made=made,
        typed=typed("url") if fault else "",
        ticked=request.form.getlist("events") if fault else rules.KINDS,
        form=secrets.token_urlsafe(18),
        done=request.args.get("done", ""),
    )


def _wish(person: Person, what: str, body: Mapping[str, Any]) -> Asked:
    """A form that is sent twice does its work once."""
    return asked(person.scope, f"console/webhooks/{what}", body, None, f"form:{typed('form')[:MOST_FORM]}")


@webhooks.post(PATH)
def add() -> Response:
    """A further address; its secret is in this answer and nowhere else."""
    person = signed_in("webhooks")
    url, events = typed("url"), request.form.getlist("events")
    try:
        if not events:
            raise Invalid("Choose at least one thing to be told.", code="webhook-event")
        made, _ = actions.add(
            context(), person.scope, url, events, _wish(person, "add", {"url": url, "events": events})
        )
    except REFUSALS as fault:
        return _page(person, fault)
    return _page(person, None, made)


# ---------------------------------------------------------------------- one of them


@webhooks.get(f"{PATH}/<webhook>")
def one(webhook: str) -> Response:
    """What was sent there, what came back, and what can be done about it."""
    return _one(signed_in("webhooks"), webhook, None)


def _one(person: Person, webhook: str, fault: WalletError | None, made: Mapping[str, Any] | None = None) -> Response:
    state = request.args.get("state", "")
    found = actions.sent(
        context(),
        person.scope,
        webhook,
        state=state if state in STATES else None,
        before=request.args.get("before") or None,
        most=MOST_SHOWN,
    )
    return console_page(
        "console/webhook.html",
        person,
        section="webhooks",
        status=status_of(fault),
        fault=fault and words(fault, "webhooks"),
        webhook=actions.one(context(), person.scope, webhook),
        found=found,
        states=STATES,
        state=state if state in STATES else "",
        made=made,
        form=secrets.token_urlsafe(18),
        done=request.args.get("done", ""),
    )


def _done(webhook: str, what: str) -> Answer:
    return redirect(f"{root()}{PATH}/{webhook}?done={what}", 303)


@webhooks.post(f"{PATH}/<webhook>/test")
def test(webhook: str) -> Answer:
    """An event that says nothing."""
    person = signed_in("webhooks")
    try:
        actions.send_test(context(), person.scope, webhook, _wish(person, "test", {"webhook": webhook}))
    except REFUSALS as fault:
        return _one(person, webhook, fault)
    return _done(webhook, "test")


@webhooks.post(f"{PATH}/<webhook>/secret")
def secret(webhook: str) -> Response:
    """A new secret; it is in this answer and nowhere else. For a day both are good."""
    person = signed_in("webhooks")
    wish = _wish(person, "secret", {"webhook": webhook})
    made, _ = actions.sign_anew(context(), person.scope, webhook, rules.OVERLAP, wish)
    return _one(person, webhook, None, made)


@webhooks.post(f"{PATH}/<webhook>/switch")
def switch(webhook: str) -> Answer:
    """Off, or on again."""
    person = signed_in("webhooks")
    on = typed("to") == "on"
    wish = _wish(person, "switch", {"webhook": webhook, "on": on})
    actions.change(context(), person.scope, webhook, actions.Wanted(enabled=on), wish)
    return _done(webhook, "on" if on else "off")


@webhooks.post(f"{PATH}/<webhook>/replay")
def replay(webhook: str) -> Answer:
    """One delivery again; without one, everything that was given up of late."""
    person, delivery = signed_in("webhooks"), typed("delivery")
    wish = _wish(person, "replay", {"webhook": webhook, "delivery": delivery})
    try:
        if delivery:
            actions.replay_one(context(), person.scope, webhook, delivery, wish)
        else:
            since = context().clock() - MISSED
            actions.replay_since(context(), person.scope, webhook, since, False, wish)
    except REFUSALS as fault:
        return _one(person, webhook, fault)
    return _done(webhook, "replay")


@webhooks.post(f"{PATH}/<webhook>/end")
def end(webhook: str) -> Answer:
    """Nothing more is sent there."""
    actions.remove(context(), signed_in("webhooks").scope, webhook)
    return redirect(f"{root()}{PATH}?done=ended", 303)
