"""Owns how a member's card is composed from what the programme promises and what the books hold.

The one place where a Card is made: every wallet, the web card and the lock screen show what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wallet_server.rules.counter import coupons
from wallet_server.rules.passes import purse_notes
from wallet_server.rules.passes.card import Balance, Card, Detail, Gauge, News, Offer, Palette, Place, Texts, Tier
from wallet_server.rules.passes.colours import LEGIBLE, contrast, rgb
from wallet_server.rules.passes.fitting import fits_front
from wallet_server.rules.passes.places import Store, nearest
from wallet_server.rules.passes.stamps import stamps
from wallet_server.rules.people import recovering
from wallet_server.rules.programme.program import Level, Programme, Promise
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.sentences import of, reward_sentences
from wallet_server.rules.tiers.metrics import Measures
from wallet_server.rules.tiers.tiers import gauge, level_after, level_for, of_balance

__all__ = ["Holding", "Slip", "Store", "compose", "compose_coupon"]

MAX_LISTED_STORES = 20
"""Stores named on the back of a card; more would bury the links below them."""

_WORDS: Mapping[str, Texts] = {
    "tier": {"fr": "Statut", "en": "Status"},
    "news": {"fr": "Actualité", "en": "Latest news"},
    "rules": {"fr": "Comment ça marche", "en": "How it works"},
    "rewards": {"fr": "Vos récompenses", "en": "Your rewards"},
    "benefits": {"fr": "Vos avantages au statut {}", "en": "Your {} benefits"},
    "way": {"fr": "Prochain statut", "en": "Next status"},
    "teaser": {"fr": "Ce qui vous attend au statut {}", "en": "What waits for you at {}"},
    "stores": {"fr": "Où nous trouver", "en": "Where to find us"},
    "web": {"fr": "Votre carte sur le web", "en": "Your card on the web"},
    "web_text": {"fr": "Ouvrir la carte", "en": "Open the card"},
    "website": {"fr": "Notre site", "en": "Our website"},
    "rate": {"fr": "Votre dernière visite", "en": "Your last visit"},
    "rate_text": {"fr": "Dites ce que vous en pensez", "en": "Tell us how it was"},
    "recover": {"fr": "Carte perdue ou effacée", "en": "Card lost or deleted"},
    "recover_text": {"fr": "Retrouver la carte", "en": "Get the card back"},
    "recover_code": {"fr": "Code pour la retrouver (à noter)", "en": "Code to get it back (write it down)"},
    "stop": {"fr": "Ne plus recevoir de messages", "en": "Stop messages"},
    "stop_text": {"fr": "Arrêter les messages de {}", "en": "Stop messages from {}"},
    "nearby": {"fr": "{} est tout près", "en": "{} is close by"},
    "welcome": {"fr": "Cadeau de bienvenue", "en": "Welcome gift"},
    "vouchers": {"fr": "Vos bons", "en": "Your vouchers"},
    "coupon": {"fr": "Bon {}", "en": "{} coupon"},
    "coupon_used": {"fr": "Bon utilisé", "en": "Coupon used"},
    "coupon_used_text": {
        "fr": "Ce bon a été utilisé. Vous pouvez le retirer de votre téléphone.",
        "en": "This coupon has been used. You can remove it from your phone.",
    },
    "coupon_expired": {"fr": "Bon expiré", "en": "Coupon expired"},
    "coupon_expired_text": {
        "fr": "La date de ce bon est passée. Vous pouvez le retirer de votre téléphone.",
        "en": "The date of this coupon has passed. You can remove it from your phone.",
    },
    "coupon_void": {"fr": "Bon remplacé ou annulé", "en": "Coupon replaced or cancelled"},
    "coupon_void_text": {
        "fr": "Ce bon n’est plus valable. Vous pouvez le retirer de votre téléphone.",
        "en": "This coupon is no longer valid. You can remove it from your phone.",
    },
    "coupon_web": {"fr": "Votre bon sur le web", "en": "Your coupon on the web"},
    "coupon_web_text": {"fr": "Ouvrir le bon", "en": "Open the coupon"},
    "voided": {"fr": "Carte remplacée ou annulée", "en": "Card replaced or cancelled"},
    "voided_text": {
        "fr": "Cette carte n’est plus valable. Vous pouvez la retirer de votre téléphone.",
        "en": "This card is no longer valid. You can remove it from your phone.",
    },
}


@dataclass(frozen=True)
class Holding:
    """What the books say of one card. `tier` is the code of the level to show (publishing may hold a new one back),
    None for the one the balance reaches; `balances` by currency code, a missing one is 0. The back has a place for the
    recovery code where there is a `recover_link`; the code is filled in when the card is served. `figures` are what
    tiers are measured by where that is more than a balance; None: the balance."""

    balances: Mapping[str, int]
    tier: str | None
    news: Texts | None
    home: Store | None
    stores: tuple[Store, ...]
    code_issue: int
    voided: bool
    stop_link: str | None
    web_link: str | None
    rate_link: str | None = None
    recover_link: str | None = None
    figures: Measures | None = None
    vouchers: tuple[coupons.Voucher, ...] = ()
    notes: tuple[Detail, ...] = ()
    good_until: datetime | None = None


def compose(
    programme: Programme, holding: Holding, at: datetime, next_instants: Sequence[datetime] = ()
) -> tuple[Card, datetime | None]:
    """The card at `at`, and the instant after `at` at which it next changes by itself, if any is known.

    `next_instants` are the moments known to the caller (an expiry, the end of an announcement), in any order.
    Equal arguments give cards with equal fingerprints.
    """
    common = _common(programme)
    level, progress = _status(programme, holding)
    card = Card(
        languages=programme.languages,
        organisation=programme.organisation,
        description=common.description,
        design=programme.design_id,
        design_version=programme.design_version,
        palette=_palette(programme, level),
        balance=_balance(programme, common, holding),
        tier=None if level is None else _tier(common, level),
        gauge=progress,
        news=None if holding.news is None else News(common.words("news"), _complete(programme, holding.news)),
        details=_details(programme, common, holding, level, progress),
        places=common.shops(holding.stores).nearby(holding.home),
        max_distance_metres=programme.max_distance_metres,
        code_issue=holding.code_issue,
        voided=holding.voided,
        stamps=stamps(programme, holding.balances),
        logo=programme.logo,
        beacons=programme.apple.beacons,
        actions=programme.apple.actions,
        nfc=programme.apple.nfc,
        app=programme.apple.app,
        android=programme.google.app,
        rotating=programme.google.rotating_codes,
        barcode=programme.barcode,
        expires_at=coupons.written(holding.good_until),
    )
    return card, min((instant for instant in next_instants if instant > at), default=None)


@dataclass(frozen=True)
class Slip:
    """What the books say of one coupon, and of the pass that shows it: `voided` where that pass is over, whatever the
    coupon is."""

    state: str
    valid_to: datetime | None
    used_at: datetime | None
    home: Store | None
    stores: tuple[Store, ...]
    code_issue: int
    voided: bool
    web_link: str | None
    valid_from: datetime | None = None


def compose_coupon(programme: Programme, promise: Promise, slip: Slip) -> Card:
    """The coupon as the version that promised it has it. One that was used is greyed on the phone by its date: as long
    as the use may be taken back the phone must go on asking, which it does not for a void pass."""
    greyed = slip.used_at if slip.state == coupons.USED else slip.valid_to
    return Card(
        languages=programme.languages,
        organisation=programme.organisation,
        description=_words(programme, "coupon", programme.organisation),
        design="coupon",
        design_version=1,
        palette=programme.palette,
        balance=Balance("coupon", _words(programme, "coupon", programme.organisation), 0),
        tier=None,
        gauge=None,
        news=None,
        details=_coupon_details(programme, slip),
        places=() if slip.voided else _common(programme).shops(slip.stores).nearby(slip.home),
        max_distance_metres=programme.max_distance_metres,
        code_issue=slip.code_issue,
        voided=slip.voided,
        logo=programme.logo,
        kind="coupon",
        rotating=programme.google.rotating_codes,
        barcode=programme.barcode,
        expires_at=coupons.written(greyed),
        valid_from=coupons.written(slip.valid_from),
        offer=Offer(dict(promise.title), dict(promise.terms), coupons.written(slip.valid_to)),
    )


def _coupon_details(programme: Programme, slip: Slip) -> tuple[Detail, ...]:
    details: list[Detail] = []
    over = "void" if slip.voided and slip.state == coupons.ISSUED else slip.state
    if over != coupons.ISSUED:
        details.append(Detail("over", _words(programme, f"coupon_{over}"), _words(programme, f"coupon_{over}_text")))
    if slip.stores:
        details.append(_listed(programme, slip.stores))
    if programme.website is not None:
        address = dict.fromkeys(programme.languages, programme.website)
        details.append(Detail("website", _words(programme, "website"), address, programme.website))
    if slip.web_link is not None and not slip.voided:
        text = _words(programme, "coupon_web_text")
        details.append(Detail("web", _words(programme, "coupon_web"), text, slip.web_link))
    return tuple(details)


def _status(programme: Programme, holding: Holding) -> tuple[Level | None, Gauge | None]:
    ladder = programme.ladder
    if ladder is None:
        return None, None
    found = of_balance(ladder, holding.balances.get(ladder.currency, 0)) if holding.figures is None else holding.figures
    level = ladder.level(holding.tier) or level_for(ladder, found)
    return level, gauge(programme, found, level, programme.languages)


def _palette(programme: Programme, level: Level | None) -> Palette:
    found = programme.palette if level is None or level.palette is None else level.palette
    if level is None or not level.privileges:
        return found
    colour = level.privileges[0].colour
    # The flag stands in the small words above the status; in its own colour where that is read on the card's ground.
    legible = contrast(rgb(colour), rgb(found.background)) >= LEGIBLE
    return replace(found, label=colour) if legible else found


def _balance(programme: Programme, common: _Common, holding: Holding) -> Balance:
    currency = programme.currency(programme.balance_currency)
    owned = holding.balances.get(currency.code, 0)
    return Balance(currency.code, common.unit, owned, currency.iso, currency.exponent)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(programme: Programme, key: str, *names: str) -> Texts:
    return {language: _WORDS[key][language].format(*names) for language in programme.languages}


def _complete(programme: Programme, texts: Texts) -> Texts:
    """A text in every language of the programme; an announcement written in one language alone is shown in that."""
    fallback = texts.get(programme.languages[0]) or next(iter(texts.values()), "")
    return {language: texts.get(language) or fallback for language in programme.languages}


def _details(
    programme: Programme, common: _Common, holding: Holding, level: Level | None, progress: Gauge | None
) -> tuple[Detail, ...]:
    """The back of the card: what the member may want to read first stands first, the way out last."""
    details: list[Detail] = []
    if holding.voided:
        details.append(Detail("voided", common.words("voided"), common.words("voided_text")))
    if not holding.voided:
        details += (*purse_notes.beside(programme, holding.balances), *holding.notes)
    if holding.vouchers and not holding.voided:
        listed = {tag: coupons.listed(holding.vouchers, tag) for tag in programme.languages}
        details.append(Detail("vouchers", common.words("vouchers"), listed))
    details += common.promises
    if holding.web_link is None and programme.welcome_coupon is not None:
        # The card of nobody yet says what whoever joins is given beside it.
        promised = {tag: coupons.promised(programme.welcome_coupon, tag) for tag in programme.languages}
        details.append(Detail("welcome", common.words("welcome"), promised))
    if level is not None and (level.benefits or level.privileges):
        details.append(_benefits(programme, level))
    details += _way(common, progress)
    details += _teaser(programme, level)
    if holding.stores:
        details.append(common.shops(holding.stores).listed)
    details += common.website
    if holding.web_link is not None:
        details.append(Detail("web", common.words("web"), common.words("web_text"), holding.web_link))
    if holding.rate_link is not None:
        details.append(Detail("rate", common.words("rate"), common.words("rate_text"), holding.rate_link))
    if holding.recover_link is not None and not holding.voided:
        text = common.words("recover_text")
        details.append(Detail("recover", common.words("recover"), text, holding.recover_link))
        details.append(common.hidden)
    if holding.stop_link is not None:
        details.append(Detail("stop", common.words("stop"), common.stop_text, holding.stop_link))
    return tuple(details)


class _Common:
    """What every card of a programme's version says in the same words. A mass change composes thousands of them."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._words: dict[str, Texts] = {}
        self._shops: _Shops | None = None
        self.description = dict(programme.description)
        names = programme.currency(programme.balance_currency).names
        self.unit = {language: _capital(names[language].other) for language in programme.languages}
        self.promises: list[Detail] = []
        if programme.earn:
            self.promises.append(Detail("rules", self.words("rules"), rule_sentences(programme)))
        if programme.rewards:
            self.promises.append(Detail("rewards", self.words("rewards"), reward_sentences(programme)))
        self.website: list[Detail] = []
        if programme.website is not None:
            address = dict.fromkeys(programme.languages, programme.website)
            self.website.append(Detail("website", self.words("website"), address, programme.website))
        hidden = dict.fromkeys(programme.languages, recovering.HIDDEN)
        self.hidden = Detail(recovering.DETAIL, self.words("recover_code"), hidden)
        self.stop_text = _words(programme, "stop_text", programme.organisation)

    def words(self, key: str) -> Texts:
        """The product's own words."""
        found = self._words.get(key)
        if found is None:
            found = self._words[key] = _words(self.programme, key)
        return found

    def shops(self, stores: tuple[Store, ...]) -> _Shops:
        """What is said of these stores. A batch of cards brings the same ones, so the last are kept."""
        kept = self._shops
        if kept is None or kept.stores is not stores:
            kept = self._shops = _Shops(self.programme, stores)
        return kept


