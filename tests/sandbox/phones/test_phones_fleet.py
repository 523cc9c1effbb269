"""Owns what is known about many phones at once, about phones on disk, and about fleets driven from threads."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from wallet_server.sandbox.phones import Fleet, FleetThread, LinkRefused

KEY = ("pass.example.card", "S1")


def points(phone, serial="S1"):
    return phone.cards[KEY[0], serial].file.fields("primaryFields")[0]["value"]


@pytest.mark.slow
def test_a_thousand_phones_are_told_and_updated(play):
    async def story(bench):
        bench.service.put(bench.card())
        raw = bench.service.pkpass(KEY)
        phones = [bench.fleet.add_phone() for _ in range(1000)]
        await asyncio.gather(*(phone.add(raw) for phone in phones))
        assert len(bench.service.registered) == 1000
        await bench.change(bench.card(points=11))
        assert {points(phone) for phone in phones} == {11}
        counters = bench.fleet.counters
        assert (counters["pushes"], counters["lists"], counters["gets"], counters["alerts"]) == (1000,) * 4
        assert counters["errors"] == 0
        assert len(bench.fleet.samples) == 1000
        assert all(0 < sample.updated_at - sample.pushed_at < 60 for sample in bench.fleet.samples)

    play(story)


def test_no_more_requests_are_in_flight_than_the_line_allows(play):
    async def story(bench):
        flying, most = 0, 0
        serials = bench.service.serials

        async def slow(request):
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(0.005)
            flying -= 1
            return await serials(request)

        bench.hook("serials", slow)
        bench.service.put(bench.card())
        for _ in range(100):
            await bench.phone_with()
        await bench.ring("S1")
        assert 1 < most <= 32

    play(story)


@pytest.mark.slow
def test_requests_that_wait_for_their_turn_do_not_time_out(play, narrow):
    async def story(bench):
        serials = bench.service.serials

        async def slow(request):
            await asyncio.sleep(0.2)
            return await serials(request)

        bench.hook("serials", slow)
        for _ in range(40):
            await bench.phone_with()
        await bench.ring("S1")
        assert bench.fleet.counters["errors"] == 0
        assert bench.fleet.counters["lists"] == 40

    play(story, line=narrow)


def test_events_are_followed_and_a_slow_reader_is_told_what_it_lost(play):
    async def story(bench):
        with bench.fleet.subscribe() as quick, bench.fleet.subscribe() as slow:
            phone = await bench.phone_with()
            kinds = [(await quick.next(1)).event.kind for _ in range(2)]
            assert kinds == ["added", "register"]
            assert await quick.next(0.01) is None
            for _ in range(300):
                phone.receive_push("pass.example.unknown")
            first = await slow.next(1)
            assert first.lost == 302 - 256
            assert (await slow.next(1)).lost == 0

    play(story)


def test_phones_come_back_from_disk_as_they_were(play, tmp_path):
    async def story(bench):
        phone = await bench.phone_with("S1", "S2", language="fr")
        await bench.fleet.__aexit__()
        bench.fleet = await bench.make().__aenter__()
        phone = bench.fleet.phones[phone.device_id]
        await bench.change(bench.card(points=11))
        phone.cards[KEY].notifications = False
        phone.settings.notifications = False
        await phone.remove((KEY[0], "S2"))
        gone = bench.fleet.add_phone()
        gone.offline()
        bench.fleet.remove_phone(gone.device_id)
        await bench.fleet.__aexit__()
        bench.fleet = await bench.make().__aenter__()
        assert list(bench.fleet.phones) == [phone.device_id]
        back = bench.fleet.phones[phone.device_id]
        assert (back.push_token, back.language, back.tags) == (phone.push_token, "fr", phone.tags)
        assert list(back.lock_screen) == list(phone.lock_screen)
        assert not back.settings.notifications
        assert {key: card.last_modified for key, card in back.cards.items()} == {
            key: card.last_modified for key, card in phone.cards.items()
        }
        assert not back.cards[KEY].notifications
        assert len(list((tmp_path / phone.device_id).glob("*.pkpass"))) == 1
        await bench.change(bench.card(points=12))
        assert points(back) == 12

    play(story, folder=tmp_path)


def test_a_phone_on_disk_that_cannot_be_read_is_left_alone(play, tmp_path):
    for name, text in {"a": "junk", "b": json.dumps({"device_id": "b"})}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "phone.json").write_text(text)

    async def story(bench):
        assert bench.fleet.phones == {}

    play(story, folder=tmp_path)
    assert (tmp_path / "a" / "phone.json").read_text() == "junk"


def test_a_token_is_known_unknown_or_gone_since(play):
    async def story(bench):
        phone = bench.fleet.add_phone()
        old = phone.push_token
        assert bench.fleet.known_token(old) is True
        assert bench.fleet.known_token("ab" * 32) is False
        await bench.fleet.restore(phone.device_id)
        gone_since = bench.fleet.known_token(old)
        assert isinstance(gone_since, datetime)
        assert gone_since.tzinfo is UTC
        bench.fleet.remove_phone(phone.device_id)
        assert isinstance(bench.fleet.known_token(phone.push_token), datetime)

    play(story)


def test_the_expiry_of_a_push_comes_from_its_headers(play):
    async def story(bench):
        phone = await bench.phone_with()
        phone.offline()
        bench.service.put(bench.card(points=11))
        await bench.fleet.on_push(phone.push_token, KEY[0], {"apns-expiration": "0"}, b"{}")
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 10
        phone.offline()
        await bench.fleet.on_push(phone.push_token, KEY[0], {"apns-expiration": "4000000000"}, b"{}")
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 11

    play(story)


def test_a_fleet_is_driven_from_a_plain_thread(authority, make_pass):
    with FleetThread(lambda: Fleet(authority.root_pem)) as phones:
        phone = phones.add_phone("fr", "Ada")
        phones.run(phone.add(make_pass()))
        assert points(phone) == 10
        assert phones.push(phone.push_token, KEY[0]) is True
        assert phones.push("00", KEY[0]) is False
        assert phones.fleet.known_token(phone.push_token.upper()) is True
        phones.run(phones.fleet.restore(phone.device_id))
        phones.settle()
        phones.on_push(phone.push_token, KEY[0], {"apns-expiration": "0"}, b"{}")
        phones.until(phone, lambda it: [event.kind for event in it.events].count("push") == 2)
        with pytest.raises(LinkRefused):
            phones.open(phone, "http://127.0.0.1:9/nothing-listens-here")
        with pytest.raises(TimeoutError):
            phones.until(phone, lambda it: len(it.cards) == 2, 0.05)
