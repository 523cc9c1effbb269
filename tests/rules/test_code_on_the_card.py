"""The code on the card: what was written is read, and what is wrong is noticed."""

from __future__ import annotations

import dataclasses
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid
from wallet_server.rules.counter import codes
from wallet_server.rules.counter.codes import (
    MAX_TEXT,
    Code,
    lookup_key,
    mark_from_random,
    read,
    reference_from_random,
    same_issuer,
    write,
)

BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
QR = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
CARD = Code("1", "7K3QZD", "0", "4MJ8K2V9QH0TXW3E", 1, "")
SIGNED = Code("1", "7K3QZD", "A7", "4MJ8K2V9QH0TXW3E", 12, "ZX0918")
PRINTED = "L1.7K3QZD.0.4MJ8K2V9QH0TXW3E.1..19K2"
"""Printed on a card once, and so read for ever."""

unsigned = st.builds(
    Code,
    version=st.just("1"),
    issuer=st.text(BASE32, min_size=6, max_size=6),
    key_id=st.just("0"),
    reference=st.text(BASE32, min_size=16, max_size=16),
    issue=st.integers(1, 999_999_999),
    signature=st.just(""),
)
signed = st.builds(
    dataclasses.replace,
    unsigned,
    key_id=st.text(BASE32, min_size=1, max_size=2).filter(lambda key: key != "0"),
    signature=st.text(BASE32, min_size=1, max_size=103),
)
anything = unsigned | signed


def refused(text: str) -> bool:
    try:
        read(text)
    except Invalid as refusal:
        return refusal.code == "unreadable-code" and bool(refusal.sentence)
    return False


def heard(text: str) -> str:
    """What the reader makes of letters that people take for digits: O for 0, I and L for 1."""
    return text.translate(str.maketrans("OIL", "011"))


def test_a_printed_code_is_read_for_ever() -> None:
    assert read(PRINTED) == CARD
    assert write(CARD) == PRINTED


@settings(max_examples=examples(40))
@given(code=anything)
def test_what_is_written_is_read_and_fits_a_small_symbol(code: Code) -> None:
    text = write(code)
    assert read(text) == code
    assert set(text) <= set(QR) - {" "}
    assert len(text) <= MAX_TEXT
    assert text.startswith("L1.")


@settings(max_examples=examples(30))
@given(code=anything, data=st.data())
def test_lower_case_blanks_and_confused_letters_are_forgiven(code: Code, data: st.DataObject) -> None:
    alike = {"0": "0Oo", "1": "1IiLl"}
    alike["L"] = alike["1"]
    typed = []
    for character in write(code):
        typed.append(data.draw(st.sampled_from(alike.get(character, character + character.lower()))))
        typed.append(data.draw(st.sampled_from(["", "", "", " ", "\n", "\t"])))
    text = "".join(typed)
    assume(len(text) <= MAX_TEXT)
    assert read(text) == code


@pytest.mark.parametrize("code", [CARD, SIGNED])
def test_every_single_wrong_character_is_noticed(code: Code) -> None:
    text = write(code)
    for place in range(len(text)):
        for wrong in QR:
            changed = text[:place] + wrong + text[place + 1 :]
            if heard(changed) != heard(text) and not (wrong == " " and len(changed.replace(" ", "")) == len(text)):
                assert refused(changed), changed


@pytest.mark.parametrize("code", [CARD, SIGNED])
def test_every_swap_of_neighbours_is_noticed(code: Code) -> None:
    text = write(code)
    for place in range(len(text) - 1):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if heard(swapped) != heard(text):
            assert refused(swapped), swapped


@settings(max_examples=examples(40))
@given(code=anything, data=st.data())
@example(code=CARD, data=None)
def test_any_two_wrong_characters_are_noticed(code: Code, data: st.DataObject | None) -> None:
    text = write(code)
    if data is None:
        places = [(a, b) for a in range(3, len(text)) for b in range(a + 1, len(text))]
        pairs = [(a, b, "7", "Z") for a, b in places]
    else:
        a, b = sorted(data.draw(st.lists(st.integers(1, len(text) - 1), min_size=2, max_size=2, unique=True)))
        pairs = [(a, b, data.draw(st.sampled_from(BASE32)), data.draw(st.sampled_from(BASE32)))]
    for a, b, one, other in pairs:
        changed = text[:a] + one + text[a + 1 : b] + other + text[b + 1 :]
        if heard(changed) != heard(text):
            assert refused(changed), changed


