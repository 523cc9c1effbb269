"""One broken card for each rule of every style, and the cards that break none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wallets.documents import BROKEN, DROP, FILES, ICONS, INTERLEAVED, KINDS, Document, broken, right
from tests.wallets.samples import TEAM, sample_card, sample_identity
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.rules import (
    MAX_PASS_BYTES,
    SENTENCES,
    Broken,
    bundle_faults,
    faults,
    said,
    size_faults,
    text_faults,
    warnings,
)
from wallet_server.wallets.designs import Designs


def found(document: Document, kind: str, **more: Any) -> list[tuple[str, str]]:
    return [(one.path, one.code) for one in faults(document, FILES[kind], **{"nfc": True, **more})]


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_card_of_each_style_has_no_fault(kind: str) -> None:
    assert found(right(kind), kind) == []


def test_the_product_s_own_card_has_no_fault(designs: Designs) -> None:
    design = designs.get("points", 1)
    document, _ = compose(sample_card(), design.alert("points"), sample_identity(), design, TEAM)
    assert faults(document, FILES["storeCard"]) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "where", "code"),
    BROKEN,
    ids=[f"{kind}:{path}={'-' if value is DROP else str(value)[:20]}" for kind, path, value, _, _ in BROKEN],
)
def test_each_rule_names_its_place_and_nothing_else(kind: str, path: str, value: object, where: str, code: str) -> None:
    assert found(broken(kind, path, value), kind) == [(where, code)]


def test_all_faults_come_at_once_even_beside_what_has_no_form() -> None:
    document = right("poster")
    document["labelColor"] = "gold"
    document["barcodes"][0] = "4006381333931"
    document["barcodes"][1]["message"] = "№"
    document["locations"] = {"latitude": 1}
    document["storeCard"]["headerFields"][0]["label"] = None
    document["storeCard"]["headerFields"][0]["key"] = "points"
    document["posterGeneric"]["backFields"] = "news"
    document["semantics"]["balance"] = "12.50"
    document["webServiceURL"] += "/"
    assert {where for where, _ in found(document, "poster")} == {
        "labelColor",
        "barcodes",
        "barcodes.1.messageEncoding",
        "barcode",
        "locations",
        "storeCard.headerFields.0.label",
        "storeCard.primaryFields.0.key",
        "posterGeneric.backFields",
        "semantics.balance",
        "webServiceURL",
    }


def test_every_fault_of_all_broken_parts_is_named_together() -> None:
    """Two thirds of the rules at once, as far as their places do not overlap."""
    document, places = right("storeCard"), {}
    for kind, path, value, where, code in BROKEN:
        top = path.partition("/")[0]
        if kind == "storeCard" and top == where == path and value is not DROP and top not in {"storeCard", *places}:
            document[path], places[path] = value, code
    del document["voided"], places["voided"]
    assert len(places) > 15
    assert dict(found(document, "storeCard")).items() >= places.items()


def test_contactless_needs_a_certificate_that_allows_it() -> None:
    assert found(right("storeCard"), "storeCard", nfc=False) == [("nfc", "nfc-not-allowed")]
    assert found(right("coupon"), "coupon", nfc=False) == []


def test_plain_http_is_for_the_sandbox() -> None:
    document = broken("storeCard", "webServiceURL", "http://127.0.0.1:8080/apple")
    assert found(document, "storeCard", sandbox=True) == []
    assert found(document, "storeCard") == [("webServiceURL", "service-plain")]


# --- files


def test_a_card_without_an_icon_is_refused() -> None:
    assert [one.path for one in faults(right("coupon"), ("strip.png",))] == ["icon.png"]


@pytest.mark.parametrize(
    "stranger",
    [".DS_Store", "notes.txt", "icon@4x.png", "../pass.json", "FR.lproj/pass.strings", "pass.strings", "photo.png",
     "manifest.json", "fr.lproj/notes.txt", "fr.lproj/"],
)  # fmt: skip
def test_unknown_files_are_refused(stranger: str) -> None:
    named = [(one.path, one.code) for one in faults(right("coupon"), (*ICONS, stranger))]
    assert named == [(stranger, "unknown-file")]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("storeCard", "thumbnail.png"), ("storeCard", "background@2x.png"), ("coupon", "footer.png"),
     ("generic", "strip.png"), ("generic", "background.png"), ("eventTicket", "artwork.png"),
     ("storeCard", "primaryLogo.png"), ("poster", "thumbnail.png"), ("poster", "footer.png")],
)  # fmt: skip
def test_each_style_has_its_pictures(kind: str, name: str) -> None:
    document = right(kind)
    document.pop("nfc", None)
    assert [(one.path, one.code) for one in faults(document, (*FILES[kind], name))] == [(name, "no-picture")]


def test_a_ticket_has_a_strip_or_a_background() -> None:
    ticket = right("eventTicket")
    assert faults(ticket, (*ICONS, "strip.png")) == []
    for other in ("background@2x.png", "fr.lproj/thumbnail.png"):
        named = [one.code for one in faults(ticket, (*ICONS, "strip@2x.png", other))]
        assert named == ["strip-or-background"]


def test_a_picture_outside_the_language_folders_hides_those_within() -> None:
    files = (*ICONS, "strip@2x.png", "fr.lproj/strip.png", "fr.lproj/logo.png")
    assert [(one.path, one.code) for one in faults(right("coupon"), files)] == [("fr.lproj/strip.png", "overridden")]


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(20)


def contents(**more: bytes) -> dict[str, bytes]:
    return {"icon.png": png(38, 38), "icon@2x.png": png(76, 76), "icon@3x.png": png(114, 114), **more}


def strings(*texts: str) -> bytes:
    return "\ufeff".encode("utf-16-le") + "".join(f'"{text}" = "{text}!";\n' for text in texts).encode("utf-16-le")


def test_languages_have_the_same_texts() -> None:
    said_in = {"fr.lproj/pass.strings": strings("a", 'say \\"b\\"'), "en.lproj/pass.strings": b'"a" = "A";\n'}
    named = faults(right("coupon"), contents() | said_in)
    assert [(one.path, one.code, one.values) for one in named] == [
        ("en.lproj/pass.strings", "strings-differ", ("1", 'say \\"b\\"'))
    ]
    said_in["en.lproj/pass.strings"] = b'/* one */ "a" = "A"; "say \\"b\\"" = "B";'
    assert faults(right("coupon"), contents() | said_in) == []
    said_in["en.lproj/pass.strings"] = b'"a" = "A"'
    assert [one.code for one in faults(right("coupon"), contents() | said_in)] == ["not-strings"]


def test_pictures_are_pictures_and_a_pass_has_a_size() -> None:
    assert [(one.path, one.code) for one in faults(right("coupon"), contents() | {"strip.png": b"GIF89a"})] == [
        ("strip.png", "not-png")
    ]
    heavy = png(375, 144) + bytes(MAX_PASS_BYTES)
    assert [one.code for one in faults(right("coupon"), contents() | {"strip.png": heavy})] == ["too-large"]
    assert [one.code for one in size_faults(MAX_PASS_BYTES + 1)] == ["too-large"]
    assert [*size_faults(MAX_PASS_BYTES)] == []


def test_a_bundle_has_at_most_ten_passes_and_150_megabytes() -> None:
    assert bundle_faults([70_000] * 10) == []
    assert [one.code for one in bundle_faults([70_000] * 11)] == ["bundle-count"]
    assert [one.code for one in bundle_faults([])] == ["bundle-count"]
    assert [one.code for one in bundle_faults([75_000_000, 75_000_001])] == ["too-large"]


# --- warnings


def test_what_phones_take_but_do_not_show_well_is_a_warning() -> None:
    document = right("coupon")
    document["maxDistance"] = 500
    document["barcodes"].append(INTERLEAVED)
    document["barcodes"].append(document["barcodes"][0])
    files = contents() | {"strip@2x.png": png(750, 240), "logo.png": png(161, 50)}
    del files["icon@2x.png"]
    assert faults(document, files) == []
    assert {(one.path, one.code) for one in warnings(document, files)} == {
        ("barcodes.3.format", "never-drawn"),
        ("icon@2x.png", "scale-missing"),
        ("strip.png", "scale-missing"),
        ("strip@3x.png", "scale-missing"),
        ("logo@2x.png", "scale-missing"),
        ("logo@3x.png", "scale-missing"),
        ("strip@2x.png", "picture-size"),
        ("logo.png", "picture-size"),
        ("maxDistance", "distance-ignored"),
    }
    assert warnings(right("eventTicket"), contents()) == []


@pytest.mark.parametrize("format_", ["QR", "PDF417", "Aztec", "Code128"])
def test_one_older_barcode_is_enough_wherever_it_stands(format_: str) -> None:
    old = {"format": f"PKBarcodeFormat{format_}", "message": "12", "messageEncoding": "utf-8"}
    for barcodes, unseen in (
        ([old, INTERLEAVED], ["barcodes.1.format"]),
        ([INTERLEAVED, old, INTERLEAVED], ["barcodes.2.format"]),
        ([INTERLEAVED, old], []),
    ):
        document = right("generic") | {"barcodes": barcodes}
        assert faults(document, contents()) == []
        assert [one.path for one in warnings(document, contents()) if one.code == "never-drawn"] == unseen


def test_a_generic_card_with_a_date_wants_a_place() -> None:
    assert [one.code for one in warnings(broken("generic", "locations", DROP), contents())] == ["date-without-place"]


@pytest.mark.parametrize("name", ["date", "relevantDate"])
def test_a_single_date_under_one_name_alone_is_a_warning(name: str) -> None:
    document = broken("eventTicket", "relevantDates", [{name: "2027-01-31T20:00:00Z"}])
    assert faults(document, contents()) == []
    assert [(one.path, one.code) for one in warnings(document, contents())] == [("relevantDates.0", "date-once")]


@pytest.mark.parametrize("colour", ["rgb(24,44,82)", "rgb(24, 44, 82)", "rgb( 24 ,44,  82 )"])
def test_a_colour_is_written_with_spaces_or_without(colour: str) -> None:
    assert faults(broken("storeCard", "backgroundColor", colour), contents(), nfc=True) == []


@pytest.mark.parametrize("told", ["text", [1, {"a": None}], 7, 0.5, True, None, {"a": ["b"]}])
def test_a_companion_app_is_told_any_json(told: object) -> None:
    assert faults(broken("storeCard", "userInfo", told), contents(), nfc=True) == []


# --- the sentences


def test_every_rule_speaks_both_languages() -> None:
    for code, sentences in SENTENCES.items():
        assert re.fullmatch("[a-z0-9-]+", code)
        for sentence in sentences:
            assert sentence.endswith((".", ").")), code
            assert sentence[0].isupper() or sentence[0] in "{'«", code
        holes = [sorted(re.findall(r"\{\d\}", sentence)) for sentence in sentences]
        assert holes[0] == holes[1], code


def test_every_code_that_the_broken_cards_meet_is_told_in_french() -> None:
    for kind, path, value, _, code in BROKEN:
        (fault,) = faults(broken(kind, path, value), FILES[kind], nfc=True)
        assert "{" not in fault.sentence
        assert said(fault, "en") == fault.sentence != said(fault, "fr")
        assert said(fault, "fr") == SENTENCES[code][1].format(*fault.values)


# --- whatever else is in the document


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.just([{}]), st.just([[]]), st.just({"key": []}),
)  # fmt: skip


@given(kind=st.sampled_from(KINDS), where=st.integers(0, 10_000), junk=JUNK)
@example(kind="storeCard", where=1, junk={"key": []})
def test_whatever_is_put_anywhere_is_judged_and_never_breaks_the_validator(kind: str, where: int, junk: object) -> None:
    document = right(kind)
    places = [path for path in leaves(document) if path and "userInfo" not in path]
    *way, last = places[where % len(places)]
    holder: Any = document
    for part in way:
        holder = holder[part]
    before, holder[last] = holder[last], junk
    named = faults(document, FILES[kind], nfc=True)
    assert all(isinstance(one, Broken) and one.path and one.sentence for one in named)
    if type(junk) is not type(before):
        numbers = {int, float, str}
        assert named or {type(junk), type(before)} <= numbers, f"{junk!r} in place of {before!r} at {way}.{last}"


@given(st.text(alphabet=st.characters(codec=None), min_size=1, max_size=4))
@example("\ud800")
@example("\u200b")
def test_only_characters_that_no_phone_shows_are_text_faults(text: str) -> None:
    bad = bool(re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", text))
    assert bool(text_faults({"a": [{"b": text}]}, [("fr", "fine")])) == bad
    assert bool(text_faults({"a": "fine"}, [("fr", text)])) == bad
