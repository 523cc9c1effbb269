"""Owns what is worth a warning before a card is published: texts that a phone cuts, and things that hardly show.

Google publishes how many characters it recommends for a card's texts (Loyalty class and object: names 20, the balance
7, its label 9). Apple publishes none: there the width of a text is reckoned in points from the advance widths of a
sans-serif of Helvetica's proportions, which those of the iPhone's own typeface stay near, on a card 375 points wide.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wallet_server.rules.passes.card import Card, Detail
from wallet_server.rules.passes.card_form import LANGUAGES, Wrong, cleaned
from wallet_server.rules.passes.colours import FAINT, contrast, rgb
from wallet_server.rules.programme.gifts import spoken_in
from wallet_server.rules.programme.program import Programme

GOOGLE_NAME, GOOGLE_BALANCE = 20, 7

CARD_POINTS, MARGIN_POINTS, GAP_POINTS = 375, 16, 8
LOGO_TEXT_POINTS, HEADER_POINTS, LABEL_POINTS, FIELD_POINTS = 18.0, 17.0, 11.0, 16.0
HEADER_ROOM = (CARD_POINTS - 2 * MARGIN_POINTS) / 2
NUMBER_POINTS = 60
SQUARE_POINTS = 50
"""How wide a square logo is: as high as Apple's 50 points allow."""
SMALLEST = 0.6
"""A phone sets a text that is too long smaller, to about so much of its size, before it cuts it."""

_BOLD = 1.06
_WIDTHS = {
    "ijl'|": 0.222, " .,:;!I/ft\u00a0\u202f’": 0.278, "r-()[]": 0.333, '"*': 0.37, "ckszxvyJ": 0.5,
    "abdeghnopqu0123456789?_$€": 0.556, "+=<>~": 0.584, "FTZ": 0.611, "ABEKPSVXY&": 0.667, "wCDHNRU": 0.722,
    "GOQ": 0.778, "mM": 0.833, "W%œæ": 0.944, "ŒÆ@…": 1.0,
}  # fmt: skip


class _Advances(dict[str, float]):
    """How wide each letter is, of its size; one that was not met yet is taken apart into its base and its marks, which
    take no room."""

    def __missing__(self, letter: str) -> float:
        parts = unicodedata.normalize("NFD", letter)
        bare = [one for one in parts if not unicodedata.combining(one)]
        wide = sum(_PLAIN.get(one, 0.6 if ord(one) < 0x2000 else 1.0) for one in bare)
        if len(self) < _LETTERS_KEPT:
            self[letter] = wide
        return wide


_LETTERS_KEPT = 4_096
_PLAIN = {letter: width for letters, width in _WIDTHS.items() for letter in letters}
_ADVANCE = _Advances(_PLAIN)


@dataclass(frozen=True)
class Logo:
    """The shop's logo as far as it matters here: how wide it is on the card, and whether it shows on its colour."""

    points: float
    shows: bool


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how many points a text of this size takes on one line."""
    return sum(map(_ADVANCE.__getitem__, text)) * size * (_BOLD if bold else 1.0)


def fits_header(name: str) -> bool:
    """Whether an iPhone has room for the name of a tier at the top of a card, half of which is the shop's."""
    return width(name, HEADER_POINTS) * SMALLEST <= HEADER_ROOM


def fits_front(sentence: str) -> bool:
    """Whether it can be read whole on the front of an iPhone's card, beside a number."""
    return width(sentence, FIELD_POINTS) * SMALLEST <= CARD_POINTS - 2 * MARGIN_POINTS - NUMBER_POINTS


def fits_beside(name: str) -> bool:
    """Whether a small Android phone has room for it in a row that it shares."""
    return len(name) <= GOOGLE_NAME


def shortened(card: Card, fits: Callable[[str], bool]) -> Card:
    """The card for a place in which the name of its tier may not fit: there its short form stands, if it has one, and
    the whole name among the details."""
    tier = card.tier
    if tier is None or tier.short is None or all(fits(name) for name in tier.name.values()):
        return card
    short = {tag: name if fits(name) else tier.short.get(tag, name) for tag, name in tier.name.items()}
    whole = Detail("tier", tier.label, tier.name)
    return replace(card, tier=replace(tier, name=short), details=(whole, *card.details))


def warnings(
    typed: Mapping[str, str], programme: Programme, cards: Sequence[Card], logo: Logo | None
) -> tuple[Wrong, ...]:
    """What the shop should know of these cards (of members with little and with much); none of it forbids to publish.

    Each names the field whose text would have to change.
    """
    found = (
        *_name(programme, cards, logo),
        *_reward(typed, programme, cards),
        *_tiers(programme),
        *_colours(programme, logo),
        *_pictures(typed),
        *_gift(programme),
    )
    return tuple(dict.fromkeys(found))


def _name(programme: Programme, cards: Sequence[Card], logo: Logo | None) -> Iterator[Wrong]:
    name = programme.organisation
    header = max((width(text, HEADER_POINTS) for card in cards for text in _header(card)), default=0.0)
    beside = CARD_POINTS - 2 * MARGIN_POINTS - GAP_POINTS - (header + GAP_POINTS)
    room, needed = beside - (logo.points if logo else SQUARE_POINTS), width(name, LOGO_TEXT_POINTS, bold=True)
    if needed > room:
        # The logo takes the place, and not the name: then that is what to change.
        wide = logo is not None and needed <= beside - SQUARE_POINTS
        yield Wrong("name", "apple_name_logo" if wide else "apple_name", (_shown(name, room),))
    if len(name) > GOOGLE_NAME:
        yield Wrong("name", "google_name", (str(GOOGLE_NAME), name[: GOOGLE_NAME - 1].rstrip() + "…"))


