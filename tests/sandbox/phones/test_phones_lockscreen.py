"""Owns what is known about the lock screen: what each kind of change shows, and that all others show nothing."""

from __future__ import annotations

import copy
from datetime import UTC

import pytest

from wallet_server.sandbox.passes.wording import field_text, locale_of, parse_strings, zone_of

KEY = ("pass.example.card", "S1")


def changed(document, **values):
    """The document with other values or, for a dict, other keys of the fields so named."""
    document = copy.deepcopy(document)
    for group in document["storeCard"].values():
        for field in group:
            change = values.get(field["key"])
            if change is not None:
                field.update(change if isinstance(change, dict) else {"value": change})
    return document


def shown(play, *steps, language="en", prepare=None):
    """The texts on the lock screen after these steps, each a change of the card that was issued first."""
    seen = []

    async def story(bench):
        phone = await bench.phone_with(language=language)
        if prepare:
            prepare(phone)
        for step in steps:
            await bench.change(step(bench.card()))
        assert bench.fleet.counters["updates"] == len(steps)
        seen.extend(alert.text for alert in phone.lock_screen)

    play(story)
    return seen


def test_one_changed_field_is_told_with_its_new_value(play):
    assert shown(play, lambda c: changed(c, news="Free cookie")) == ["Free cookie"]


@pytest.mark.parametrize(
    ("language", "text"), [("fr", "Vous avez 1234,5 points"), ("fr-CA", "Vous avez 1234,5 points")]
)
def test_text_and_number_are_in_the_language_of_the_phone(play, language, text):
    assert shown(play, lambda c: changed(c, points=1234.5), language=language) == [text]


def test_a_language_the_pass_does_not_speak_falls_back_on_english(play):
    assert shown(play, lambda c: changed(c, points=7), language="sv") == ["You have 7 points"]


def test_a_translated_value_is_told_translated(play):
    steps = [lambda c: changed(c, tier="Gold"), lambda c: c]
    assert shown(play, *steps, language="fr") == ["Now Gold", "Now Argent"]


def test_a_number_style_is_applied(play):
    def step(card):
        return changed(card, points={"value": 1234567, "numberStyle": "PKNumberStyleDecimal"})

    assert shown(play, step) == ["You have 1,234,567 points"]


def test_a_change_message_without_placeholder_gives_the_generic_text(play):
    step = {"value": "x", "changeMessage": "Something new"}
    assert shown(play, lambda c: changed(c, news=step)) == ["Store card changed"]


def test_two_changed_fields_collapse_into_one_generic_text(play):
    assert shown(play, lambda c: changed(c, news="Free cookie", points=11)) == ["Store card changed"]


def test_the_generic_text_is_translated(play):
    step = [lambda c: changed(c, news="x", points=11)]
    assert shown(play, *step, language="fr") == ["Carte de fidélité modifiée"]


def test_two_changed_fields_of_which_one_has_a_message_are_told_as_one(play):
    quiet = {"value": 11, "changeMessage": ""}
    assert shown(play, lambda c: changed(c, news="Free cookie", points=quiet)) == ["Free cookie"]


def test_a_field_without_change_message_changes_silently(play):
    assert shown(play, lambda c: changed(c, news={"value": "Recalled", "changeMessage": ""})) == []


def test_the_message_of_the_new_pass_counts_not_that_of_the_old(play):
    steps = [
        lambda c: changed(c, news={"value": "one", "changeMessage": ""}),
        lambda c: changed(c, news={"value": "two", "changeMessage": "News: %@"}),
    ]
    assert shown(play, *steps) == ["News: two"]


def test_a_new_message_on_an_unchanged_value_shows_nothing(play):
    assert shown(play, lambda c: changed(c, news={"changeMessage": "Look: %@"})) == []


def test_a_changed_label_or_colour_shows_nothing(play):
    assert shown(play, lambda c: changed(c, points={"label": "STARS"}) | {"backgroundColor": "rgb(1,2,3)"}) == []


def test_a_field_that_appears_shows_nothing(play):
    def step(card):
        card = copy.deepcopy(card)
        card["storeCard"]["backFields"].append({"key": "extra", "value": "New", "changeMessage": "%@"})
        return card

    assert shown(play, step) == []


def test_the_same_text_twice_is_told_once(play):
    steps = [lambda c: changed(c, news="Cookie"), lambda c: changed(c, news="Cookie") | {"userInfo": {"n": 1}}]
    assert shown(play, *steps) == ["Cookie"]


def test_notifications_off_shows_nothing(play):
    def off(phone):
        phone.settings.notifications = False

    assert shown(play, lambda c: changed(c, news="x"), prepare=off) == []


def test_notifications_of_one_card_off_shows_nothing(play):
    def off(phone):
        phone.cards[KEY].notifications = False

    assert shown(play, lambda c: changed(c, news="x"), prepare=off) == []


def test_the_title_is_the_organisation_translated(play):
    async def story(bench):
        phone = await bench.phone_with(language="fr")
        strings = '"ORG" = "Café du coin";'.encode()
        bench.service.repack = lambda document: bench.pack(document, files={"fr.lproj/pass.strings": strings})
        await bench.change(bench.card(points=11, organizationName="ORG"))
        assert phone.lock_screen[0].title == "Café du coin"

    play(story)


@pytest.mark.parametrize(
    ("field", "language", "text"),
    [
        ({"value": 12.5, "currencyCode": "EUR"}, "fr", "12,50\xa0€"),
        ({"value": 12.5, "currencyCode": "GBP"}, "en", "£12.50"),
        ({"value": 0.25, "numberStyle": "PKNumberStylePercent"}, "en", "25%"),
        ({"value": 1234567, "numberStyle": "PKNumberStyleDecimal"}, "fr", "1\u202f234\u202f567"),
        ({"value": 1234}, "en", "1234"),
        ({"value": "2026-03-01T23:30:00Z", "dateStyle": "PKDateStyleLong"}, "en", "March 2, 2026"),
        ({"value": "2026-03-01T23:30:00Z", "dateStyle": "PKDateStyleLong"}, "fr", "2 mars 2026"),
        (
            {"value": "2026-03-01T23:30:00Z", "dateStyle": "PKDateStyleLong", "ignoresTimeZone": True},
            "fr",
            "1 mars 2026",
        ),
        ({"value": "2026-03-01T23:30:00Z", "timeStyle": "PKDateStyleShort"}, "fr", "00:30"),
        ({"value": "2026-03-01 at noon", "dateStyle": "PKDateStyleLong"}, "fr", "2026-03-01 at noon"),
    ],
)
def test_values_are_written_as_the_field_asks(field, language, text):
    assert field_text(field, {}, locale_of(language), zone_of("Europe/Paris")) == text


def test_strings_files_are_read_in_both_encodings_with_comments_and_escapes():
    text = '/* a "comment" */ "a" = "x \\"y\\" \\n\\U00e9"; // more\n"b"="%@ pts";'
    expected = {"a": 'x "y" \né', "b": "%@ pts"}
    assert parse_strings(text.encode("utf-16")) == expected
    assert parse_strings(text.encode()) == expected
    assert parse_strings(b'"a" = "x"; broken') == {}
    assert zone_of("Nowhere/At all") is UTC
