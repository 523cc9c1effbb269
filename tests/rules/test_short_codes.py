"""The short ways to write a code: what was written is read, and every slip of a hand is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import WalletError
from wallet_server.rules.counter import codes, scans, short_codes
from wallet_server.rules.counter.codes import BASE32, Code
from wallet_server.rules.counter.short_codes import Short

MARK = "7K3QZD"
FULL = codes.write(codes.first(MARK, "4MJ8K2V9QH0TXW3E"))
numbers = st.integers(0, 2**40 - 1)
marks = st.text(BASE32, min_size=6, max_size=6)


def refusal(text: str, mark: str = MARK, *, live: bool = True) -> str:
    with pytest.raises(WalletError) as refused:
        scans.read(text, mark, live=live)
    return refused.value.code


@settings(max_examples=examples(50))
@given(mark=marks, number=numbers)
def test_what_is_written_is_read(mark: str, number: int) -> None:
    digits = short_codes.digits(Short(mark, number))
    assert len(digits) == 24
    assert digits[0] in "01", "other first digits are for later forms"
    assert short_codes.read_digits(f" {digits[:4]} {digits[4:]}\n") == Short(mark, number)
    typed = short_codes.manual(number)
    assert len(typed) == 12
    alike = typed.lower().replace("0", "o").replace("1", "l").replace("-", " ")
    assert short_codes.read_manual(typed) == short_codes.read_manual(alike) == number


@settings(max_examples=examples(25))
@given(mark=marks, number=numbers)
def test_every_single_wrong_digit_and_every_swap_of_neighbours_is_noticed(mark: str, number: int) -> None:
    text = short_codes.digits(Short(mark, number))
    for place in range(len(text)):
        for wrong in "0123456789":
            if wrong != text[place]:
                assert short_codes.read_digits(text[:place] + wrong + text[place + 1 :]) is None
        swapped = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        assert swapped == text or short_codes.read_digits(swapped) is None


@settings(max_examples=examples(25))
@given(number=numbers)
def test_every_single_wrong_character_and_every_swap_of_neighbours_is_noticed(number: int) -> None:
    text = short_codes.manual(number).replace("-", "")
    for place in range(len(text)):
        for wrong in BASE32:
            if wrong != text[place]:
                assert short_codes.read_manual(text[:place] + wrong + text[place + 1 :]) is None
        swapped = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        assert swapped == text or short_codes.read_manual(swapped) is None


def test_the_arithmetic_behind_the_check_of_what_is_typed() -> None:
    """The modulus is prime, no weight is zero, neighbours weigh differently, and at the border to the check a swap
    weighs the sum of both sides: so the slips above are noticed in every number, not in those tried only."""
    prime, base = short_codes._PRIME, short_codes._BASE
    assert all(prime % divisor for divisor in range(2, 32))
    assert 31 < prime <= 32**2
    assert all(pow(base, power, prime) for power in range(1, 9))
    assert (base - 1) % prime
    assert (base + 32) % prime


def test_a_till_reads_each_way_to_write_a_code() -> None:
    number = 0x5A5A5A5A5A
    key = short_codes.short_key(Short(MARK, number))
    assert [one.text for one in scans.read(short_codes.digits(Short(MARK, number)), MARK).keys] == [key]
    typed = scans.read(short_codes.manual(number), MARK)
    assert typed.keys[0] == scans.Key(key, short=True)
    assert typed.guessable
    full = scans.read(FULL, MARK)
    assert not full.guessable
    assert isinstance(full.code, Code)
    assert [one.text for one in full.keys] == [codes.lookup_key(full.code)]
    plastic = scans.read("4000 1234-5678", MARK)
    assert [one.text for one in plastic.keys] == [short_codes.plastic_key(MARK, "400012345678")]
    article = scans.read("3017620422003", MARK)
    assert "barcode of a product" in article.said, "unless a card of plastic bears that number"
    assert not article.counts
    assert "character of the number is wrong" in scans.read("8EKP-E90X-18", MARK).said


@pytest.mark.parametrize("text", ["", "L1", "https://example.com/x", "ABC", "½½½½½", FULL[:-1], FULL + ".", "A" * 201])
def test_what_is_no_code_is_refused_as_unreadable(text: str) -> None:
    assert refusal(text) == "unreadable-code"


def test_a_stranger_is_known_by_the_mark_in_every_form_that_has_one() -> None:
    for text in (FULL, short_codes.digits(Short(MARK, 1))):
        assert refusal(text, "AAAAAA") == "other-merchant"
    test = "T" + MARK[1:]
    for text in (codes.write(codes.first(test, "4MJ8K2V9QH0TXW3E")), short_codes.digits(Short(test, 1))):
        assert refusal(text) == "test-card"
        assert refusal(text, live=False) == "other-merchant", "of another account that tries things out"
        assert scans.read(text, test, live=False).keys


@settings(max_examples=examples(50))
@given(random=st.binary(min_size=4, max_size=4))
def test_the_marks_of_test_accounts_are_told_from_all_others(random: bytes) -> None:
    assert codes.mark_from_random(random, test=True)[0] == codes.TEST_MARK
    assert codes.mark_from_random(random)[0] != codes.TEST_MARK


@settings(max_examples=examples(50))
@given(text=st.text(max_size=40))
def test_whatever_is_typed_raises_nothing_but_a_refusal(text: str) -> None:
    try:
        scans.read(text, MARK)
    except WalletError as refused:
        assert refused.code in ("unreadable-code", "other-merchant", "test-card")
    assert codes.stem(text) == text.strip().upper() or codes.stem(text).startswith("L1.")
