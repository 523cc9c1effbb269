"""A signed pass, opened and verified with openssl: its hashes, its document, its languages, its one alert."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.wallets.opened import open_pass, verify
from tests.wallets.samples import NOW
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.rules.passes.card import Alert, Card, Detail, Facet, News, Tier
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.rules.pictures import MAX_PASS_BYTES
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import (
    Audience,
    Handle,
    Identity,
    Message,
    NotOffered,
    Refused,
    Report,
    Shown,
    Stale,
    Template,
    TemplateReport,
)


def test_openssl_accepts_the_signature_up_to_the_root(
    wallet: AppleWallet, card: Card, identity: Identity, chain_file: Path, tmp_path: Path
) -> None:
    issued = wallet.issue(card, None, identity, NOW)
    assert issued.media_type == "application/vnd.apple.pkpass"
    verify(open_pass(issued.body), chain_file, tmp_path, int(NOW.timestamp()))


def test_openssl_refuses_the_signature_over_another_manifest(
    wallet: AppleWallet, card: Card, identity: Identity, chain_file: Path, tmp_path: Path
) -> None:
    opened = open_pass(wallet.issue(card, None, identity, NOW).body)
    opened.files["manifest.json"] += b" "
    with pytest.raises(AssertionError, match=r"(?i)verif|digest"):
        verify(opened, chain_file, tmp_path, int(NOW.timestamp()))


def test_the_signature_says_when_in_both_notations(
    designs: Designs, drawings: Drawings, credentials: Credentials, card: Card, identity: Identity
) -> None:
    later = replace(credentials, not_after=datetime(2060, 1, 1, tzinfo=UTC))
    wallet = AppleWallet(designs, drawings, lambda _: later, Bell())
    for at, written in ((NOW, b"\x17\x0d261122093015Z"), (NOW.replace(year=2051), b"\x18\x0f20511122093015Z")):
        assert open_pass(wallet.issue(card, None, identity, at).body).files["signature"].count(written) == 1


def test_equal_input_gives_equal_bytes(
    wallet: AppleWallet, designs: Designs, credentials: Credentials, card: Card, identity: Identity
) -> None:
    afresh = AppleWallet(designs, Drawings(), lambda _: credentials, Bell())
    assert wallet.issue(card, None, identity, NOW).body == afresh.issue(card, None, identity, NOW).body
    assert wallet.issue(card, None, identity, NOW).body != wallet.issue(card, None, identity, NOW + _SECOND).body


def test_a_pass_that_is_too_large_is_given_to_nobody(
    designs: Designs, drawings: Drawings, credentials: Credentials, card: Card, identity: Identity
) -> None:
    points = designs.get(card.design, card.design_version)
    icon = points.images["icon@3x.png"] + bytes(MAX_PASS_BYTES)
    heavy = replace(points, images={**points.images, "icon@3x.png": icon})
    wallet = AppleWallet(Designs({(heavy.name, heavy.version): heavy}), drawings, lambda _: credentials, Bell())
    with pytest.raises(Invalid, match="KB"):
        wallet.issue(card, None, identity, NOW)


_SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("facet", ["points", "tier", "news"])
def test_only_the_alerting_facet_has_a_change_message(
    wallet: AppleWallet, card: Card, identity: Identity, designs: Designs, facet: Facet
) -> None:
    opened = open_pass(wallet.issue(card, designs.get("points", 1).alert(facet), identity, NOW).body)
    alerting = {key for key, field in opened.fields().items() if "changeMessage" in field}
    assert alerting == {facet}
    english = opened.said(opened.fields()[facet]["changeMessage"], "en")
    assert english == {"points": "You now have %@ points", "tier": "You reached %@", "news": "%@"}[facet]


def test_without_an_alert_nothing_has_a_change_message(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    opened = open_pass(wallet.issue(card, None, identity, NOW).body)
    assert not any("changeMessage" in field for field in opened.fields().values())


def test_an_alert_of_a_facet_that_the_card_lacks_is_silent(
    wallet: AppleWallet, card: Card, identity: Identity, designs: Designs
) -> None:
    without = replace(card, tier=None)
    opened = open_pass(wallet.issue(without, designs.get("points", 1).alert("tier"), identity, NOW).body)
    assert "tier" not in opened.fields()
    assert not any("changeMessage" in field for field in opened.fields().values())


def test_a_new_text_is_a_new_value_in_the_document_itself(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    """Phones compare the raw values of pass.json: a constant key translated elsewhere would never alert."""
    other = replace(card, news=News(card.news.label, {"fr": "Portes ouvertes", "en": "Open day"}))  # type: ignore[union-attr]
    values = [open_pass(wallet.issue(c, None, identity, NOW).body).fields()["news"]["value"] for c in (card, other)]
    assert values[1] == "Portes ouvertes" != values[0]


def test_the_first_news_change_a_field_that_was_there_before(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    opened = open_pass(wallet.issue(replace(card, news=None), None, identity, NOW).body)
    assert opened.said(opened.fields()["news"]["value"], "en") == "Nothing new for now."


def test_texts_that_read_alike_in_one_language_keep_their_own_translations(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    tier = Tier("a", {"fr": "Or", "en": "Status"}, {"fr": "Or", "en": "Gold"})
    details = (
        Detail("a", {"fr": "Or", "en": "Or"}, {"fr": "Or", "en": "Now"}),
        Detail("b", {"fr": "", "en": "Only English"}, {"fr": "Seul le français"}),
    )
    opened = open_pass(wallet.issue(replace(card, tier=tier, details=details), None, identity, NOW).body)
    fields = opened.fields()
    said = {
        language: [opened.said(fields[key][part], language) for key in ("tier", "detail.a") for part in _PARTS]
        for language in ("fr", "en")
    }
    assert said == {"fr": ["Or", "Or", "Or", "Or"], "en": ["Status", "Gold", "Or", "Now"]}
    assert fields["tier"]["value"] == "Or"
    assert opened.said(fields["detail.b"]["label"], "fr") == "Only English"
    assert opened.said(fields["detail.b"]["value"], "en") == "Seul le français"


_PARTS = ("label", "value")


def test_languages_have_the_same_keys_and_every_text_its_own_words(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    opened = open_pass(wallet.issue(card, None, identity, NOW).body)
    french, english = opened.strings("fr"), opened.strings("en")
    assert french.keys() == english.keys()
    fields, document = opened.fields(), opened.document
    for language, there in (("fr", french), ("en", english)):
        assert there[document["description"]] == card.description[language]
        assert there[document["locations"][0]["relevantText"]] == card.places[0].text[language]
        assert there[fields["gauge"]["value"]] == card.gauge.sentence[language]  # type: ignore[union-attr]
        assert there[fields["detail.terms"]["value"]] == card.details[0].text[language]
    assert opened.said(fields["progress"]["value"], "en") == "1,234 / 2,000"
    assert opened.said(fields["progress"]["value"], "fr") == "1\u202f234 / 2\u202f000"


def test_a_card_of_one_language_has_no_strings_files(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    opened = open_pass(wallet.issue(replace(card, languages=("en",)), None, identity, NOW).body)
    assert not [name for name in opened.files if ".lproj" in name]
    assert opened.fields()["gauge"]["value"] == "766 points to Gold"


def test_a_link_is_escaped_and_has_a_plain_twin(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    field = (opened := open_pass(wallet.issue(card, None, identity, NOW).body)).fields()["detail.stop"]
    link = '<a href="https://cards.example.com/stop?m=1&amp;k=abc">Stop messages &lt;here&gt;</a>'
    assert opened.said(field["attributedValue"], "en") == link
    assert opened.said(field["value"], "en") == "Stop messages <here>"
    assert field["dataDetectorTypes"] == []


def test_a_voided_card_names_no_service_and_no_place(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    document = open_pass(wallet.issue(replace(card, voided=True), None, identity, NOW).body).document
    assert document["voided"] is True
    assert not document.keys() & {"webServiceURL", "authenticationToken", "locations", "maxDistance"}


def test_the_address_of_the_service_has_no_slash_at_its_end(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    document = open_pass(wallet.issue(card, None, identity, NOW).body).document
    assert document["webServiceURL"] == "https://cards.example.com/apple"
    alone = replace(identity, web_service_url=None)
    document = open_pass(wallet.issue(card, None, alone, NOW).body).document
    assert not document.keys() & {"webServiceURL", "authenticationToken"}


def test_a_code_beyond_latin_is_utf8(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    document = open_pass(wallet.issue(card, None, replace(identity, code="№42"), NOW).body).document
    assert [one["messageEncoding"] for one in document["barcodes"]] == ["utf-8"]
    assert [one["altText"] for one in document["barcodes"]] == ["№42"]


def test_the_strip_has_its_size_at_each_scale(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    opened = open_pass(wallet.issue(card, None, identity, NOW).body)
    sizes = [struct.unpack(">II", opened.files[f"strip{s}.png"][16:24]) for s in ("", "@2x", "@3x")]
    assert sizes == [(375, 144), (750, 288), (1125, 432)]


def test_nothing_invalid_is_signed_and_all_faults_come_at_once(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    wrong = replace(card, places=card.places * 6, palette=replace(card.palette, label="gold"), organisation=" ")
    with pytest.raises(Invalid) as caught:
        wallet.issue(wrong, None, replace(identity, token="short"), NOW)
    paths = {fault.path for fault in caught.value.faults}
    assert paths == {"locations", "labelColor", "organizationName", "authenticationToken"}


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b", "\x07", "\uffff", "\x7f", "\x0c"])
def test_a_character_that_cannot_be_shown_is_named(
    wallet: AppleWallet, card: Card, identity: Identity, bad: str
) -> None:
    detail = Detail("d", {"fr": "Bien", "en": "Fine"}, {"fr": "Bien", "en": f"Not {bad}"})
    with pytest.raises(Invalid) as caught:
        wallet.issue(replace(card, details=(detail,)), None, identity, NOW)
    assert [fault.path for fault in caught.value.faults] == ["en.lproj/pass.strings"]
    with pytest.raises(Invalid) as caught:
        wallet.issue(replace(card, languages=("en", "fr"), details=(detail,)), None, identity, NOW)
    assert "storeCard.backFields.1.value" in {fault.path for fault in caught.value.faults}


def test_credentials_of_another_pass_type_or_out_of_date_sign_nothing(
    wallet: AppleWallet, card: Card, identity: Identity, credentials: Credentials
) -> None:
    with pytest.raises(Misconfigured, match=r"pass\.com\.example\.other"):
        wallet.issue(card, None, replace(identity, pass_type="pass.com.example.other"), NOW)
    with pytest.raises(Misconfigured, match="expired"):
        wallet.issue(card, None, identity, credentials.not_after + _SECOND)


def test_the_plain_service_of_the_sandbox_is_for_the_sandbox(
    wallet: AppleWallet, designs: Designs, drawings: Drawings, credentials: Credentials, card: Card, identity: Identity
) -> None:
    plain = replace(identity, web_service_url="http://127.0.0.1:5000/apple")
    with pytest.raises(Invalid, match="https"):
        wallet.issue(card, None, plain, NOW)
    sandbox = AppleWallet(designs, drawings, lambda _: credentials, Bell(), sandbox=True)
    document = open_pass(sandbox.issue(card, None, plain, NOW).body).document
    assert document["webServiceURL"] == "http://127.0.0.1:5000/apple"


def test_what_apple_does_not_offer_and_cards_that_nobody_holds(
    wallet: AppleWallet, card: Card, identity: Identity
) -> None:
    assert wallet.publish(Template(1, "programme", "Café", card), NOW) == TemplateReport(NotOffered())
    message = Message("news_1", {"en": "Hello"}, {"en": "Come by"}, NOW, notify=True)
    assert wallet.tell(Audience(1, "programme"), message) == NotOffered()
    nobody = Stale(7, 1, identity.pass_type, (), "state")
    other = Stale(8, 1, "pass.com.example.other", (Handle(1, "apns", "ab" * 32, NOW),))
    reports = {report.ref: report for report in wallet.refresh((nobody, other), NOW)}
    assert reports[7] == Report(7, Shown(), "state")
    assert isinstance(reports[8].verdict, Refused)
    assert wallet.retire(nobody, NOW) == wallet.erase(nobody, NOW) == Report(7, Shown(), "state")


def test_the_design_speaks_where_the_alert_has_no_words(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    opened = open_pass(wallet.issue(card, Alert("points", {}), identity, NOW).body)
    assert opened.fields()["points"]["changeMessage"] == "Vous avez maintenant %@ points"


def test_a_single_one_is_not_called_as_several_are(wallet: AppleWallet, card: Card, identity: Identity) -> None:
    def told(value: int, unit: str = "Bulles") -> str:
        balance = replace(card.balance, value=value, label={"fr": unit, "en": "Bubbles"})
        opened = open_pass(wallet.issue(replace(card, balance=balance), Alert("points", {}), identity, NOW).body)
        (text,) = {one["changeMessage"] for one in opened.fields().values() if "changeMessage" in one}
        return opened.files["fr.lproj/pass.strings"].decode("utf-16").partition(f'"{text}" = "')[2].partition('"')[0]

    assert told(2) == "Vous avez maintenant %@ bulles"
    assert told(1) == "Vous avez maintenant %@"
    for unit in ("% de remise", "Points %d", "%@"):
        assert told(2, unit) == "Vous avez maintenant %@", "a phone could take it for the place of another value"