class _Shops:
    """What cards say of their programme's stores."""

    def __init__(self, programme: Programme, stores: tuple[Store, ...]) -> None:
        self._programme, self.stores = programme, stores
        self._near: dict[str | None, tuple[Store | None, tuple[Place, ...]]] = {}
        self.listed = _listed(programme, stores)

    def nearby(self, home: Store | None) -> tuple[Place, ...]:
        """The places of a card whose holder is at home there."""
        ref = None if home is None else home.ref
        known = self._near.get(ref)
        if known is None or known[0] != home:
            known = self._near[ref] = home, _nearby(self._programme, home, self.stores)
        return known[1]


_KEPT, _MOST_KEPT = dict[int, _Common](), 64


def _common(programme: Programme) -> _Common:
    """By identity: a version is parsed once and kept, and to compare two costs more than to compose a card."""
    found = _KEPT.get(id(programme))
    if found is None or found.programme is not programme:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        found = _KEPT[id(programme)] = _Common(programme)
    return found


def _listed(programme: Programme, stores: Sequence[Store]) -> Detail:
    named = sorted(stores, key=lambda store: (store.name, store.ref))[:MAX_LISTED_STORES]
    listed = "\n".join(dict.fromkeys(store.name for store in named))
    return Detail("stores", _words(programme, "stores"), dict.fromkeys(programme.languages, listed))


