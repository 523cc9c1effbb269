"""Designs and cards are checked before anybody has one: specimens in every state, and what will not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.wallets.documents import right
from tests.wallets.gallery import GALLERY
from tests.wallets.samples import sample_card
from wallet_server.rules.passes.card import Detail, Place
from wallet_server.wallets.apple.checking import card_faults, check
from wallet_server.wallets.apple.rules import said
from wallet_server.wallets.apple.rules.fit import fitting
from wallet_server.wallets.apple.rules.pictures import MAX_PASS_BYTES
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.specimens import specimens


@pytest.mark.parametrize("name", GALLERY)
def test_specimens_show_every_item_that_a_design_places(designs: Designs, name: str) -> None:
    design = designs.newest(name)
    found = list(specimens(design))
    assert {one.state for one in found} == {"new", "half", "full", "voided"}
    assert {one.alert.facet for one in found if one.alert} == set(design.change_messages)
    whole = found[1].card
    needed = {"stamps": whole.stamps, "reward": whole.stamps, "tier": whole.tier, "gauge": whole.gauge,
              "offer": whole.offer, "terms": whole.offer, "event": whole.event, "venue": whole.event}  # fmt: skip
    placed = {one.item for slot in design.slots.values() for one in slot}
    assert all(needed[item] is not None for item in placed & needed.keys())
    assert all(text.keys() == set(design.languages) for text in (whole.description, whole.balance.label))


def test_faults_of_files_are_found_that_only_their_contents_show(designs: Designs) -> None:
    design = designs.newest("points")
    heavy = design.images["logo.png"] + bytes(MAX_PASS_BYTES)
    checked = check(replace(design, images={**design.images, "logo.png": heavy, "logo@2x.png": b"GIF89a"}))
    assert {(one.fault.path, one.fault.code) for one in checked.faults} == {
        ("pass", "too-large"),
        ("logo@2x.png", "not-png"),
    }
    assert set(checked.faults[0].states) == {"new", "half", "full", "voided"}


def test_a_fault_of_one_state_names_that_state(designs: Designs) -> None:
    design = designs.newest("points")
    placeholders = {**design.placeholders, "news": {"fr": "Rien\x07", "en": "Nothing"}}
    (told, *_) = check(replace(design, placeholders=placeholders)).faults
    assert (told.fault.code, told.states) == ("unshowable", ("new",))


# --- one card


def test_a_card_is_checked_before_it_is_anybody_s(designs: Designs) -> None:
    design, card = designs.get("points", 1), sample_card()
    assert card_faults(card, design) == []
    wrong = replace(
        card,
        organisation=" ",
        palette=replace(card.palette, label="gold"),
        details=(Detail("d", {"fr": "Ça", "en": "It"}, {"fr": "Ça\ufffe", "en": "It"}),),
        places=(Place(91.0, 2.0, card.places[0].text),) * 11,
    )
    found = {(one.path, one.code) for one in card_faults(wrong, design)}
    assert {
        ("organizationName", "organisation"),
        ("labelColor", "colour"),
        ("locations", "too-many-places"),
        ("storeCard.backFields.1.value", "unshowable"),
    } <= found
    assert said(card_faults(replace(card, organisation=" "), design)[0], "fr").startswith("Il faut le nom")


# --- what fits


def cut(document: dict[str, Any], style: str, language: str = "fr", **shown: str) -> list[tuple[str, str]]:
    return [(one.path, one.values[0]) for one in fitting(document, style, {language: shown})]


LONG = "Un texte que personne ne lira jamais en entier sur une seule ligne d’un téléphone, si large soit-il"


def test_a_row_is_cut_at_its_widest_field() -> None:
    document = right("storeCard")
    assert cut(document, "storeCard") == []
    document["storeCard"]["secondaryFields"][1]["value"] = LONG
    assert cut(document, "storeCard") == [("storeCard.secondaryFields", LONG)]
    document["storeCard"]["secondaryFields"][1]["value"] = "court"
    document["storeCard"]["auxiliaryFields"][1]["label"] = LONG
    assert cut(document, "storeCard") == [("storeCard.secondaryFields", LONG)]


def test_what_a_language_shows_is_what_is_measured() -> None:
    document = right("storeCard")
    assert cut(document, "storeCard", **{"value of gauge": LONG}) == [("storeCard.secondaryFields", LONG)]
    assert cut(document, "storeCard", **{"value of news": LONG}) == [], "the back has room"


def test_header_and_logo_text_share_a_line() -> None:
    document = right("storeCard")
    document["logoText"] = "Les Établissements Martin et Filles"
    assert cut(document, "storeCard") == [("logoText", "Les Établissements Martin et Filles")]
    document["logoText"] = "Martin"
    document["storeCard"]["headerFields"][0]["value"] = LONG
    assert ("storeCard.headerFields", LONG) in cut(document, "storeCard")


def test_a_ticket_has_two_rows_and_a_generic_pass_a_picture_beside_its_name() -> None:
    ticket, name = right("eventTicket"), "Maximilienne-Alexandrine de Sainte-Foy"
    for field in ticket["eventTicket"]["auxiliaryFields"]:
        field["value"] = "Porte numéro 12"
    assert cut(ticket, "eventTicket") == []
    generic = right("generic")
    generic["generic"]["primaryFields"][0]["value"] = name
    card = right("storeCard")
    card["storeCard"]["primaryFields"][0] = {"key": "name", "value": name}
    assert cut(card, "storeCard") == []
    assert cut(generic, "generic") == [("generic.primaryFields.0", name)]


def test_the_poster_is_measured_too() -> None:
    poster = right("poster")
    poster["posterGeneric"]["primaryFields"][2]["value"] = LONG
    assert cut(poster, "storeCard") == [("posterGeneric.primaryFields.2", LONG)]
