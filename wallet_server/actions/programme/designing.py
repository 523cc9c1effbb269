"""Owns the making of a card by its shop: the form as it is drafted, the card it would be, and its publication."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from wallet_server.actions.context import Context
from wallet_server.actions.once import Facts, asked
from wallet_server.actions.programme import assets, programs
from wallet_server.actions.staff import Person
from wallet_server.actions.vendors import google_limits
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany
from wallet_server.records import limits, parties
from wallet_server.records.database import Tx
from wallet_server.records.programme import drafts, programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.scope import Scope
from wallet_server.rules.passes import card_form
from wallet_server.rules.passes.card import Card, Palette, Texts
from wallet_server.rules.passes.card_changes import Change, changes, promise
from wallet_server.rules.passes.card_form import Reading, Typed, Wrong
from wallet_server.rules.passes.compose import Holding, Store, compose
from wallet_server.rules.passes.fitting import Logo, warnings
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.wallets import logos
from wallet_server.wallets.apple.checking import card_faults, card_warnings
from wallet_server.wallets.apple.rules import said
from wallet_server.wallets.apple.shown import Pass, Shown, shown
from wallet_server.wallets.drawing import Drawing, Drawn
from wallet_server.wallets.google import sentences

__all__ = [
    "Change",
    "Desk",
    "Drawing",
    "Pass",
    "Preview",
    "Shown",
    "Wrong",
    "desk",
    "preview",
    "publish",
    "save",
    "standing",
    "strip",
]

State = Literal["empty", "half", "full"]
STATES: tuple[State, ...] = ("empty", "half", "full")
STRIPS_A_MINUTE = 300
"""Pictures of cards that one shop may have drawn while it tries colours."""
LOGO_PIXELS_A_POINT = 3


@dataclass(frozen=True)
class Desk:
    """The form as a person finds it. `version` is 0 before the first publication; `document` then is None.

    `programmes` are all that the shop takes part in, by public id and name, oldest first. `typed` is None when the
    programme promises what the form cannot say; `revision` is 0 while nothing was drafted.
    """

    programme: str
    programmes: tuple[tuple[str, str], ...]
    join_link: str
    version: int
    published_at: datetime | None
    document: dict[str, Any] | None
    typed: dict[str, str] | None
    revision: int
    saved_by: str | None
    saved_at: datetime | None
    members: int

    @property
    def drafted(self) -> bool:
        """Whether what stands in the form differs from what was published."""
        return bool(self.document and self.typed and _differs(self.typed, self.document))


@dataclass(frozen=True)
class Sample:
    """A card as it is for a member with this much, and as an iPhone shows it in one language."""

    state: State
    card: Card
    apple: Pass


@dataclass(frozen=True)
class Preview:
    """What a form makes: the cards of three members, the promise in sentences, and all that is to be said of it.

    `strip` and `thumbnail` name what the design draws behind and beside the card's first field, if anything.
    """

    reading: Reading
    samples: Mapping[State, Sample]
    promise: Texts
    warnings: tuple[Wrong, ...]
    suggested: tuple[str, ...]
    strip: Drawing | None = "gauge"
    thumbnail: Drawing | None = None


def desk(ctx: Context, person: Person, programme: str | None = None) -> Desk:
    """The form of one of the shop's programmes; None: of its first. Raises `NotFound` (`no-programme` without any)."""
    with ctx.look() as tx:
        return _desk(ctx, tx, person, programme)


def _chosen(tx: Tx, scope: Scope, programme: str | None) -> ProgrammeRow:
    if programme is not None:
        return programmes.programme_in(tx, scope, programme)
    rows = programmes.programmes_of(tx, scope)
    if not rows:
        raise NotFound("Your shop takes part in no programme yet.", code="no-programme")
    return rows[0]


