"""Owns the languages of a card for Google Wallet: a text in the first language, and its translations beside it.

Google shows the plain field where it knows no translation for the phone's language (LocalizedString of the Wallet API).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wallet_server.rules.card import Texts

Body = dict[str, Any]

WORDS: Mapping[str, Texts] = {
    "account": {"en": "Card number", "fr": "Numéro"},
    "holder": {"en": "Name", "fr": "Nom"},
    "app": {"en": "Open the app", "fr": "Ouvrir l’application"},
    "viewOffersRewards": {"en": "Offers and rewards", "fr": "Offres et récompenses"},
    "membershipBenefits": {"en": "Your benefits", "fr": "Vos avantages"},
    "addToBalance": {"en": "Top up", "fr": "Recharger"},
    "order": {"en": "Order", "fr": "Commander"},
    "shop": {"en": "Shop", "fr": "Acheter"},
    "call": {"en": "Call us", "fr": "Nous appeler"},
    "bookAppointment": {"en": "Book an appointment", "fr": "Prendre rendez-vous"},
    "viewSchedule": {"en": "See the schedule", "fr": "Voir le programme"},
    "watchTrailer": {"en": "Watch the trailer", "fr": "Voir la bande-annonce"},
    "listenToMusic": {"en": "Listen", "fr": "Écouter"},
    "bookCar": {"en": "Book a car", "fr": "Réserver une voiture"},
    "bookFlight": {"en": "Book a flight", "fr": "Réserver un vol"},
    "bookStay": {"en": "Book a stay", "fr": "Réserver un séjour"},
}
"""What neither a card nor its design words, and Google wants a text for."""


class Speaker:
    """Writes texts in the languages of one card."""

    __slots__ = ("_others", "first")

    def __init__(self, languages: Sequence[str]) -> None:
        self.first = languages[0]
        self._others = tuple(languages[1:])

    def plain(self, texts: Texts) -> str:
        """In the first language, or else in any; empty where there is none."""
        return texts.get(self.first) or next(filter(None, texts.values()), "")

    def localized(self, texts: Texts) -> Body:
        """A LocalizedString, for fields that have no plain form."""
        first = self.plain(texts)
        said: Body = {"defaultValue": {"language": self.first, "value": first}}
        translated = [
            {"language": tag, "value": text}
            for tag in self._others
            if (text := texts.get(tag)) is not None and text and text != first
        ]
        if translated:
            said["translatedValues"] = translated
        return said

    def put(self, body: Body, name: str, texts: Texts, translations: str = "") -> None:
        """A field and, where a language differs, its `localized` twin; nothing for an empty text."""
        first = self.plain(texts)
        if not first:
            return
        body[name] = first
        for tag in self._others:
            text = texts.get(tag)
            if text and text != first:
                body[translations or f"localized{name[0].upper()}{name[1:]}"] = self.localized(texts)
                return

    def word(self, key: str) -> Texts:
        """One of `WORDS` in these languages, English where it is not written."""
        said = WORDS[key]
        return {tag: said.get(tag.partition("-")[0], said["en"]) for tag in (self.first, *self._others)}


def image(uri: str, described: Body) -> Body:
    """An Image by its address, with what is read aloud in its place."""
    return {"sourceUri": {"uri": uri}, "contentDescription": described}