def _header(card: Card) -> Iterator[str]:
    if card.stamps:
        yield f"{card.stamps.filled} / {card.stamps.total}"
    elif card.tier:
        yield from card.tier.name.values()


def _shown(name: str, room: float) -> str:
    """What of a name is left beside the logo."""
    for length in range(len(name), 0, -1):
        cut = name[:length].rstrip() + "…"
        if width(cut, LOGO_TEXT_POINTS, bold=True) <= room:
            return cut
    return "…"


def _reward(typed: Mapping[str, str], programme: Programme, cards: Sequence[Card]) -> Iterator[Wrong]:
    room = CARD_POINTS - 2 * MARGIN_POINTS
    for card in cards:
        said = card.stamps or card.gauge
        if said is None:
            continue
        for text, size in ((said.label, LABEL_POINTS), (said.sentence, FIELD_POINTS)):
            for language, line in text.items():
                if width(line, size) * SMALLEST > room:
                    yield Wrong(f"reward_{language}" if card.stamps else "tier2_fr", "apple_sentence", (line,))
    for tag in unspoken(typed):
        if tag in programme.languages:
            yield Wrong(f"reward_{tag}", f"one_language_{tag}")
    if not programme.rewards:
        yield Wrong("reward_fr", "no_reward")


def unspoken(typed: Mapping[str, str]) -> tuple[str, ...]:
    """The languages whose cards would name the reward in the words of the other one."""
    given = {tag: cleaned(typed.get(f"reward_{tag}", "")) for tag in LANGUAGES}
    if not any(given.values()):
        return ()
    same = len(set(given.values())) == 1
    return tuple(tag for tag in LANGUAGES if not given[tag] or (same and spoken_in(given[tag]) not in (None, tag)))


def _tiers(programme: Programme) -> Iterator[Wrong]:
    for number, level in enumerate(programme.ladder.levels if programme.ladder else (), 1):
        for language, whole in level.names.items():
            name = whole if level.short_names is None else level.short_names.get(language, whole)
            field = f"tier{number}_{language}"
            if not fits_header(name):
                yield Wrong(field, "apple_tier", (_header_shown(name), short_form(name)))
            if not fits_beside(name):
                yield Wrong(field, "google_tier_cut", (name[: GOOGLE_NAME - 1].rstrip() + "…", short_form(name)))
            elif len(name) > GOOGLE_BALANCE:
                yield Wrong(field, "google_tier", (str(GOOGLE_BALANCE),))
            if not (fits_header(name) and fits_beside(name)):
                yield Wrong(field, "short_offer", (short_form(name),))


def _header_shown(name: str) -> str:
    """What an iPhone leaves of a name at the top of a card."""
    cuts = (name[:length].rstrip() + "…" for length in range(len(name), 0, -1))
    return next((cut for cut in cuts if fits_header(cut)), "…")


def short_form(name: str) -> str:
    """A shorter name that every phone has room for: its first words, without one that leads on to more."""
    words = name.split()
    while len(words) > 1 and (not fits_beside(" ".join(words)) or words[-1].lower() in _LEADING):
        words.pop()
    return " ".join(words)[:GOOGLE_NAME].rstrip()


_LEADING = frozenset({"de", "du", "des", "la", "le", "les", "l’", "d’", "et", "of", "the", "and", "à", "au"})


def _colours(programme: Programme, logo: Logo | None) -> Iterator[Wrong]:
    ground, ink = rgb(programme.palette.background), rgb(programme.palette.foreground)
    if contrast(ground, ink) < FAINT:
        yield Wrong("colour", "faint")
    if logo is not None and not logo.shows:
        yield Wrong("logo", "logo_hidden")


def _pictures(typed: Mapping[str, str]) -> Iterator[Wrong]:
    stamps = typed.get("kind") != "points"
    for name in ("name", "reward_fr", "reward_en", "coupon_fr", "coupon_en", *(() if stamps else _TIER_NAMES)):
        drawn = "".join(dict.fromkeys(one for one in typed.get(name, "") if is_emoji(one)))
        if drawn:
            yield Wrong(name, "emoji", (drawn[:3],))


_TIER_NAMES = tuple(f"tier{number}_{tag}" for number in (1, 2, 3) for tag in LANGUAGES)


def is_emoji(letter: str) -> bool:
    """Whether this is a picture among letters: each phone draws it in its own way, a poster or receipt perhaps not."""
    return unicodedata.category(letter) == "So" or 0x1F000 <= ord(letter) <= 0x1FAFF


def _gift(programme: Programme) -> Iterator[Wrong]:
    welcome = programme.welcome
    if welcome is None:
        return
    costs = [reward.cost.units for reward in programme.rewards if reward.cost.currency == welcome.currency]
    if costs and welcome.units >= min(costs):
        yield Wrong("welcome", "gift_is_reward")