def test_the_arithmetic_behind_the_check() -> None:
    """A prime modulus, and a base whose powers are no quotient of two differences of characters: together they prove
    that one or two wrong characters and swapped neighbours are noticed in every code, not in those tried only."""
    prime, base = codes._CHECK_PRIME, codes._CHECK_BASE
    assert all(prime % divisor for divisor in range(2, int(prime**0.5) + 1))
    assert len(QR) < prime <= 32**4
    assert base % prime > 1
    quotients = {a * pow(b, -1, prime) % prime for a in range(1, len(QR)) for b in range(1, len(QR))}
    power = 1
    for _ in range(MAX_TEXT):
        power = power * base % prime
        assert power not in quotients
        assert prime - power not in quotients


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "L1", "11.", "L1.", "L", ".", "4006381333931", "https://example.com/L1.7K3QZD", PRINTED[:28],
        PRINTED[:-1], PRINTED + "0", PRINTED + ".", PRINTED.replace(".1..", ".0.."), PRINTED.replace(".1..", ".01.."),
        PRINTED.replace("K", "\u212a"), PRINTED.replace(".1..", ".١.."), PRINTED.replace(".1..", ".ı.."),
        "L0" + PRINTED[2:], "L01" + PRINTED[2:],
        PRINTED + " " * MAX_TEXT, "L1." + "7" * 10_000, "\x00", PRINTED.replace("7K3QZD", "7K3QUD"),
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused(text: str) -> None:
    assert refused(text)


@given(text=st.text(max_size=250) | st.text(QR, max_size=80).map(lambda rest: "L1." + rest))
def test_junk_is_refused_and_never_raises_anything_else(text: str) -> None:
    assert refused(text)


def test_a_code_from_the_future_is_told_apart() -> None:
    with pytest.raises(Invalid, match="newer format"):
        read("L2.WHAT:EVER")
    with pytest.raises(Invalid, match="not the code of a loyalty card"):
        read("4006381333932")
    with pytest.raises(Invalid, match="A character of the code is wrong"):
        read(PRINTED.replace("7K3", "8K3"))


def test_a_signature_needs_a_key_and_a_key_a_signature() -> None:
    for wrong in (dataclasses.replace(CARD, signature="ABC"), dataclasses.replace(SIGNED, signature="")):
        with pytest.raises(ValueError, match="format 1"):
            write(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "2"}, {"issuer": "7K3QZ"}, {"issuer": "7k3qzd"}, {"key_id": "0AB"}, {"reference": "4MJ8"},
        {"issue": 0}, {"issue": 1_000_000_000}, {"issuer": "7K3QZD\n"},
    ],
)  # fmt: skip
def test_no_code_is_written_that_could_not_be_read(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="format 1"):
        write(dataclasses.replace(CARD, **wrong))  # type: ignore[arg-type]


def test_the_longest_code_is_within_what_is_read() -> None:
    longest = dataclasses.replace(SIGNED, issue=999_999_999, signature="Z" * 150)
    assert len(write(longest)) <= MAX_TEXT
    assert read(write(longest)) == longest
    with pytest.raises(ValueError, match="format 1"):
        write(dataclasses.replace(longest, signature="Z" * 151))


def test_the_row_is_found_by_issuer_reference_and_issue_alone() -> None:
    later = dataclasses.replace(CARD, key_id="A7", signature="ZX0918")
    assert lookup_key(later) == lookup_key(CARD)
    for other in ({"issuer": "7K3QZE"}, {"reference": "4MJ8K2V9QH0TXW3F"}, {"issue": 2}):
        assert lookup_key(dataclasses.replace(CARD, **other)) != lookup_key(CARD)


def test_a_stranger_is_known_by_the_mark() -> None:
    assert same_issuer(CARD, "7K3QZD")
    assert same_issuer(CARD, "7k3qzd")
    assert not same_issuer(CARD, "7K3QZE")


def test_marks_and_references_use_all_their_bits() -> None:
    assert mark_from_random(b"\x00" * 4) == "000000"
    assert mark_from_random(b"\xff" * 4) == "ZZZZZZ"
    assert mark_from_random(b"\x80\x00\x00\x04") == "G00001"
    assert reference_from_random(b"\x00" * 10) == "0" * 16
    assert reference_from_random(b"\xff" * 10) == "Z" * 16
    for length in (9, 11):
        with pytest.raises(ValueError, match="10"):
            reference_from_random(b"\x00" * length)
    with pytest.raises(ValueError, match="4"):
        mark_from_random(b"\x00" * 3)


