"""Owns the sentences about what a till did without a network: how it stands, and what stands against it."""

from __future__ import annotations

from wallet_server.rules.sentences import spoken

_STATES = {
    "fr": {
        "applied": "Compté.",
        "late": "Compté, après d’autres qui étaient plus récents.",
        "waiting": "Reçu ; compté dès que les autres caisses ont tout envoyé.",
        "refused": "Pas compté.",
        "conflict": "Une personne doit regarder.",
    },
    "en": {
        "applied": "Counted.",
        "late": "Counted, after others that were later.",
        "waiting": "Received; counted as soon as the other tills have sent everything.",
        "refused": "Not counted.",
        "conflict": "Somebody has to look at it.",
    },
}
_WHY = {
    "fr": {
        "bad-signature": "La signature ne correspond pas à la clé de cette caisse.",
        "unreadable-event": "Ce que la caisse a écrit ne peut pas être lu.",
        "other-device": "Cela vient d’un autre appareil.",
        "replaced-device": "Cette caisse signe avec une autre clé depuis ; ceci n’avait pas encore été envoyé.",
        "forgotten-device": "Cet appareil n’est plus connu depuis qu’une sauvegarde a été remise.",
        "unsigned-code": "Le code n’est pas signé ; sans réseau, une telle carte ne dépense rien.",
        "sequence-taken": "L’appareil a déjà envoyé autre chose sous ce numéro.",
        "device-ended": "L’appareil a été retiré avant que ce soit compté.",
        "earns-not-offline": "Dans ce programme, rien n’est gagné sans réseau.",
        "spends-offline": "Une vente payée avec ce que le membre possède a été faite sans réseau.",
        "burns-not-offline": "Dans ce programme, rien n’est dépensé sans réseau.",
        "no-allowance": "La caisse n’avait rien réservé pour cela, ou pas pour ce moment.",
        "beyond-allowance": "La caisse a dépensé plus qu’elle n’avait réservé.",
        "beyond-card-limit": "Plus a été dépensé pour cette carte que permis sans réseau.",
        "receipt-taken": "Ce numéro de ticket est celui d’une autre vente.",
        "key-reused": "Ce numéro est celui d’une autre opération.",
        "replaced-card": "Cette carte a été remplacée ; elle ne dépense plus rien.",
        "revoked-card": "Cette carte a été annulée.",
        "expired-card": "La durée de cette carte est passée.",
        "forged-code": "La signature de cette carte n’est pas celle du commerce.",
        "coupon-code": "C’est le code d’un bon, pas d’une carte.",
        "code-stale": "Le code avait changé quand il a été scanné.",
        "unknown-card": "Cette carte n’est pas connue ici.",
        "other-merchant": "Cette carte est celle d’un autre commerce.",
        "test-card": "C’est une carte d’essai.",
        "unreadable-code": "Ce n’est pas le code d’une carte de fidélité.",
        "implausible-time": "La vente date de plus de 31 jours.",
        "out-of-stock": "Cette récompense a été toute donnée.",
        "limit-reached": "Ce membre a eu cette récompense aussi souvent qu’elle est donnée.",
        "unknown-reward": "Ce programme n’a pas cette récompense.",
        "not-spendable": "Cette unité ne peut pas être dépensée.",
        "wrong-currency": "Le programme compte dans une autre monnaie.",
    },
    "en": {
        "bad-signature": "The signature is not by this till’s key.",
        "unreadable-event": "What the till wrote cannot be read.",
        "other-device": "This is of another device.",
        "replaced-device": "This till has signed with another key since; this had not been sent by then.",
        "forgotten-device": "This device is not known any more, since a backup was put back.",
        "unsigned-code": "The code is not signed; without a network such a card spends nothing.",
        "sequence-taken": "The device has sent something else under this number before.",
        "device-ended": "The device was removed before this was counted.",
        "earns-not-offline": "In this programme nothing is earned without a network.",
        "spends-offline": "A sale that pays with what the member has was made without a network.",
        "burns-not-offline": "In this programme nothing is spent without a network.",
        "no-allowance": "The till had reserved nothing for this, or not for then.",
        "beyond-allowance": "The till has spent more than it had reserved.",
        "beyond-card-limit": "More was spent for this card than may be without a network.",
        "receipt-taken": "This receipt number is that of another sale.",
        "key-reused": "This number is that of something else.",
        "replaced-card": "This card was replaced; it spends nothing any more.",
        "revoked-card": "This card was cancelled.",
        "expired-card": "The time of this card is over.",
        "forged-code": "The signature on this card is not the shop’s.",
        "coupon-code": "This is the code of a coupon, not of a card.",
        "code-stale": "The code had changed when it was scanned.",
        "unknown-card": "This card is not known here.",
        "other-merchant": "This card is another shop’s.",
        "test-card": "This is a test card.",
        "unreadable-code": "This is not the code of a loyalty card.",
        "implausible-time": "The sale was more than 31 days ago.",
        "out-of-stock": "This reward has all been given.",
        "limit-reached": "This member has had this reward as often as it is given.",
        "unknown-reward": "This programme has no such reward.",
        "not-spendable": "This unit cannot be spent.",
        "wrong-currency": "The programme counts in another currency.",
    },
}
_OTHER = {"fr": "Cela n’a pas pu être compté.", "en": "This could not be counted."}


def reasons() -> frozenset[str]:
    """Every code that has words of its own."""
    return frozenset(_WHY["en"])


def why(code: str | None, language: str) -> str:
    """What stands against something, in one sentence; nothing where nothing does."""
    tongue = spoken(language)
    return "" if code is None else _WHY[tongue].get(code, _OTHER[tongue])


def said(state: str, code: str | None, late: bool, language: str) -> str:
    """How something stands that a till brought, for the cashier."""
    words = _STATES[spoken(language)]
    now = words["late" if late and state == "applied" else state]
    return f"{now} {why(code, language)}".strip()
