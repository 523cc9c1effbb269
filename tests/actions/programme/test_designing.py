"""Owns what is known about a card in the making: the form and its document, drafts, what a publication changes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.world import World
from wallet_server import resources
from wallet_server.actions.programme import designing, programs
from wallet_server.actions.staff import Person
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records import parties
from wallet_server.records.schema import drafts
from wallet_server.records.scope import Scope
from wallet_server.rules.passes import card_form
from wallet_server.rules.passes.card_changes import changes
from wallet_server.rules.passes.colours import contrast, inked, rgb
from wallet_server.rules.passes.fitting import width
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document
from wallet_server.wallets.designs import Designs, load_designs

STAMPS = {**card_form.begun("Chez Marie"), "reward_fr": "un café", "reward_en": "a coffee"}
POINTS = {**STAMPS, "kind": "points", "cost": "80", "tier1_fr": "Voisin", "tier1_en": "Neighbour", "tier2_at": "250"}
COUPON = {"coupon_fr": "Un thé offert", "terms_fr": "Le matin.", "terms_en": "Mornings.", "days": "30"}
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
TEXTS = ("name", "reward_fr", "reward_en", "tier1_fr", "tier2_en", "value", "spend", "stamps", "welcome", "cost")
TEXTS = (*TEXTS, *COUPON, "coupon_en")


# ---------------------------------------------------------------------- the form and its document


@pytest.mark.parametrize(
    "typed",
    [
        STAMPS,
        {**STAMPS, "each": "item", "stamps": "20", "welcome": "2", "value": "2,5"},
        {**STAMPS, "minimum": "5", "interval": "0"},
        POINTS,
        {**POINTS, "tiers": "", "spend": "10"},
        {**POINTS, "tier3_fr": "", "tier3_en": "", "paint": "none"},
        {**STAMPS, **COUPON, "coupon_en": "A free tea", "welcome": "1"},
        {**POINTS, **COUPON, "coupon_en": "A free tea", "days": ""},
        {**POINTS, "paint": "metals", "reward_fr": "", "reward_en": ""},
    ],
)
def test_a_published_form_comes_back_as_it_was(typed: dict[str, str]) -> None:
    reading = card_form.read(typed, None)
    assert not reading.faults
    back = card_form.typed_of(reading.document)
    assert back is not None
    assert card_form.read(back, reading.document).document == reading.document
    shown = ("reward", "stamps", "welcome", "minimum", "each", "kind", "coupon", "days")
    used = [name for name in typed if name.startswith(shown)]
    assert {name: back[name] for name in used} == {name: typed[name] for name in used}


def test_the_programme_that_every_shop_starts_from_has_a_form() -> None:
    document = default_document("Boulangerie & Fils")
    typed = card_form.typed_of(document)
    assert typed is not None
    assert typed["paint"] == "metals"
    assert card_form.read(typed, document).programme == parse(document)


@pytest.mark.parametrize("change", [{"earn": "second"}, {"benefit": "own"}, {"rewards": "two"}])
def test_what_the_form_cannot_say_has_none(change: dict[str, str]) -> None:
    document = default_document("Boulangerie & Fils")
    if "earn" in change:
        document["earn"].append({"id": "more", "currency": "points", "per": {"amount_minor": 1000, "points": 5}})
    elif "benefit" in change:
        document["tiers"]["levels"][0]["benefits"] = [{"fr": "Le sourire", "en": "A smile"}]
    else:
        cost = {"currency": "points", "amount": 10}
        names = {"fr": "un café", "en": "a coffee"}
        document["rewards"] = [{"code": f"r{n}", "names": names, "cost": cost} for n in (1, 2)]
    parse(document)
    assert card_form.typed_of(document) is None


def test_what_members_hold_stays_when_the_kind_of_card_changes() -> None:
    first = card_form.read(POINTS, None).document
    second = card_form.read({**STAMPS, "name": "Marie & Paul"}, first)
    assert not second.faults
    assert {currency.code for currency in second.programme.currencies} == {"points", "status", "stamps"}
    assert second.programme.description["fr"] == "Carte de fidélité Marie & Paul"
    assert card_form.typed_of(second.document) is not None


@settings(max_examples=examples(80))
@given(st.dictionaries(st.sampled_from(TEXTS), LETTERS, max_size=4), st.sampled_from(["stamps", "points"]))
def test_whatever_is_typed_a_card_can_be_drawn(typed: dict[str, str], kind: str) -> None:
    reading = card_form.read(card_form.kept({**STAMPS, "kind": kind, **typed}), None)
    if not reading.faults:
        assert parse(reading.document) == reading.programme
    for fault in reading.faults:
        assert fault.field in card_form.DEFAULTS


@settings(max_examples=examples(150))
@given(st.integers(0, 0xFFFFFF))
def test_every_ground_gets_inks_that_are_read(number: int) -> None:
    palette = inked(f"#{number:06x}")
    for ink in (palette.foreground, palette.label):
        assert contrast(rgb(ink), rgb(palette.background)) >= 4.5


def test_widths_grow_with_letters_and_size() -> None:
    assert width("iii", 10) < width("mmm", 10) < width("mmm", 12) < width("mmm", 12, bold=True)
    assert width("é", 10) == width("e", 10)


def test_a_change_is_named_and_nothing_else_is() -> None:
    old = card_form.read(POINTS, None).programme
    found = {
        name: [one.code for one in changes(old, card_form.read({**POINTS, **changed}, None).programme)]
        for name, changed in {
            "name": {"name": "Autre"},
            "colour": {"colour": "#6b1f33"},
            "rule": {"points": "2"},
            "reward": {"reward_en": "a tea"},
            "tiers": {"tier2_at": "260"},
            "paint": {"paint": "metals"},
            "welcome": {"welcome": "5"},
            "logo": {"logo": "0" * 64},
        }.items()
    }
    assert found.pop("name") == ["name"]
    assert all(codes == [name] for name, codes in found.items()), found
    assert changes(old, old) == ()
    assert changes(old, card_form.read(STAMPS, None).programme)[0].code == "kind"


# ---------------------------------------------------------------------- drafts and publication


@cache
def designs() -> Designs:
    return load_designs(resources.templates())


def person(world: World, **changed: Any) -> Person:
    """Somebody at the form, in an installation that has the shipped designs."""
    world.ctx.designs = designs()
    scope: Scope = replace(world.merchant, principal="staff:stf_test", key_id="ses_test")
    known = {"staff_id": None, "public_id": "stf_test", "name": "Marie", "email": "m@example.com", "role": "owner"}
    return Person(**{**known, "language": "fr", "merchant": "Chez Marie", "scope": scope, **changed})


def test_drafts_follow_each_other_and_nobody_is_overwritten(world: World) -> None:
    marie = person(world)
    assert designing.save(world.ctx, marie, STAMPS, 0) == 1
    assert designing.save(world.ctx, marie, {**STAMPS, "stamps": "8"}, 1) == 2
    for stale in (0, 1, 7):
        with pytest.raises(Conflict, match="elsewhere"):
            designing.save(world.ctx, marie, STAMPS, stale)
    found = designing.desk(world.ctx, marie)
    assert found.typed is not None
    assert (found.typed["stamps"], found.revision) == ("8", 2)
    stranger = person(world, scope=replace(marie.scope, account_id=99, merchant_id=99))
    with pytest.raises(NotFound):
        designing.desk(world.ctx, stranger)


def test_a_version_published_elsewhere_is_what_the_form_shows(world: World) -> None:
    marie = person(world)
    designing.save(world.ctx, marie, {**POINTS, "name": "Brouillon"}, 0)
    found = designing.desk(world.ctx, marie)
    assert found.drafted
    world.clock.forward(minutes=1)
    document = {**default_document("Ailleurs"), "rewards": []}
    programs.publish_version(world.ctx, world.merchant, found.programme, document, world.wish("publish"))
    found = designing.desk(world.ctx, marie)
    assert found.typed is not None
    assert (found.typed["name"], found.drafted) == ("Ailleurs", False)
    assert designing.save(world.ctx, marie, {**found.typed, "points": "2"}, found.revision) == 2


def test_a_draft_from_before_there_were_coupons_keeps_the_one_that_is_promised(world: World) -> None:
    marie = person(world)
    found = designing.desk(world.ctx, marie)
    assert found.document is not None
    coupon = {"title": {"fr": "Un thé", "en": "A tea"}, "terms": card_form.TERMS, "valid_days": 9, "value_minor": 250}
    document = {**found.document, "welcome": {"coupon": coupon}}
    programs.publish_version(world.ctx, world.merchant, found.programme, document, world.wish("publish"))
    world.clock.forward(minutes=1)
    typed = designing.desk(world.ctx, marie).typed
    assert typed is not None
    old = {name: text for name, text in typed.items() if name not in (*COUPON, "coupon_en")} | {"points": "4"}
    designing.save(world.ctx, marie, old, 0)
    with world.ctx.change() as tx:
        tx.execute(sa.update(drafts).values(form=old))
    found = designing.desk(world.ctx, marie)
    assert found.drafted
    reading, changed = designing.pending(world.ctx, marie.scope, found, "fr")
    assert reading.document["welcome"]["coupon"] == coupon, "with what it is worth, which the form does not ask"
    assert [one.code for one in changed] == ["rule"]


def test_a_draft_is_published_once(world: World) -> None:
    marie = person(world)
    found = designing.desk(world.ctx, marie)
    assert found.typed is not None
    revision = designing.save(world.ctx, marie, {**found.typed, "points": "3"}, 0)
    first = designing.publish(world.ctx, marie, revision, found.version)
    again = designing.publish(world.ctx, marie, revision, found.version)
    assert first["version"] == again["version"] == found.version + 1
    assert not designing.desk(world.ctx, marie).drafted
    with pytest.raises(Conflict):
        designing.publish(world.ctx, marie, revision + 1, found.version + 1)


def test_what_no_phone_would_take_is_told_in_the_person_s_language_and_is_not_published(world: World) -> None:
    """A store's text comes from elsewhere than the form; the form still must not publish such a card."""
    marie = person(world)
    found = designing.desk(world.ctx, marie)
    assert found.typed is not None
    revision = designing.save(world.ctx, marie, {**found.typed, "points": "3"}, 0)
    found = designing.desk(world.ctx, marie)
    assert not designing.pending(world.ctx, marie.scope, found, "fr")[0].faults
    texts = {"fr": "Ding\x07", "en": "Ding"}
    store = programs.NewStore("Nord\x07", latitude=50.6, longitude=3.0, texts=texts)
    with pytest.raises(Invalid) as refused:
        programs.add_store(world.ctx, world.merchant, store, world.wish("store"))
    assert [one.path for one in refused.value.faults] == ["name", "texts.fr"]
    with world.ctx.change() as tx:  # as a store that was there before the door was so strict
        parties.add_store(
            tx, "sto_old", marie.scope.merchant_id, "Nord", "Europe/Paris", 50.6, 3.0, texts, world.ctx.now()
        )
    typed = found.typed or {}
    told = {tag: designing.preview(world.ctx, marie.scope, typed, found.document, tag).reading for tag in ("fr", "en")}
    assert [one.code for one in told["fr"].faults] == ["validator"]
    assert told["fr"].faults[0].values[0].startswith("Ce texte contient un caractère")
    assert told["en"].faults[0].values[0].startswith("This text holds a character")
    with pytest.raises(Invalid, match="not right yet"):
        designing.publish(world.ctx, marie, revision, found.version)


def test_a_row_that_is_too_narrow_is_a_warning_in_the_person_s_language(world: World) -> None:
    marie = person(world)
    found = designing.desk(world.ctx, marie)
    long = "Gardien du fournil"
    typed = {**POINTS, "tier2_fr": long, "tier2_en": "Silver"}
    drawn = designing.preview(world.ctx, marie.scope, typed, found.document, "fr")
    (told,) = [one for one in drawn.warnings if one.code == "cut"]
    assert told.field == "tier2_fr"
    assert told.values[0].startswith("Ceci sera sans doute coupé")
    short = designing.preview(world.ctx, marie.scope, POINTS, found.document, "fr")
    assert "cut" not in {one.code for one in short.warnings}


@pytest.mark.parametrize("name", ["", " ", "\u200b\u2060"], ids=ascii)
def test_a_store_whose_name_cannot_be_seen_has_none(world: World, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        programs.add_store(world.ctx, world.merchant, programs.NewStore(name), world.wish("store"))
    assert [fault.sentence for fault in refused.value.faults] == ["Give the store a name of at most 200 characters."]
