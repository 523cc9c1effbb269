"""Owns whether two descriptions are of one person: by e-mail, telephone or postal address, typing errors forgiven.

What is certain is joined without a person looking, so the bar is high, and a name that contradicts lowers everything to
doubtful: a household shares an address, a couple sometimes a mailbox. Thresholds are out of 100.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

SAME_NAME, LIKE_NAME, SAME_WORD = 88, 75, 80
SAME_PLACE, LIKE_PLACE = 92, 80
MOST_TYPOS = 2
"""In an e-mail address: wrong, missing, swapped or superfluous characters."""
CERTAIN, DOUBTFUL = "certain", "doubtful"

_WORDS: Mapping[str, str] = {
    "av": "avenue", "ave": "avenue", "bd": "boulevard", "bld": "boulevard", "boul": "boulevard", "blvd": "boulevard",
    "r": "rue", "pl": "place", "all": "allee", "che": "chemin", "chem": "chemin", "imp": "impasse", "rte": "route",
    "res": "residence", "bat": "batiment", "app": "appartement", "apt": "appartement", "appt": "appartement",
    "fg": "faubourg", "fbg": "faubourg", "sq": "square", "qu": "quai", "ste": "sainte", "rd": "road", "ln": "lane",
    "dr": "drive", "ct": "court", "flt": "flat",
}  # fmt: skip
_DROPPED = frozenset(("de", "du", "des", "la", "le", "les", "l", "d", "the", "of", "cedex"))
_HOUSE = re.compile(r"\d{1,5}")


@dataclass(frozen=True)
class Person:
    """What is known of somebody; `address` is street and town on one line."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    address: str | None = None
    postcode: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything could be compared."""
        return any((self.email, self.phone, self.address))


@dataclass(frozen=True)
class Likeness:
    """How sure it is that two are one, and by what (`email`, `phone`, `address`), out of 100."""

    verdict: str
    by: str
    score: int


@lru_cache(maxsize=50_000)
def words_of(text: str) -> str:
    """A name or an address with its words in full, without accents, punctuation and small words; "St" is a saint before
    a word and a street after one."""
    apart = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(one if one.isalnum() else " " for one in apart if not unicodedata.combining(one))
    found = bare.split()
    said = []
    for place, word in enumerate(found):
        if word == "st":
            said.append("saint" if place + 1 < len(found) and not found[place + 1].isdigit() else "street")
        elif word not in _DROPPED:
            said.append(_WORDS.get(word, word))
    return " ".join(said)


def alike(one: Person, other: Person) -> Likeness | None:
    """Whether these are one person; None where nothing says so."""
    found = [each for each in (_by_email(one, other), _by_phone(one, other), _by_address(one, other)) if each]
    if not found:
        return None
    names = _names(one.name, other.name)
    best = max(found, key=lambda each: (each.verdict == CERTAIN, each.score))
    if best.verdict == CERTAIN and names is not None and names < SAME_NAME:
        return Likeness(DOUBTFUL, best.by, min(best.score, names))
    if best.verdict == DOUBTFUL and names is not None and names >= SAME_NAME and best.by == "email":
        return Likeness(CERTAIN, best.by, best.score)
    return best


def decide(person: Person, candidates: Mapping[int, Person]) -> tuple[int | None, list[tuple[int, Likeness]]]:
    """The one member that this certainly is, or those that a person is to choose among, the likest first."""
    found = [(key, like) for key, other in candidates.items() if (like := alike(person, other)) is not None]
    certain = [key for key, like in found if like.verdict == CERTAIN]
    if len(certain) == 1:
        return certain[0], []
    return None, sorted(found, key=lambda each: (each[1].verdict != CERTAIN, -each[1].score, each[0]))


class Crowd:
    """People whom a description may be of. Only those are compared with it that share something which must be alike:
    the beginning and the digits of an e-mail address, a telephone number, a postcode; or, where no two postcodes
    contradict each other, the beginning of an e-mail address alone."""

    def __init__(self, people: Mapping[int, Person]) -> None:
        self._people: dict[int, Person] = {}
        self._by: dict[tuple[str, ...], list[int]] = {}
        self._heads: dict[str, dict[str, list[int]]] = {}
        for key, person in people.items():
            self.add(key, person)

    def add(self, key: int, person: Person) -> None:
        """One more."""
        self._people[key] = person
        for mark in _marks(person):
            self._by.setdefault(mark, []).append(key)
        if person.email and person.address:
            self._heads.setdefault(person.email[:3], {}).setdefault(_bare(person.postcode or ""), []).append(key)

    def near(self, person: Person) -> dict[int, Person]:
        """Those who may be this one."""
        found = {key for mark in _marks(person) for key in self._by.get(mark, ())}
        if person.email and person.address:
            for postcode, keys in self._heads.get(person.email[:3], {}).items():
                if _postcodes(person.postcode, postcode):
                    found.update(keys)
        return {key: self._people[key] for key in sorted(found)}


def _marks(person: Person) -> Iterator[tuple[str, ...]]:
    if person.email:
        yield "email", person.email[:3], _digits(person.email.rpartition("@")[0])
    if person.phone:
        yield "phone", person.phone
    if person.postcode:
        yield "postcode", _bare(person.postcode)


def _names(one: str | None, other: str | None) -> int | None:
    """How alike two names are; below `SAME_NAME` where any word of them differs: whoever shares a family name and a
    house is another person as soon as the first name is another."""
    if not one or not other:
        return None
    mine, its = words_of(one), words_of(other)
    whole = int(fuzz.token_sort_ratio(mine, its))
    fewer, more = sorted((mine.split(), its.split()), key=len)
    weakest = min((max(fuzz.ratio(word, each) for each in more) for word in fewer), default=0.0)
    return whole if weakest >= SAME_WORD else min(whole, SAME_NAME - 1)


def _by_email(one: Person, other: Person) -> Likeness | None:
    if not one.email or not other.email:
        return None
    if one.email == other.email:
        return Likeness(CERTAIN, "email", 100)
    local, _, domain = one.email.rpartition("@")
    its_local, _, its_domain = other.email.rpartition("@")
    typos = DamerauLevenshtein.distance(one.email, other.email, score_cutoff=MOST_TYPOS)
    # Digits tell mailboxes of one name apart: marie1 is not marie2. Short names have too many neighbours.
    if typos > MOST_TYPOS or min(len(local), len(its_local)) < 4 or _digits(local) != _digits(its_local):
        return None
    same_end = domain == its_domain or DamerauLevenshtein.distance(domain, its_domain) <= 1
    return Likeness(DOUBTFUL, "email", 100 - 8 * typos) if same_end else None


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit())


def _by_phone(one: Person, other: Person) -> Likeness | None:
    if not one.phone or one.phone != other.phone:
        return None
    # A number is a household's as often as a person's: alone it is certain only beside the same name.
    names = _names(one.name, other.name)
    sure = names is not None and names >= SAME_NAME
    return Likeness(CERTAIN if sure else DOUBTFUL, "phone", 95)


def _by_address(one: Person, other: Person) -> Likeness | None:
    if not one.address or not other.address:
        return None
    if not _postcodes(one.postcode, other.postcode):
        return None
    names = _names(one.name, other.name)
    if names is None or names < LIKE_NAME:
        return None
    mine, its = words_of(one.address), words_of(other.address)
    score = int(fuzz.token_sort_ratio(mine, its))
    houses = _HOUSE.findall(mine)[:1], _HOUSE.findall(its)[:1]
    if houses[0] and houses[1] and houses[0] != houses[1]:
        return None
    if score >= SAME_PLACE and names >= SAME_NAME and houses[0] == houses[1]:
        return Likeness(CERTAIN, "address", score)
    return Likeness(DOUBTFUL, "address", score) if score >= LIKE_PLACE else None


def _postcodes(one: str | None, other: str | None) -> bool:
    """Whether they may be one: a digit may be wrong; what is not told contradicts nothing."""
    if not one or not other:
        return True
    return DamerauLevenshtein.distance(_bare(one), _bare(other), score_cutoff=1) <= 1


def _bare(postcode: str) -> str:
    return "".join(postcode.split()).upper()


def keys_of(people: Sequence[Person]) -> tuple[set[str], set[str], set[str], set[str]]:
    """What members that may be one of these are looked for by: their e-mail addresses, the beginnings of these, their
    telephone numbers, their postcodes."""
    emails = {one.email for one in people if one.email}
    heads = {email[:3] for email in emails if len(email) > 3}
    phones = {one.phone for one in people if one.phone}
    return emails, heads, phones, {_bare(one.postcode) for one in people if one.postcode}