def _desk(ctx: Context, tx: Tx, person: Person, programme: str | None) -> Desk:
    row = _chosen(tx, person.scope, programme)
    version = programmes.version(tx, row.version_id) if row.version_id else None
    document = json.loads(version.document) if version else None
    draft = drafts.draft(tx, person.scope, row.id)
    typed = card_form.resumed(draft.form, document) if draft else None
    if version and document and typed and draft and draft.changed_at < version.published_at:
        # Published since, by this form or in another way: the draft tells more only where it says the same.
        typed = None if _differs(typed, document) else typed
    if typed is None:
        typed = card_form.typed_of(document) if document else card_form.begun(person.merchant)
    return Desk(
        programme=row.public_id,
        programmes=tuple((one.public_id, one.name) for one in programmes.programmes_of(tx, person.scope)),
        join_link=f"{ctx.settings.base_url}/join/{row.join_code}",
        version=row.version,
        published_at=version.published_at if version else None,
        document=document,
        typed=typed,
        revision=draft.revision if draft else 0,
        saved_by=draft.by if draft else None,
        saved_at=draft.changed_at if draft else None,
        members=drafts.count_members(tx, row.id),
    )


def _differs(typed: Typed, document: Mapping[str, Any]) -> bool:
    reading = card_form.read(typed, document)
    return bool(reading.faults) or reading.programme != parse(document)


def save(ctx: Context, person: Person, typed: Typed, after: int, programme: str | None = None) -> int:
    """Keep the form as a draft of the programme (as in `desk`) in the place of revision `after`; returns its revision.

    Raises `Conflict` (`draft-moved`) when somebody, or another window, saved meanwhile: nothing is overwritten. The
    same window (`tab`) saves over its own revision, whose number it may have missed.
    """
    form = card_form.kept(typed)
    with ctx.change() as tx:
        row = _chosen(tx, person.scope, programme)
        for name in ("logo", "bare"):
            if form[name] and assets.in_books(tx, form[name]) is None:
                form[name] = ""
        stands = drafts.draft(tx, person.scope, row.id)
        if stands is not None and form["tab"] and stands.form.get("tab") == form["tab"]:
            after = stands.revision
        revision = drafts.save(tx, row.id, form, after, person.staff_id, ctx.now())
    if revision is None:
        raise Conflict("This card was changed elsewhere meanwhile.", code="draft-moved")
    return revision


# ---------------------------------------------------------------------- the card it would be


def preview(
    ctx: Context,
    scope: Scope,
    typed: Typed,
    document: Mapping[str, Any] | None,
    language: str,
    programme: str | None = None,
) -> Preview:
    """What this form makes, on top of the document that stands; `language` is that of the person, `programme` the
    public id of the one whose form it is."""
    reading = _taken(ctx, scope, card_form.read(typed, document, language), programme, language)
    return _preview(ctx, scope, reading, typed, language)


def _taken(ctx: Context, scope: Scope, reading: Reading, programme: str | None, language: str) -> Reading:
    """The reading with everything that Google would refuse of its cards, in the person's language, beside the field
    that it comes from."""
    with ctx.look() as tx:
        row = _chosen(tx, scope, programme)
        found = google_limits.judge(ctx, tx, row.id, reading.programme).faults
    wrong = (
        Wrong(_field_of_google(one.path), "google", (sentences.part(one.path, language), sentences.said(one, language)))
        for one in found
    )
    return replace(reading, faults=tuple(dict.fromkeys((*reading.faults, *wrong))))


_FIELDS_OF_GOOGLE = (
    ("offer", "coupon"),
    ("rewardsTier", "tier2"),
    ("secondaryLoyaltyPoints", "tier2"),
    ("hexBackgroundColor", "colour"),
    ("programLogo", "logo"),
    ("loyaltyPoints", "reward"),
    ("textModulesData", "reward"),
)
"""Parts of what Google is given, and the fields of the form that they come from; of the others it is the name."""


def _field_of_google(path: str) -> str:
    field = next((name for part, name in _FIELDS_OF_GOOGLE if part in path), "name")
    tongue = next((one for one in path.split(".") if one in card_form.LANGUAGES), card_form.LANGUAGES[0])
    return f"{field}_{tongue}" if field in ("coupon", "tier2", "reward") else field


