import pytest

from wallet_server.errors import Invalid
from wallet_server.rules.announcing import short_messages
from wallet_server.rules.people import contacts
from wallet_server.rules.people.card_file import lines, open_file


@pytest.mark.parametrize("typed", [" Claire@Example.COM", "claire@example.com"])
def test_an_address_has_one_form(typed: str):
    assert contacts.typed(typed, "FR") == contacts.Address("email", "claire@example.com")


@pytest.mark.parametrize("typed", ["06 12 34 56 78", "+33 6.12.34.56.78", "0033612345678"])
def test_a_number_has_one_form_and_is_of_its_country(typed: str):
    assert contacts.typed(typed, "FR") == contacts.Address("phone", "+33612345678")
    assert contacts.phone("07911 123456", "GB").value == "+447911123456"


@pytest.mark.parametrize(
    "typed",
    [
        *("a@b", "@example.com", "a@example.com\r\nBcc: b@c.de", "a b@c.de", "a@-x.de", "a@1.2", "x" * 65 + "@a.de"),
        *("0612", "+33 1", "12345678901234567890", "", "claire"),
    ],
)
def test_what_is_no_address_is_refused(typed: str):
    with pytest.raises(Invalid) as refused:
        contacts.typed(typed, "FR")
    assert refused.value.code == "bad-address"


def test_an_address_is_shown_to_its_owner_alone():
    assert contacts.masked(contacts.Address("email", "claire@example.com")) == "c•••@example.com"
    assert contacts.masked(contacts.Address("phone", "+33612345678")) == "+33 ••• 78"


@pytest.mark.parametrize(
    ("kind", "to", "said", "kept"),
    [
        ("email", "claire@example.com", "550 5.1.1 <Claire@Example.com>: no mailbox", "550 5.1.1 <…>: no mailbox"),
        ("email", "claire@example.com", "550 claire is unknown, ask clairette@b.fr", "550 … is unknown, ask …"),
        ("email", "a@example.com", "250 2.0.0 Ok: queued as a4F", "250 2.0.0 Ok: queued as a4F"),
        ("phone", "+33612345678", "400: 06 12 34 56 78 is no mobile (error 1205)", "400: … is no mobile (error 1205)"),
        ("phone", "+33612345678", '{"id": "33612345678-1"}', '{"id": "…"}'),
        ("phone", "+33612345678", "429 100000 messages a day", "429 100000 messages a day"),
    ],
)
def test_what_a_server_says_is_kept_without_the_address(kind: str, to: str, said: str, kept: str):
    assert contacts.hushed(said, contacts.Address(kind, to)) == kept


@pytest.mark.parametrize(
    ("text", "coding", "units", "parts"),
    [
        ("a" * 160, "gsm-7", 160, 1),
        ("a" * 161, "gsm-7", 161, 2),
        ("€" * 80, "gsm-7", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "gsm-7", 306, 3),  # the sign of two septets is not cut in two
        ("ê" * 70, "ucs-2", 70, 1),
        ("ê" * 71, "ucs-2", 71, 2),
        ("🙂" * 35, "ucs-2", 70, 1),
        ("🙂" * 67, "ucs-2", 134, 3),
        ("à bientôt", "ucs-2", 9, 1),
        ("à demain, é è ù", "gsm-7", 15, 1),
    ],
)
def test_the_parts_of_a_short_message(text: str, coding: str, units: int, parts: int):
    assert short_messages.parts(text) == short_messages.Parts(coding, units, parts)


@pytest.mark.parametrize(
    ("cell", "points"),
    [
        ("1 250", 1250),
        ("1.250", 1250),
        ("1,250", 1250),
        ("12,00", 12),
        ("7", 7),
        ("", 0),
        ("1'250'000", 1250000),
        ("1,5", None),
        ("-3", None),
        ("1.250,00", None),
        ("abc", None),
    ],
)
def test_points_are_whole_or_said_not_to_be(cell: str, points: int | None):
    text, columns = open_file(f"card;points\n7777;{cell}\n".encode())
    (line,) = lines(text, columns, "FR")
    assert (line.points if line.why is None else None) == points


def test_every_line_of_a_file_is_somewhere():
    body = 'Carte;Nom\n"1 2-3/4";A\n;B\nX\n\n1234;C\n"never closed;D\n'.encode("cp1252")
    text, columns = open_file(body)
    found = [(one.line, one.number, one.why) for one in lines(text, columns, "FR")]
    assert found[:4] == [(2, "1234", None), (3, None, "no-number"), (4, None, "bad-number"), (6, "1234", "twice")]
    assert len(found) == 5
