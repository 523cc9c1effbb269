"""Owns the words of letters that carry a code: for e-mail with a subject, for a short message in one part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from wallet_server.rules.sentences import spoken

RECOVER, CONTACT, PROOF, MERGE = "recover", "contact", "proof", "merge"
"""What a code is for: a lost card, an address that is to be proved, spending with an older card, two cards to one."""
_MOST_NAME = 30

_SUBJECT = {
    "fr": {
        RECOVER: "{code} : votre code pour retrouver votre carte {shop}",
        CONTACT: "{code} : votre code pour confirmer cette adresse chez {shop}",
        PROOF: "{code} : votre code à dire en caisse chez {shop}",
        MERGE: "{code} : votre code pour réunir vos cartes {shop}",
    },
    "en": {
        RECOVER: "{code} is your code to get your {shop} card back",
        CONTACT: "{code} is your code to confirm this address with {shop}",
        PROOF: "{code} is your code to say at the counter of {shop}",
        MERGE: "{code} is your code to join your {shop} cards",
    },
}
_BODY = {
    "fr": {
        RECOVER: "Saisissez ce code sur la page où vous l’avez demandé : votre carte revient sur ce téléphone.",
        CONTACT: "Saisissez ce code sur la page de votre carte : votre adresse est alors confirmée.",
        PROOF: "Dites ce code en caisse, seulement si vous y êtes.",
        MERGE: "Saisissez ce code sur la page de votre carte : vos deux cartes n’en font plus qu’une.",
    },
    "en": {
        RECOVER: "Type this code on the page where you asked for it: your card comes back on this phone.",
        CONTACT: "Type this code on the page of your card: your address is then confirmed.",
        PROOF: "Say this code at the counter, only if you are there.",
        MERGE: "Type this code on the page of your card: your two cards become one.",
    },
}
_END = {
    "fr": "Il est valable {minutes} minutes. Si vous n’avez rien demandé, ne le donnez à personne : rien ne change.",
    "en": "It is good for {minutes} minutes. If you did not ask for it, give it to nobody: nothing changes.",
}
# In GSM-7 alone, so that each is one part: no ê, no ç, no typographic apostrophe.
_SHORT = {
    "fr": "{code} est votre code {shop}, valable {minutes} minutes. Ne le donnez à personne au téléphone.",
    "en": "{code} is your {shop} code, good for {minutes} minutes. Do not give it to anybody who calls you.",
}
_SHORT_PROOF = {
    "fr": "{code} est votre code {shop}, à dire en caisse seulement. Valable {minutes} minutes.",
    "en": "{code} is your {shop} code, to be said at the counter only. Good for {minutes} minutes.",
}


@dataclass(frozen=True)
class Text:
    """A letter as it is read: `plain` is the whole of a short message."""

    subject: str
    plain: str
    html: str


def of_code(purpose: str, language: str, params: Mapping[str, str | int]) -> Text:
    """The letter with a code: `code`, `shop`, `minutes`."""
    tongue = spoken(language)
    known = purpose if purpose in _SUBJECT[tongue] else CONTACT
    shop = _one_line(str(params["shop"]))
    said = {**params, "shop": shop}
    subject = _SUBJECT[tongue][known].format_map(said)
    lines = [str(params["code"]), _BODY[tongue][known].format_map(said), _END[tongue].format_map(said)]
    return Text(subject, "\n\n".join([*lines, shop]) + "\n", _html(tongue, subject, lines, shop))


def short_code(purpose: str, language: str, params: Mapping[str, str | int]) -> str:
    """The short message with a code; a long name of a shop is cut so that it stays one part."""
    said = {**params, "shop": _one_line(str(params["shop"]))[:_MOST_NAME].rstrip()}
    return (_SHORT_PROOF if purpose == PROOF else _SHORT)[spoken(language)].format_map(said)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _html(tongue: str, title: str, lines: list[str], shop: str) -> str:
    code, *rest = map(escape, lines)
    said = "".join(f"<p>{line}</p>" for line in rest)
    return (
        f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        '<body style="font-family:sans-serif;font-size:16px;line-height:1.5;max-width:32em">'
        f'<p style="font-size:32px;letter-spacing:6px;font-weight:bold">{code}</p>{said}<p>{escape(shop)}</p>'
        "</body></html>"
    )