def standing(ctx: Context, scope: Scope, document: Mapping[str, Any], language: str) -> Preview:
    """The same of a document that the form cannot say."""
    reading = Reading(dict(document), parse(document), ())
    return _preview(ctx, scope, reading, {}, language)


def _preview(ctx: Context, scope: Scope, reading: Reading, typed: Typed, language: str) -> Preview:
    samples = _samples(ctx, scope, reading.programme, language)
    reading = _held(ctx, reading, samples, language)
    logo = _logo(ctx, reading.programme)
    found = warnings(typed, reading.programme, [sample.card for sample in samples.values()], logo)
    told = {one.field for one in found if one.code.startswith("apple_")}
    found = (*found, *_cut(ctx, reading.programme, samples, language, told))
    wrong = {fault.field for fault in reading.faults}
    design = ctx.designs.get(reading.programme.design_id, reading.programme.design_version)
    return Preview(
        reading=reading,
        samples=samples,
        promise=promise(reading.programme),
        warnings=tuple(one for one in found if one.field not in wrong),
        suggested=logos.grounds(assets.colours(ctx, typed.get("bare") or typed.get("logo") or "")),
        strip=design.strip,
        thumbnail=design.thumbnail,
    )


def _stores(ctx: Context, scope: Scope) -> tuple[Store, ...]:
    with ctx.look() as tx:
        rows = parties.stores_of(tx, scope)
    return tuple(Store(row.name, row.latitude, row.longitude, row.texts, row.public_id) for row in rows)


def _samples(ctx: Context, scope: Scope, programme: Programme, language: str) -> dict[State, Sample]:
    stores = _stores(ctx, scope)
    return {state: _sample(ctx, programme, stores, state, language) for state in STATES}


def _held(ctx: Context, reading: Reading, samples: Mapping[State, Sample], language: str) -> Reading:
    """The reading with everything that would keep one of these cards from being signed, in the person's language."""
    design = ctx.designs.get(reading.programme.design_id, reading.programme.design_version)
    found = dict.fromkeys(fault for sample in samples.values() for fault in card_faults(sample.card, design))
    wrong = (Wrong(_field_of(fault.path), "validator", (said(fault, language),)) for fault in found)
    return replace(reading, faults=tuple(dict.fromkeys((*reading.faults, *wrong))))


def _cut(
    ctx: Context, programme: Programme, samples: Mapping[State, Sample], language: str, told: Collection[str]
) -> Iterator[Wrong]:
    """Rows of the card that are too narrow for all that stands in them, where no text was told of by itself."""
    design = ctx.designs.get(programme.design_id, programme.design_version)
    for fault in dict.fromkeys(one for sample in samples.values() for one in card_warnings(sample.card, design)):
        tongue = fault.values[1] if fault.values[1] in card_form.LANGUAGES else card_form.LANGUAGES[0]
        stamps = samples["empty"].card.stamps is not None
        field = "name" if fault.path == "logoText" else f"reward_{tongue}" if stamps else f"tier2_{tongue}"
        if field not in told:
            yield Wrong(field, "cut", (said(fault, language),))


def _field_of(path: str) -> str:
    """The field of the form that a part of the pass comes from; the name, where it comes from no field."""
    return "colour" if path.endswith("Color") else "name"


def _sample(ctx: Context, programme: Programme, stores: tuple[Store, ...], state: State, language: str) -> Sample:
    base = ctx.settings.base_url
    stop, web = f"{base}/stop/specimen", f"{base}/card/specimen"
    holding = Holding(_balances(programme, state), None, None, None, stores, 1, False, stop, web)
    card, _ = compose(programme, holding, ctx.now())
    design = ctx.designs.get(programme.design_id, programme.design_version)
    return Sample(state, card, shown(card, design, language))


