"""Bodies of classes and objects for the samples of the gallery."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from typing import Any

import jsonschema_rs

from tests.wallets.gallery import GALLERY
from tests.wallets.samples import NOW, TEMPLATES, sample_identity
from wallet_server.rules.passes.card import Card
from wallet_server.sandbox.google import Discovery
from wallet_server.wallets.designs import Design, load_designs
from wallet_server.wallets.google import classes, objects
from wallet_server.wallets.google.forms import Kind
from wallet_server.wallets.google.objects import Pictures
from wallet_server.wallets.port import Copy

ISSUER = "3388000000022141777"
LOGO, BANNER = "https://cards.example.com/p/logo.png", "https://cards.example.com/p/banner.png"
ENDS = NOW + timedelta(days=30)
SAMPLES = [(design, name) for design, cards in GALLERY.items() for name in cards]
Body = dict[str, Any]


@functools.cache
def design(name: str) -> Design:
    return load_designs(TEMPLATES).newest(name)


def copy_of(card: Card) -> Copy:
    return Copy(card, None, sample_identity(), "p_7k3qzd", ("c0ffee",), "Léa M.")


def object_of(card: Card, **changes: Any) -> Body:
    named = design(card.design)
    said = {"banner": BANNER, "message": objects.news(card, named, ENDS, notify=False)} | changes
    return objects.compose(copy_of(card), named, ISSUER, NOW, **said)


def class_of(card: Card, **changes: Any) -> Body:
    named = design(card.design)
    said = {"callback_url": "https://cards.example.com/google/callback"} | changes
    identifier = objects.class_id(ISSUER, "p_7k3qzd", card, named)
    return classes.compose(card, named, identifier, "Chez Léa SARL", Pictures(LOGO, BANNER), **said)


def kind_of(card: Card, what: str) -> Kind:
    return f"{objects.vertical_of(card, design(card.design))}{what}"  # type: ignore[return-value]


@functools.cache
def google(name: str) -> jsonschema_rs.Validator:
    """Google's own schema of this name, out of its discovery document."""
    return jsonschema_rs.validator_for(_discovery().json_schema(name))


@functools.cache
def _discovery() -> Discovery:
    return Discovery.load()


def judged(body: Body, name: str) -> list[str]:
    """What Google's schema has to say against a body."""
    return [f"{'.'.join(map(str, one.instance_path))}: {one.message}" for one in google(name).iter_errors(body)]


def partial(body: Body, name: str) -> list[str]:
    """The same of a PATCH, in which null takes a field away."""
    schema = _discovery().json_schema(name, partial=True)
    return [one.message for one in jsonschema_rs.validator_for(schema).iter_errors(without_nulls(body))]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def clone(body: Body) -> Body:
    made: Body = json.loads(json.dumps(body))
    return made
