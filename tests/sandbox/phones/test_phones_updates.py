"""Owns what is known about a phone that registers, is pushed, asks, fetches and tells the server of its faults."""

from __future__ import annotations

KEY = ("pass.example.card", "S1")


def points(phone, serial="S1"):
    return phone.cards[KEY[0], serial].file.fields("primaryFields")[0]["value"]


def texts(phone):
    return [alert.text for alert in phone.lock_screen]


def test_a_change_reaches_the_card_and_the_lock_screen(play):
    async def story(bench):
        phone = await bench.phone_with()
        assert bench.service.registered == {(phone.device_id, *KEY): phone.push_token}
        await bench.change(bench.card(points=25))
        assert points(phone) == 25
        assert [(alert.title, alert.text) for alert in phone.lock_screen] == [("Corner Café", "You have 25 points")]
        assert phone.tags == {(bench.service.base, KEY[0]): "2"}
        assert bench.service.logs == []
        assert phone.last_update_at > phone.last_push_at

    play(story)
