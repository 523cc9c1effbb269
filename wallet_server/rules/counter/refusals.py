"""Owns what is read in each language when a card is refused, when more is needed to spend with it, or when a rule of
the programme says no."""

from __future__ import annotations

from collections.abc import Mapping

from wallet_server.rules.sentences import spoken

CARDS = ("other-merchant", "revoked-card", "expired-card", "test-card", "unknown-card", "unreadable-code")
"""The six ways in which a card is not taken at all."""

_SAID: Mapping[str, Mapping[str, str]] = {
    "other-merchant": {
        "en": "This card is another merchant’s. Ask for the card of this shop.",
        "fr": "Cette carte est celle d’un autre commerçant. Demandez la carte de ce magasin.",
    },
    "revoked-card": {
        "en": "This card is no longer good: it was cancelled, or its holder left. Offer to make a new one.",
        "fr": "Cette carte n’est plus valable : annulée, ou son titulaire est parti. Proposez-en une nouvelle.",
    },
    "expired-card": {
        "en": "The time of this card is over. Offer to make a new one.",
        "fr": "Cette carte a expiré. Proposez-en une nouvelle.",
    },
    "test-card": {
        "en": "This is a test card: nothing is counted with it here. Ask for the customer’s own card.",
        "fr": "C’est une carte d’essai : rien n’est compté avec elle ici. Demandez la carte du client.",
    },
    "unknown-card": {
        "en": "No member here has this card. Check the number, or scan it again.",
        "fr": "Aucun membre n’a cette carte ici. Vérifiez le numéro, ou scannez-la de nouveau.",
    },
    "unreadable-code": {
        "en": "This is not the code of a card, or it is damaged. Scan the code on the card again.",
        "fr": "Ce n’est pas le code d’une carte, ou il est abîmé. Scannez de nouveau le code de la carte.",
    },
    "replaced-card": {
        "en": "This card was replaced by a newer one. It collects; ask for the newer card to spend.",
        "fr": "Cette carte a été remplacée. Elle cumule ; demandez la nouvelle pour utiliser des points.",
    },
    "second-proof-needed": {
        "en": "This card is not up to date. It collects; to spend, have the card opened and pulled down on the phone "
        "and scan again, or take a second proof.",
        "fr": "Cette carte n’est pas à jour. Elle cumule ; pour utiliser des points, faites ouvrir la carte sur le "
        "téléphone, la tirer vers le bas, et scannez de nouveau, ou demandez une seconde preuve.",
    },
    "wrong-proof": {
        "en": "This is not the code that was sent, or it is over. Type it again, or send another.",
        "fr": "Ce n’est pas le code envoyé, ou il n’est plus valable. Saisissez-le de nouveau, ou envoyez-en un autre.",
    },
    "needs-fresh-code": {
        "en": "This card’s code changes. To spend, scan it off the phone itself.",
        "fr": "Le code de cette carte change. Pour utiliser des points, scannez-le sur le téléphone même.",
    },
    "too-many-codes": {
        "en": "Too many numbers were tried that are no card’s. Wait some minutes, or scan the card.",
        "fr": "Trop de numéros inconnus ont été essayés. Attendez quelques minutes, ou scannez la carte.",
    },
    "not-enough": {
        "en": "There is not enough on the card: {available} of {asked}.",
        "fr": "Il n’y a pas assez sur la carte : {available} sur {asked}.",
    },
    "not-spendable": {
        "en": "These units show a status and cannot be spent.",
        "fr": "Ces unités montrent un statut et ne se dépensent pas.",
    },
    "out-of-stock": {
        "en": "This reward has all been given. Offer another one.",
        "fr": "Cette récompense est épuisée. Proposez-en une autre.",
    },
    "limit-reached": {
        "en": "This customer has had this reward as often as it is given.",
        "fr": "Ce client a eu cette récompense aussi souvent qu’elle est donnée.",
    },
    "basket-too-small": {
        "en": "The basket is too small for this voucher.",
        "fr": "Le panier est trop petit pour ce bon.",
    },
    "basket-needed": {
        "en": "This voucher asks for a basket. Scan the card, price the basket, then scan this voucher.",
        "fr": "Ce bon demande un panier. Scannez la carte, chiffrez le panier, puis scannez ce bon.",
    },
    "nothing-off": {
        "en": "Nothing of this basket can be reduced by this. Keep it for another time.",
        "fr": "Rien dans ce panier ne peut être réduit avec cela. Gardez-le pour une autre fois.",
    },
    "coupon-used": {"en": "This voucher was used already.", "fr": "Ce bon a déjà été utilisé."},
    "coupon-expired": {"en": "This voucher has run out.", "fr": "Ce bon a expiré."},
    "coupon-void": {"en": "This voucher was cancelled.", "fr": "Ce bon a été annulé."},
    "pot-too-much": {
        "en": "More is to be paid from the pot than the goods come to.",
        "fr": "La cagnotte paierait plus que le prix des articles.",
    },
    "hold-over": {"en": "This reservation is over.", "fr": "Cette réservation est terminée."},
    "more-than-held": {
        "en": "Less is put aside than that: {held}, not {asked}.",
        "fr": "Moins est mis de côté : {held}, pas {asked}.",
    },
}  # fmt: skip

_SENT = {
    "email": {"en": "A code was sent by e-mail to {to}.", "fr": "Un code a été envoyé par e-mail à {to}."},
    "phone": {"en": "A code was sent by short message to {to}.", "fr": "Un code a été envoyé par SMS au {to}."},
}


def said(code: str, language: str, facts: Mapping[str, object]) -> str | None:
    """The sentence of a refusal, in this language or in English; None for one that is neither of a card nor of a rule.
    Raises `KeyError` where the facts lack a figure that the sentence tells."""
    texts = _SAID.get(code)
    return None if texts is None else texts[spoken(language)].format_map(facts)


def proof_sent(kind: str, to: str, language: str) -> str:
    """That a one-time code is on its way to an address, as its owner alone knows it."""
    return _SENT["phone" if kind == "phone" else "email"][spoken(language)].format(to=to)