def _balances(programme: Programme, state: State) -> dict[str, int]:
    """What a member has who is new, on the way, or there."""
    balances: dict[str, int] = {}
    for currency in programme.currencies:
        goals = [reward.cost.units for reward in programme.rewards if reward.cost.currency == currency.code]
        ladder = programme.ladder
        if ladder and ladder.currency == currency.code:
            goals.append(ladder.levels[-1].threshold)
        goal = max(goals, default=100)
        balances[currency.code] = {"empty": 0, "half": (goal + 1) // 2, "full": goal}[state]
    return balances


def _logo(ctx: Context, programme: Programme) -> Logo | None:
    found = assets.picture(ctx, programme.logo) if programme.logo else None
    if found is None or programme.logo is None:
        return None
    parts = assets.colours(ctx, programme.logo)
    return Logo(logos.width_of(found) / LOGO_PIXELS_A_POINT, logos.shows(parts, programme.palette.background))


def strip(ctx: Context, scope: Scope, palette: Palette, drawn: Drawn, drawing: Drawing = "gauge") -> bytes:
    """The picture on a card's front, as phones get it, at two pixels a point (PNG): the filled boxes of so many, a
    drawing in percent, or neither. Raises `TooMany`, and `Invalid` for boxes that no card has."""
    second = int(ctx.now().timestamp())
    with ctx.change() as tx:
        if limits.take(tx, f"strips:{scope.merchant_id}", second // 60, 1) > STRIPS_A_MINUTE:
            sentence = "So many cards were drawn in this minute; wait for the next one."
            raise TooMany(sentence, retry_after_seconds=60 - second % 60, code="too-many-pictures")
    if not isinstance(drawn, tuple):
        return ctx.drafted.picture(drawing, "draft", 0, palette, drawn).pngs[1]
    filled, total = drawn
    if total not in card_form.STAMPS or not 0 <= filled <= total:
        raise Invalid("A stamp card has 2 to 20 boxes.", code="no-such-card")
    return ctx.drafted.stamps("draft", 0, palette, filled, total).pngs[1]


# ---------------------------------------------------------------------- publication


def pending(ctx: Context, scope: Scope, found: Desk, language: str) -> tuple[Reading, tuple[Change, ...]]:
    """What the draft makes, and what of it the members' cards do not show yet."""
    if found.typed is None:
        raise Conflict("This programme is not made in the form.", code="not-simple")
    reading = card_form.read(found.typed, found.document, language)
    reading = _taken(ctx, scope, reading, found.programme, language)
    reading = _held(ctx, reading, _samples(ctx, scope, reading.programme, language), language)
    old = parse(found.document) if found.document else None
    return reading, changes(old, reading.programme) if old else ()


def publish(ctx: Context, person: Person, revision: int, version: int, programme: str | None = None) -> Facts:
    """Make the draft of this revision the programme's next version, once, however often it is sent.

    `revision` and `version` are those that the person saw. Raises `Invalid` (`form-faults`) with the fields, and
    `Conflict` (`draft-moved`) when the draft or the programme has moved since.
    """
    found = desk(ctx, person, programme)
    if found.typed is None or found.revision != revision:
        raise Conflict("This card was changed elsewhere meanwhile.", code="draft-moved")
    reading, _ = pending(ctx, person.scope, found, person.language)
    if reading.faults:
        raise Invalid("Some fields are not right yet.", code="form-faults", field=reading.faults[0].field)
    if found.document is not None and not found.drafted:
        return {"programme": found.programme, "version": found.version}
    if found.version != version:
        raise Conflict("This card was changed elsewhere meanwhile.", code="draft-moved")
    body = {"programme": found.programme, "revision": revision, "version": version}
    wish = asked(person.scope, "console/card/publish", body, None, f"draft:{found.programme}:{version}:{revision}")
    try:
        facts, _ = programs.publish_version(ctx, person.scope, found.programme, reading.document, wish)
    except Conflict as fault:
        if fault.code != "no-change":
            raise
        facts = {"programme": found.programme, "version": desk(ctx, person, programme).version}
    return facts