def _benefits(programme: Programme, level: Level) -> Detail:
    label = {lang: _WORDS["benefits"][lang].format(level.names[lang]) for lang in programme.languages}
    listed = [*(privilege.names for privilege in level.privileges), *level.benefits]
    text = {lang: "\n".join(f"• {benefit[lang]}" for benefit in listed) for lang in programme.languages}
    return Detail("benefits", label, text)


def _tier(common: _Common, level: Level) -> Tier:
    short = None if level.short_names is None else dict(level.short_names)
    label = common.words("tier")
    if level.privileges:
        tongues = common.programme.languages
        label = {tag: " · ".join(one.names[tag] for one in level.privileges) for tag in tongues}
    return Tier(level.code, label, dict(level.names), short)


def _way(common: _Common, progress: Gauge | None) -> list[Detail]:
    """What is missing for the next tier, where the front of a card may have no room for the whole sentence."""
    if progress is None or all(fits_front(said) for said in progress.sentence.values()):
        return []
    return [Detail("way", common.words("way"), progress.sentence)]


def _teaser(programme: Programme, level: Level | None) -> list[Detail]:
    """What waits at the next tier."""
    following = None if level is None or programme.ladder is None else level_after(programme.ladder, level)
    if following is None or following.reward is None:
        return []
    names = {lang: of(following.names[lang]) if lang == "fr" else following.names[lang] for lang in programme.languages}
    label = {lang: _WORDS["teaser"][lang].format(names[lang]) for lang in programme.languages}
    return [Detail("teaser", label, dict(following.reward))]


def _nearby(programme: Programme, home: Store | None, stores: tuple[Store, ...]) -> tuple[Place, ...]:
    chosen = nearest(home, stores, useful_metres=programme.useful_distance_metres)
    return tuple(
        Place(
            store.latitude,
            store.longitude,
            _words(programme, "nearby", store.name) if not store.text else _complete(programme, store.text),
        )
        for store in chosen
        if store.latitude is not None and store.longitude is not None
    )
