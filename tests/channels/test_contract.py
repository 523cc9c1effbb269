"""What every channel to people keeps to, over the wire: taken once, put off, refused, or nothing at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallet_server.channels.email import Email, Relay
from wallet_server.channels.port import Channel, Later, Letter, Refused, Taken
from wallet_server.channels.sms import Gateway, Sms
from wallet_server.rules.announcing.short_messages import parts
from wallet_server.rules.people import letters
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.letterboxes import Got, Letterboxes

PURPOSES = (letters.RECOVER, letters.CONTACT, letters.PROOF, letters.MERGE)


@dataclass
class Way:
    """A channel, the letterbox at its end, and somebody whom it reaches."""

    channel: Channel
    boxes: Letterboxes
    to: str
    rebuilt: Callable[..., Channel]

    def got(self) -> list[Got]:
        return [one for one in self.boxes.letters(kind=self.channel.kind) if one.to == self.to]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("letters"), datetime.now(UTC))


@pytest.fixture(scope="module")
def boxes(authority: Authority) -> Iterator[Letterboxes]:
    with Letterboxes(authority).in_thread() as boxes:
        boxes.slow_seconds = 1.5
        yield boxes


def _by_email(boxes: Letterboxes, security: str) -> Way:
    port = boxes.smtp_port if security == "starttls" else boxes.smtps_port
    relay = Relay(
        "localhost", port, security, "cards@shop.example", boxes.user, boxes.password, boxes.trust_pem.decode()
    )
    return Way(Email(relay), boxes, "claire@example.com", lambda **x: Email(replace(relay, **x), 1.0))


def _by_sms(boxes: Letterboxes) -> Way:
    gateway = Gateway(boxes.sms_url, boxes.key, "BOULANGERIE", boxes.trust_pem.decode())
    return Way(Sms(gateway), boxes, "+33612345678", lambda **x: Sms(replace(gateway, **x), 1.0))


@pytest.fixture(params=["starttls", "tls", "sms"])
def way(request: pytest.FixtureRequest, boxes: Letterboxes) -> Way:
    boxes.got.clear()
    boxes.modes = {"email": "normal", "phone": "normal"}
    return _by_sms(boxes) if request.param == "sms" else _by_email(boxes, request.param)


def _letter(to: str, id_: str = "let_1", shop: str = "Boulangerie Été", **more: str) -> Letter:
    said = {"code": "123456", "shop": shop, "minutes": "10"}
    text = letters.of_code(letters.RECOVER, "fr", said)
    short = letters.short_code(letters.RECOVER, "fr", said)
    made = Letter(id_, to, shop, text.subject, text.plain, text.html, short, "fr")
    return replace(made, **more)


def test_a_letter_is_taken_as_it_was_written(way: Way):
    letter = _letter(way.to)

    assert isinstance(way.channel.send(letter), Taken)

    (got,) = way.got()
    if way.channel.kind == "email":
        assert (got.subject, got.text.replace("\r\n", "\n"), got.html.strip()) == (
            letter.subject,
            letter.plain,
            letter.html,
        )
        assert got.sender == "Boulangerie Été <cards@shop.example>"
    else:
        assert (got.text, got.sender) == (letter.short, "BOULANGERIE")
    assert "123456" in got.text


def test_a_letter_put_off_comes_later_and_one_refused_never(way: Way):
    kind = way.channel.kind
    way.boxes.tell(kind, "later")
    put_off = way.channel.send(_letter(way.to))
    way.boxes.tell(kind, "refuse")
    refused = way.channel.send(_letter(way.to))
    way.boxes.tell(kind, "normal")
    not_anybody = way.channel.send(_letter("+3361234567890123456789" if kind == "phone" else "no at sign"))

    assert isinstance(put_off, Later)
    assert put_off.seconds > 0
    assert isinstance(refused, Refused)
    assert isinstance(not_anybody, Refused)
    assert way.got() == []


def test_whoever_does_not_let_us_in_stops_every_letter(way: Way):
    way.boxes.tell(way.channel.kind, "locked")
    told = way.channel.send(_letter(way.to))
    way.boxes.tell(way.channel.kind, "normal")
    other = way.rebuilt(**({"password": "wrong"} if way.channel.kind == "email" else {"key": "wrong"}))
    mine = other.send(_letter(way.to))

    for verdict in (told, mine):
        assert isinstance(verdict, Later)
        assert verdict.all_wait
        assert verdict.seconds >= 300
    assert way.channel.knock() is None
    if way.channel.kind == "email":
        assert other.knock() == mine.why
    assert way.boxes.password not in str(told) + str(mine)


def test_an_answer_that_is_lost_is_no_refusal_and_the_same_letter_is_known_again(way: Way):
    way.boxes.tell(way.channel.kind, "lost")
    lost = way.channel.send(_letter(way.to, "let_7"))
    way.boxes.tell(way.channel.kind, "normal")
    again = way.channel.send(_letter(way.to, "let_7"))

    assert isinstance(lost, Later)
    assert isinstance(again, Taken)
    assert len({one.reference for one in way.got()}) == 1, "whoever gets both can tell that they are one"
    assert len(way.got()) == (2 if way.channel.kind == "email" else 1)


@pytest.mark.slow
def test_one_that_is_slow_or_away_holds_nobody_up_for_long(way: Way):
    kind = way.channel.kind
    way.boxes.tell(kind, "slow")
    slow = way.rebuilt().send(_letter(way.to))
    way.boxes.tell(kind, "normal")
    away = way.rebuilt(**({"port": 1} if kind == "email" else {"url": "https://localhost:1"})).send(_letter(way.to))

    for verdict in (slow, away):
        assert isinstance(verdict, Later)
        assert verdict.all_wait


def test_a_certificate_that_nobody_vouches_for_gets_nothing(way: Way, tmp_path: Path):
    stranger = Authority.open(tmp_path, datetime.now(UTC)).root_pem.decode()

    verdict = way.rebuilt(trust_pem=stranger).send(_letter(way.to))

    assert isinstance(verdict, Later)
    assert verdict.all_wait
    assert "certificate" in verdict.why.lower()
    assert way.got() == []


def test_a_mail_server_without_starttls_gets_neither_password_nor_letter(authority: Authority):
    with Letterboxes(authority, secure=False).in_thread() as boxes:
        relay = Relay("localhost", boxes.smtp_port, "starttls", "cards@shop.example", boxes.user, boxes.password)
        refused = Email(relay).send(_letter("claire@example.com"))
        plain = Email(replace(relay, security="none", user=None)).send(_letter("claire@example.com"))

        assert isinstance(refused, Later)
        assert "STARTTLS" in refused.why
        assert isinstance(plain, Taken), "the sandbox may ask for a relay without TLS"
        assert len(boxes.got) == 1


def test_nothing_in_a_letter_becomes_a_header_or_ends_it(boxes: Letterboxes):
    way = _by_email(boxes, "starttls")
    boxes.got.clear()
    evil = "Shop\r\nBcc: victim@example.com"
    letter = _letter(way.to, shop=evil, plain="first\r\n.\r\nMAIL FROM:<x@example.com>\r\n..two dots\r\n")

    assert isinstance(way.channel.send(letter), Taken)
    assert isinstance(way.channel.send(_letter("claire@example.com\r\nBcc: victim@example.com")), Refused)

    (got,) = boxes.letters()
    assert b"\nBcc:" not in got.raw
    assert got.text.replace("\r\n", "\n") == "first\n.\nMAIL FROM:<x@example.com>\n..two dots\n"


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_short_message_is_one_part(purpose: str, language: str):
    said = {"code": "123456", "shop": "La boulangerie du vieux moulin de la place", "minutes": "10"}
    counted = parts(letters.short_code(purpose, language, said))

    assert (counted.coding, counted.parts) == ("gsm-7", 1)
