"""What is remembered of a card at Google, and the difference that is sent: no more than changed, no less either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.wallets.gallery import GALLERY
from tests.wallets.google.making import ISSUER, SAMPLES, class_of, clone, google, object_of, partial
from wallet_server.sandbox.google import Discovery
from wallet_server.wallets.google import limits, state

LOYALTY = [(design, name) for design, name in SAMPLES if design in ("points", "stamps", "tiers", "club", "ranks")]


def merged(there: Any, patch: Any) -> Any:
    """What stands at Google after a PATCH: RFC 7396, written here again on its own."""
    if not isinstance(patch, dict):
        return patch
    base = dict(there) if isinstance(there, dict) else {}
    for name, part in patch.items():
        if part is None:
            base.pop(name, None)
        else:
            base[name] = merged(base.get(name), part)
    return base


@settings(max_examples=examples(60), deadline=None)
@given(before=st.sampled_from(LOYALTY), after=st.sampled_from(LOYALTY))
def test_a_patch_leads_from_any_card_to_any_other(before: tuple[str, str], after: tuple[str, str]) -> None:
    """Google merges within fields too: nothing of the card before may be left."""
    old, new = (object_of(GALLERY[design][name]) for design, name in (before, after))
    patch = state.changes(new, state.digests(old))
    assert merged(old, patch) == new
    assert set(patch) == {name for name in {*old, *new} if old.get(name) != new.get(name)}
    assert partial(patch, "LoyaltyObject") == []
    assert merged(old, state.difference(new, old)) == new
    assert (state.difference(new, old) == {}) is (old == new)


@pytest.mark.parametrize(("design", "name"), SAMPLES)
def test_a_class_that_speaks_one_language_less_keeps_no_word_of_it(design: str, name: str) -> None:
    card = GALLERY[design][name]
    both, one = class_of(card), class_of(replace(card, languages=card.languages[:1]))
    assert merged(both, state.difference(one, both, state.OURS_OF_A_CLASS)) == one


def test_nothing_changed_is_nothing_to_send_and_alerts_are_no_part_of_it() -> None:
    body = object_of(GALLERY["points"]["everywhere"])
    assert state.changes({**body, "notifyPreference": "NOTIFY_ON_UPDATE"}, state.digests(body)) == {}


def test_what_is_remembered_is_short_and_holds_nothing_of_the_member() -> None:
    body = object_of(GALLERY["points"]["everywhere"])
    known = state.Known("loyalty", body["id"], body["classId"]).sent(body, ("news-1", "2026-12-01T00:00:00Z"))
    text = known.written()
    assert len(text) < state.MAX_CHARACTERS / 4
    assert state.read(text) == known
    assert "Léa" not in text
    assert body["barcode"]["value"] not in text
    for broken in (None, "", "{", "[]", '{"v":9}', '{"v":1}', "null"):
        assert state.read(broken) is None


# --- what Google says stands there -----------------------------------------------------------------------------


def old_spelling(value: str) -> str:
    first, *rest = value.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """The body as Google's recorded answers show it: old spellings, kinds, and fields of its own."""

    def written(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {"kind": "walletobjects#part", **{key: written(key, part) for key, part in value.items()}}
        if isinstance(value, list):
            return [written(name, part) for part in value]
        return old_spelling(value) if name in ("state", "type", "messageType") else value

    found: dict[str, Any] = written("", body)
    return {**found, "hasUsers": True, "version": "3", "classReference": {"id": body["classId"]}}


@pytest.mark.parametrize(("design", "name"), SAMPLES)
def test_an_answer_in_googles_older_spelling_is_no_difference(design: str, name: str) -> None:
    body = object_of(GALLERY[design][name])
    assert state.difference(body, answered(body)) == {}
    changed = {**answered(body), "state": "completed" if body["state"] != "COMPLETED" else "active"}
    assert state.difference(body, changed) == {"state": body["state"]}


def test_what_another_card_left_there_is_taken_away() -> None:
    body = object_of(GALLERY["stamps"]["seven"])
    there = {**answered(body), "accountName": "Somebody", "homegrown": "stays"}
    del body["accountName"]
    assert state.difference(body, there) == {"accountName": None}


def test_every_older_spelling_of_the_document_is_read_as_a_present_one() -> None:
    """All but a few that no field of ours has, and whose present form is another word."""
    schemas = Discovery.load().document["schemas"]
    ours = {"state", "reviewStatus", "type", "messageType", "multipleDevicesAndHoldersAllowedStatus",
            "redemptionChannel", "animationType", "dateFormat"}  # fmt: skip
    checked = 0
    for name in ("LoyaltyObject", "LoyaltyClass", "OfferClass", "Barcode", "Message", "SecurityAnimation",
                 "FieldReference"):  # fmt: skip
        for field, about in schemas[name]["properties"].items():
            if field not in ours or "enum" not in about:
                continue
            old = [e for e, gone in zip(about["enum"], about.get("enumDeprecated", []), strict=False) if gone]
            present = set(about["enum"]) - set(old)
            for spelling in old:
                assert state.enum(spelling) in present, (name, field, spelling)
                checked += 1
            assert {state.enum(value) for value in present} == present
    assert checked > 25


@settings(max_examples=examples(50), deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12))
@example(text="")
def test_any_word_is_spelled_once(text: str) -> None:
    assert state.enum(state.enum(text)) == state.enum(text)


def test_the_judges_agree_on_what_is_broken() -> None:
    """What Google's schema refuses, our list refuses as well; the schema is the narrower of the two."""
    body = object_of(GALLERY["points"]["everywhere"])
    for name in body:
        for wrong in (True, "wrong", 7, [], {"wrong": 1}):
            broken = {**clone(body), name: wrong}
            if not google("LoyaltyObject").is_valid(broken):
                assert limits.faults(broken, "loyaltyObject", ISSUER), (name, wrong)