@given(one=st.binary(min_size=10, max_size=10), other=st.binary(min_size=10, max_size=10))
def test_different_bits_give_different_references(one: bytes, other: bytes) -> None:
    assert (reference_from_random(one) == reference_from_random(other)) == (one == other)
    assert re.fullmatch(f"[{BASE32}]{{16}}", reference_from_random(one))
    assert read(write(dataclasses.replace(CARD, reference=reference_from_random(one)))).issue == 1


@pytest.mark.parametrize("barcode", ["3017620422003", "96385074", "036000291452", "10012345678902", "301762 0422003"])
def test_the_barcode_of_a_product_is_told_from_a_damaged_code(barcode: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(barcode)
    assert refusal.value.code == "unreadable-code"
    assert "barcode of a product" in refusal.value.sentence


@pytest.mark.parametrize("text", ["3017620422004", "123456", "1234567", "L1", "½½½½½½½½"])
def test_what_has_no_check_digit_of_a_product_is_not_called_one(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(text)
    assert "barcode of a product" not in refusal.value.sentence


# The secret key of RFC 8032, 7.1, test 1, and what it signs here: whoever verifies codes elsewhere may compare.
PRIVATE = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
WRITTEN = (
    "L1.7K3QZD.1.4MJ8K2V9QH0TXW3E.1."
    "2MX0G167P5EC8SJ9G23JRKRWAHJKKPP6SJF2FZN0BAEQJC5AVF3ZZP0ED58ZQH3CCNF0FX05ATKANAB8Y20B4EV3CC"
    "NB901Y8CK7JGB.88XA"
)
"""Printed on a card once, under a key: its signature is read, and verified, for ever."""


def sign(code: Code, key: str = "1") -> Code:
    plain = codes.under(code, key)
    return codes.with_signature(plain, PRIVATE.sign(codes.signed_bytes(plain)))


def test_a_signed_code_is_verified_with_the_public_key_alone_for_ever() -> None:
    code = read(WRITTEN)
    assert code == sign(CARD)
    assert codes.verify(code, PUBLIC)
    assert len(WRITTEN) == 139, "version 6 of QR codes at level M holds 154 characters"
    assert codes.signed_bytes(code) == b"L1.7K3QZD.1.4MJ8K2V9QH0TXW3E.1"


@settings(max_examples=examples(25))
@given(code=unsigned, key=st.integers(1, 1023), data=st.data())
def test_whatever_is_changed_in_a_signed_code_is_noticed(code: Code, key: int, data: st.DataObject) -> None:
    signed_code = sign(code, codes.key_id(key))
    assert codes.verify(read(write(signed_code)), PUBLIC)
    other = data.draw(st.sampled_from(["issuer", "key_id", "reference", "issue", "signature"]))
    changed: dict[str, str | int] = {
        "issuer": "000000" if code.issuer != "000000" else "000001",
        "key_id": "Z" if signed_code.key_id != "Z" else "Y",
        "reference": "0" * 16 if code.reference != "0" * 16 else "1" * 16,
        "issue": code.issue % 999_999_999 + 1,
        "signature": "0" + ("0" if signed_code.signature[1] != "0" else "1") + signed_code.signature[2:],
    }
    assert not codes.verify(dataclasses.replace(signed_code, **{other: changed[other]}), PUBLIC)  # type: ignore[arg-type]


def test_no_signature_and_one_of_another_length_are_nobodys() -> None:
    assert not codes.verify(CARD, PUBLIC)
    for wrong in (SIGNED, dataclasses.replace(sign(CARD), signature="Z" * 103)):
        assert not codes.verify(wrong, PUBLIC)
    for bad in (bytes(63), bytes(65)):
        with pytest.raises(ValueError, match="64 bytes"):
            codes.with_signature(codes.under(CARD, "1"), bad)
    with pytest.raises(ValueError, match="names its key"):
        codes.with_signature(CARD, bytes(64))


def test_an_account_has_names_for_1023_keys_and_none_is_that_of_no_key() -> None:
    names = [codes.key_id(number) for number in range(1, 1024)]
    assert len(set(names)) == 1023
    assert codes.UNSIGNED not in names
    for number in (0, 1024):
        with pytest.raises(ValueError, match="1023"):
            codes.key_id(number)


def test_what_names_a_request_is_the_same_whichever_issue_was_scanned() -> None:
    later = sign(dataclasses.replace(CARD, issue=7))
    assert codes.stem(write(later)) == codes.stem(PRINTED.lower()) == PRINTED
    assert codes.stem(" abc ") == "ABC"
