"""Owns the languages of a card for Google Wallet: a text in the first language, and its translations beside it.

Google shows the plain field where it knows no translation for the phone's language (LocalizedString of the Wallet API).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from wallet_server.rules.passes.card import Texts

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


class _Spoken(dict[tuple[tuple[str, ...], tuple[str, ...]], Body | None]):
    """Languages and what is said in each, to the LocalizedString; None where all say the same. Labels and terms are the
    same for all members of a programme, so most texts of most cards are here already; a full one is emptied. What is
    here is shared by many bodies: nobody changes it."""

    def __missing__(self, key: tuple[tuple[str, ...], tuple[str, ...]]) -> Body | None:
        languages, said = key
        first = said[0]
        others = [{"language": tag, "value": text} for tag, text in zip(languages, said, strict=True) if text != first]
        if len(self) >= _MOST_SPOKEN:
            self.clear()
        made: Body = {"defaultValue": {"language": languages[0], "value": first}, "translatedValues": others}
        self[key] = found = made if others else None
        return found


_SPOKEN, _MOST_SPOKEN = _Spoken(), 8192


class Speaker:
    """Writes texts in the languages of one card."""

    __slots__ = ("_all", "_languages", "first")

    def __init__(self, languages: Sequence[str]) -> None:
        self.first = languages[0]
        self._languages = tuple(languages)
        self._all = itemgetter(*languages) if len(languages) > 1 else None

    def plain(self, texts: Texts) -> str:
        """In the first language, or else in any; empty where there is none."""
        return texts.get(self.first) or next(filter(None, texts.values()), "")

    def localized(self, texts: Texts) -> Body:
        """A LocalizedString, for fields that have no plain form."""
        said = self._said(texts)
        return _SPOKEN[self._languages, said] or {"defaultValue": {"language": self.first, "value": said[0]}}

    def put(self, body: Body, name: str, texts: Texts) -> None:
        """A field and, where a language differs, its `localized` twin; nothing for an empty text."""
        said = self._said(texts)
        if not said[0]:
            return
        body[name] = said[0]
        spoken = _SPOKEN[self._languages, said]
        if spoken is not None:
            body[_twin(name)] = spoken

    def _said(self, texts: Texts) -> tuple[str, ...]:
        """What is said in each language; the first language's words where one has none."""
        if self._all is None:
            return (self.plain(texts),)
        try:
            said: tuple[str, ...] = self._all(texts)
        except KeyError:
            said = ()
        if not said or not all(said):
            first = self.plain(texts)
            said = tuple([texts.get(tag) or first for tag in self._languages])
        return said

    def word(self, key: str) -> Texts:
        """One of `WORDS` in these languages, English where it is not written."""
        return _word(key, self._languages)


@lru_cache(maxsize=256)
def _word(key: str, languages: tuple[str, ...]) -> Texts:
    said = WORDS[key]
    return {tag: said.get(tag.partition("-")[0], said["en"]) for tag in languages}


@lru_cache(maxsize=256)
def _twin(name: str) -> str:
    return f"localized{name[0].upper()}{name[1:]}"


@lru_cache(maxsize=256)
def speaker_for(languages: tuple[str, ...]) -> Speaker:
    """One for each set of languages."""
    return Speaker(languages)


def image(uri: str, described: Body) -> Body:
    """An Image by its address, with what is read aloud in its place."""
    return {"sourceUri": {"uri": uri}, "contentDescription": described}
