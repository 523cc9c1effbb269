"""A pass that is printed from a plate is the pass that the whole way would have made, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.wallets.gallery import GALLERY
from tests.wallets.samples import NOW, sample_card, sample_identity
from tests.wallets.test_any_card import ALERTS, cards
from wallet_server.errors import Invalid
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.passes.card import Alert, Card, Detail, Stamps
from wallet_server.rules.people import recovering
from wallet_server.wallets.apple import fields, passfile
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.passfile import Press
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import Identity

HOLDER = replace(sample_identity(), serial="3f9c1a" * 5)
SAMPLES = [(design, name) for design, found in GALLERY.items() for name in found]


def whole_way(drawings: Drawings, designs: Designs, credentials: Credentials, *wanted: object) -> bytes | Invalid:
    """By a press that has never seen such a card."""
    return made(Press(drawings), designs, credentials, *wanted)


def made(press: Press, designs: Designs, credentials: Credentials, *wanted: object) -> bytes | Invalid:
    card, alert, identity = wanted
    assert isinstance(card, Card)
    assert isinstance(identity, Identity)
    design = designs.get(card.design, card.design_version)
    try:
        return press.make(card, alert, identity, design, credentials, NOW)  # type: ignore[arg-type]
    except Invalid as refused:
        return refused


def same(one: bytes | Invalid, other: bytes | Invalid) -> bool:
    if isinstance(one, Invalid) or isinstance(other, Invalid):
        return type(one) is type(other) and getattr(one, "faults", 1) == getattr(other, "faults", 2)
    return one == other


def varied(card: Card, number: int) -> Card:
    """The same card as another member has it."""
    said = {language: f"{number} encore · {language}" for language in card.languages}
    card = replace(card, balance=replace(card.balance, value=number))
    if card.gauge is not None:
        card = replace(card, gauge=replace(card.gauge, value=number, sentence=said))
    if card.stamps is not None:
        promise = {language: f"n° {number} · {language}" for language in card.languages}
        card = replace(card, stamps=replace(card.stamps, sentence=promise))
    details = [
        one if one.link is None else replace(one, link=f"https://cards.example.com/{place}/p{number}")
        for place, one in enumerate(card.details)
    ]
    return replace(card, details=tuple(details))


def holder(number: int) -> Identity:
    """As cards are issued; every third one as they were before codes had a short form."""
    code = codes.under(codes.first("7K3QZD", f"{number % 32**4:016d}"), "1")
    old = replace(HOLDER, serial=f"{number:032x}", token=f"{number:043x}", code=f"LP1.acme.k1.1.{number:06}")
    if number % 3 == 0:
        return old
    full = codes.write(codes.with_signature(code, number.to_bytes(64, "big", signed=True)))
    return replace(old, code=full, typed=short_codes.manual(number % 2**40), digits=f"{abs(number):024d}")


def with_secret(one: Identity, which: str, secret: str) -> Identity:
    found = {"serial": one.serial, "token": one.token, "code": one.code, which: secret}
    return replace(one, serial=found["serial"], token=found["token"], code=found["code"])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    """The cards that went the whole way."""
    cards_seen: list[Card] = []
    real = fields.compose

    def noted(card: Card, *others: object) -> object:
        cards_seen.append(card)
        return real(card, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(passfile, "compose", noted)
    return cards_seen


@pytest.mark.parametrize(("design", "sample"), SAMPLES)
def test_every_golden_card_is_printed_as_it_is_made(
    designs: Designs,
    drawings: Drawings,
    credentials: Credentials,
    counted: list[Card],
    design: str,
    sample: str,
) -> None:
    card, press = GALLERY[design][sample], Press(drawings)
    code = dict.fromkeys(card.languages, "7Q2M-9XKD-44TR")
    card = replace(card, details=(*card.details, Detail(recovering.DETAIL, {"fr": "Code", "en": "Code"}, code)))
    for number in range(2, 6):
        wanted = varied(card, number), None, holder(number)
        ours = made(press, designs, credentials, *wanted)
        before = len(counted)
        assert same(ours, whole_way(drawings, designs, credentials, *wanted))
        counted[before:] = []
    # Two by themselves and the plate: whoever came later was printed. A gift's amount is told apart.
    money = card.balance.iso is not None
    assert len(counted) == (4 if money else 3) or not _plain(designs, card)


def _plain(designs: Designs, card: Card) -> bool:
    formats = set(designs.get(card.design, card.design_version).barcode_formats)
    return formats <= {"qr", "aztec", "pdf417"} and all(one.link is None or "&" not in one.link for one in card.details)


def test_progress_in_small_numbers_is_printed_too(
    designs: Designs, drawings: Drawings, credentials: Credentials, counted: list[Card]
) -> None:
    """All languages write them alike; across a thousand they do not."""
    card, press = sample_card(), Press(drawings)
    assert card.gauge is not None
    small = replace(card, gauge=replace(card.gauge, goal=300))
    for number in (0, 20, 299, 987, 1000, 1234, 7):
        wanted = varied(small, number), None, holder(number)
        ours = made(press, designs, credentials, *wanted)
        before = len(counted)
        assert same(ours, whole_way(drawings, designs, credentials, *wanted))
        counted[before:] = []
    # Two and the plate of the small numbers, two and the plate of those from a thousand on.
    assert len(counted) == 6


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(card=cards(), alert=ALERTS, others=st.lists(st.integers(-3, 10**7), min_size=1, max_size=3), plain=st.booleans())
@example(card=sample_card(), alert=Alert("points", {}), others=[1, 2, 3], plain=True)
@pytest.mark.slow
def test_whatever_the_card_it_is_the_same_pass(
    designs: Designs,
    drawings: Drawings,
    credentials: Credentials,
    card: Card,
    alert: Alert | None,
    others: list[int],
    plain: bool,
) -> None:
    press = Press(drawings)
    alike = [varied(card, number) if plain else card for number in (0, 1, *others)]
    for number, one in enumerate(alike):
        wanted = one, alert, holder(number)
        assert same(made(press, designs, credentials, *wanted), whole_way(drawings, designs, credentials, *wanted))


AWKWARD = ["", "-", '"', "\\", "%", "%@", "é\u200b", "\x01", "Argent", "Points", "Carte de fidélité", "1 / 10", "a\tb"]


@pytest.mark.parametrize("text", AWKWARD)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_value_that_is_no_plain_one_is_made_the_whole_way(
    designs: Designs, drawings: Drawings, credentials: Credentials, text: str, language: str
) -> None:
    """Texts that must be escaped or refused, and those that read like another text of the card."""
    stamps = Stamps(1, 10, 0, {"fr": "10 = un café", "en": "10 = a coffee"}, {"fr": "Encore 9", "en": "9 to go"})
    card, press = replace(sample_card(), stamps=stamps), Press(drawings)
    message = Alert("points", {})
    assert card.gauge is not None
    for design in ("points", "stamps"):
        plain = replace(card, design=design)
        for number in range(3):
            made(press, designs, credentials, varied(plain, number), message, holder(number))
        for sentence in ({"fr": "Encore", "en": "More", language: text}, {"fr": text, "en": text}):
            odd = replace(card.gauge, sentence=sentence), replace(stamps, sentence=sentence)
            for one in (replace(varied(plain, 4), gauge=odd[0]), replace(varied(plain, 4), stamps=odd[1])):
                wanted = one, message, holder(9)
                ours = made(press, designs, credentials, *wanted)
                assert same(ours, whole_way(drawings, designs, credentials, *wanted))


def test_two_links_that_read_alike_share_a_line(designs: Designs, drawings: Drawings, credentials: Credentials) -> None:
    """Apart they are two texts, on one address they are one."""
    said = {"fr": "Ouvrir", "en": "Open"}
    press = Press(drawings)
    for number in range(5):
        links = f"https://cards.example.com/{number}", f"https://cards.example.com/{number if number > 2 else 9}"
        details = tuple(Detail(str(place), said, said, link) for place, link in enumerate(links))
        wanted = replace(sample_card(), details=details), None, holder(number)
        ours = made(press, designs, credentials, *wanted)
        assert same(ours, whole_way(drawings, designs, credentials, *wanted))


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://", 'https://x.example/"', "https://x.example/<", "https://x.example/?a&b"]
)
def test_a_link_that_is_no_plain_one_is_judged_by_the_rules(
    designs: Designs, drawings: Drawings, credentials: Credentials, link: str
) -> None:
    press, card = Press(drawings), sample_card()
    for number in range(3):
        press.make(varied(card, number), None, holder(number), designs.newest("points"), credentials, NOW)
    card = varied(card, 4)
    details = tuple(one if one.link is None else replace(one, link=link) for one in card.details)
    wanted = replace(card, details=details), None, holder(4)
    ours = made(press, designs, credentials, *wanted)
    assert same(ours, whole_way(drawings, designs, credentials, *wanted))


@pytest.mark.parametrize("secret", ["short", "t" * 15, "space in a token 123456", "ünicode-token-1234567", "x" * 65])
@pytest.mark.parametrize("which", ["serial", "token", "code"])
def test_secrets_of_another_form_are_judged_by_the_rules(
    designs: Designs, drawings: Drawings, credentials: Credentials, secret: str, which: str
) -> None:
    press, card = Press(drawings), sample_card()
    for number in range(3):
        press.make(varied(card, number), None, holder(number), designs.newest("points"), credentials, NOW)
    wanted = varied(card, 4), None, with_secret(holder(4), which, secret)
    ours = made(press, designs, credentials, *wanted)
    assert same(ours, whole_way(drawings, designs, credentials, *wanted))
