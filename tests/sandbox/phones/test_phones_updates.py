"""Owns what is known about a phone that registers, is pushed, asks, fetches and tells the server of its faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

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


def test_registration_that_is_refused_is_logged_and_not_repeated(play):
    async def story(bench):
        phone = bench.fleet.add_phone()
        bench.service.put(bench.card())
        await phone.add(bench.pack(bench.card(authenticationToken="not-the-token-of-S1")))
        await phone.online()
        await bench.fleet.settle(5)
        assert bench.service.count("POST", "/v1/devices") == 1
        assert not phone.cards[KEY].registered
        assert any("Register task" in line and "Authentication failure" in line for line in bench.service.logs)

    play(story)


def test_registration_is_repeated_until_the_server_recovers(play):
    async def story(bench):
        bench.service.faults += [("POST", "/v1/devices", 503), ("POST", "/v1/devices", 500)]
        phone = await bench.phone_with()
        assert phone.cards[KEY].registered
        assert bench.service.count("POST", "/v1/devices") == 3

    play(story)


def test_a_push_lists_with_the_tag_and_fetches_every_stale_pass_of_the_type(play):
    async def story(bench):
        phone = await bench.phone_with("S1", "S2", "S3")
        bench.service.put(bench.card("S1", points=11))
        bench.service.put(bench.card("S3", points=13))
        await bench.ring("S1")
        assert (points(phone, "S1"), points(phone, "S2"), points(phone, "S3")) == (11, 10, 13)
        # The first list has no tag, so all three are named; S2 was never fetched before and comes whole and unchanged.
        assert bench.service.count("GET", "/v1/passes") == 3
        await bench.change(bench.card("S2", points=12))
        assert bench.service.count("GET", "/v1/passes") == 4
        assert phone.tags[bench.service.base, KEY[0]] == "6"

    play(story)


def test_many_pushes_in_a_moment_are_one_question(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.put(bench.card(points=11))
        for _ in range(20):
            await bench.fleet.push(phone.push_token, KEY[0])
        await bench.fleet.settle(5)
        assert bench.service.count("GET", "/v1/devices") == 1
        assert points(phone) == 11

    play(story)


def test_a_push_while_fetching_is_not_forgotten(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.put(bench.card(points=11))
        serials = bench.service.serials

        async def changes_meanwhile(request):
            answer = await serials(request)
            if points(phone) == 10 and bench.service.tag == 2:
                bench.service.put(bench.card(points=12))
                await bench.fleet.push(phone.push_token, KEY[0])
            return answer

        bench.hook("serials", changes_meanwhile)
        await bench.ring("S1")
        assert points(phone) == 12
        assert bench.service.count("GET", "/v1/devices") == 2
        assert phone.tags[bench.service.base, KEY[0]] == "3"

    play(story)


def test_nothing_changed_is_answered_204_and_nothing_is_fetched(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(points=11))
        await bench.ring("S1")
        assert bench.service.count("GET", "/v1/passes") == 1
        assert phone.tags[bench.service.base, KEY[0]] == "2"
        assert bench.service.logs == []

    play(story)


def test_a_listed_pass_that_answers_304_is_logged(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(points=11))
        bench.service.list_also = ["S1"]
        bench.service.tag += 1
        await bench.ring("S1")
        assert len(bench.service.logs) == 1
        assert "Server requested update to serial number 'S1', but the pass was unchanged." in bench.service.logs[0]
        assert bench.fleet.counters["not_modified"] == 1
        assert len(phone.lock_screen) == 1

    play(story)


def test_a_server_that_ignores_if_modified_since_is_told(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(points=11))
        bench.service.conditional = False
        await phone.pull_to_refresh(KEY)
        await bench.fleet.settle(5)
        assert len(bench.service.logs) == 1
        assert "Server ignored the 'if-modified-since' header (Tue, 14 Nov 2023 22:13:21 GMT)" in bench.service.logs[0]

    play(story)


def test_a_missing_last_modified_is_logged_and_the_next_fetch_is_unconditional(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.dated = False
        await bench.change(bench.card(points=11))
        assert points(phone) == 11
        assert "did not provide a 'last-modified' header" in bench.service.logs[0]
        assert phone.cards[KEY].last_modified is None

    play(story)


def test_the_same_tag_with_changes_is_logged(play):
    async def story(bench):
        await bench.phone_with()
        await bench.change(bench.card(points=11))
        bench.service.list_also = ["S1"]
        await bench.ring("S1")
        assert any("tag (2) remained the same" in line for line in bench.service.logs)

    play(story)


def test_a_listed_serial_that_is_not_installed_is_logged_and_not_fetched(play):
    async def story(bench):
        await bench.phone_with()
        bench.service.list_also = ["STRANGER"]
        await bench.ring("S1")
        assert any("unregistered serial number 'STRANGER'" in line for line in bench.service.logs)
        assert bench.service.count("GET", "/v1/passes/pass.example.card/STRANGER") == 0

    play(story)


def test_a_tag_that_is_a_number_is_refused(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.tag_text = int
        await bench.change(bench.card(points=11))
        assert points(phone) == 10
        assert any("lastUpdated" in line for line in bench.service.logs)

    play(story)


def test_server_errors_are_retried_on_list_and_fetch(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.faults += [("GET", "/v1/devices", 503), ("GET", "/v1/passes", 500), ("GET", "/v1/passes", 429)]
        await bench.change(bench.card(points=11))
        assert points(phone) == 11
        assert bench.service.count("GET", "/v1/passes") == 3

    play(story)


def test_a_fetch_given_up_is_still_owed_when_the_next_push_comes(play):
    async def story(bench):
        phone = await bench.phone_with("S1", "S2")
        await bench.ring("S1")
        bench.service.faults += [("GET", "/v1/passes/pass.example.card/S1", 500)] * 4
        await bench.change(bench.card("S1", points=11))
        assert points(phone) == 10
        assert any("Get pass task" in line and "Unexpected response code 500" in line for line in bench.service.logs)
        await bench.change(bench.card("S2", points=12))
        assert (points(phone), points(phone, "S2")) == (11, 12)

    play(story)


def test_a_fetch_answered_401_is_logged_and_not_repeated(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.faults.append(("GET", "/v1/passes", 401))
        await bench.change(bench.card(points=11))
        await bench.ring("S1")
        assert points(phone) == 10
        assert bench.service.count("GET", "/v1/passes") == 1
        assert any("Authentication failure" in line for line in bench.service.logs)

    play(story)


def test_an_update_that_does_not_verify_is_dropped(play):
    async def story(bench):
        phone = await bench.phone_with()
        other = bench.card("S9", points=99)
        for spoilt in (b"junk", bench.pack(other), bench.pack(bench.card(authenticationToken="a-new-token-of-16-c"))):
            bench.service.repack = lambda _, spoilt=spoilt: spoilt
            await bench.change(bench.card(points=11))
        assert points(phone) == 10
        assert not phone.lock_screen
        assert sum("Received invalid pass data" in line for line in bench.service.logs) == 3
        bench.service.repack = None
        await bench.change(bench.card(points=12))
        assert points(phone) == 12

    play(story)


def test_a_pass_signed_again_without_a_change_stays_quiet(play):
    async def story(bench):
        phone = await bench.phone_with()
        renewed = bench.authority.pass_certificate()
        bench.service.repack = lambda document: bench.pack(document, leaf=renewed)
        assert bench.service.repack(bench.card()) != phone.cards[KEY].file.raw
        await bench.change(bench.card())
        assert bench.fleet.counters["updates"] == 0
        assert "but the pass was unchanged" in bench.service.logs[0]

    play(story)


def test_pull_to_refresh_fetches_without_asking_what_changed(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.put(bench.card(points=11))
        await phone.pull_to_refresh(KEY)
        assert points(phone) == 11
        assert bench.service.count("GET", "/v1/devices") == 0
        await phone.pull_to_refresh(KEY)
        await bench.fleet.settle(5)
        assert bench.service.logs == []  # a 304 to one's own question is nobody's fault

    play(story)


def test_removing_a_card_unregisters_it_and_ends_its_updates(play):
    async def story(bench):
        phone = await bench.phone_with()
        await phone.remove(KEY)
        assert bench.service.registered == {}
        await bench.fleet.push(phone.push_token, KEY[0])
        await bench.fleet.settle(5)
        assert bench.service.count("GET", "/v1/devices") == 0

    play(story)


def test_a_card_removed_without_network_is_unregistered_later(play):
    async def story(bench):
        phone = await bench.phone_with()
        phone.offline()
        await phone.remove(KEY)
        assert len(bench.service.registered) == 1
        await phone.online()
        assert bench.service.registered == {}

    play(story)


def test_a_restored_phone_registers_with_its_new_push_token(play):
    async def story(bench):
        phone = await bench.phone_with("S1", "S2")
        old = phone.push_token
        bench.service.put(bench.card(points=11))
        await bench.fleet.restore(phone.device_id)
        assert phone.push_token != old
        assert set(bench.service.registered.values()) == {phone.push_token}
        assert points(phone) == 11  # it started up, so it asked
        assert await bench.fleet.push(old, KEY[0]) is False
        assert await bench.fleet.push(phone.push_token.upper(), KEY[0]) is True

    play(story)


def test_a_reboot_asks_every_type_what_changed(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.put(bench.card(points=11))
        await phone.reboot()
        assert points(phone) == 11

    play(story)


def test_without_network_the_last_push_per_type_waits(play):
    async def story(bench):
        phone = await bench.phone_with()
        phone.offline()
        bench.service.put(bench.card(points=11))
        for _ in range(3):
            await bench.ring("S1")
        assert points(phone) == 10
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 11
        assert bench.fleet.counters["received"] == 1

    play(story)


def test_a_push_that_expired_or_was_now_or_never_is_not_kept(play):
    async def story(bench):
        phone = await bench.phone_with()
        phone.offline()
        bench.service.put(bench.card(points=11))
        await bench.fleet.push(phone.push_token, KEY[0], expires_at=0)
        await bench.fleet.push(phone.push_token, KEY[0], expires_at=1_000_000_000)
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 10

    play(story)


def test_a_phone_that_loses_the_network_in_the_middle_goes_on_later(play):
    async def story(bench):
        phone = await bench.phone_with()
        fetch = bench.service.fetch

        async def cut(request):
            phone.offline()
            bench.hook("fetch", fetch)
            return web.Response(status=503)

        bench.hook("fetch", cut)
        await bench.change(bench.card(points=11))
        assert points(phone) == 10
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 11

    play(story)


def test_a_server_that_dies_and_comes_back_loses_no_update(play):
    async def story(bench):
        phone = await bench.phone_with()
        bench.service.put(bench.card(points=11))
        port = bench.port
        await bench.runner.cleanup()
        await bench.fleet.push(phone.push_token, KEY[0])
        await phone.until(lambda it: any(event.kind == "error" for event in it.events))
        await bench.start(port)
        await bench.fleet.settle(5)
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 11

    play(story)


def test_a_throttled_phone_stops_fetching_until_updates_are_switched_again(play, habits):
    async def story(bench):
        phone = await bench.phone_with()
        for value in (11, 12, 13, 14):
            await bench.change(bench.card(points=value))
        assert points(phone) == 12
        phone.set_automatic_updates(False)
        phone.set_automatic_updates(True)
        await bench.fleet.settle(5)
        assert points(phone) == 14

    play(story, behaviour=habits(throttled_after=2))


def test_automatic_updates_off_ignores_pushes_and_on_catches_up(play):
    async def story(bench):
        phone = await bench.phone_with("S1", "S2")
        phone.set_automatic_updates(False)
        await bench.change(bench.card(points=11))
        assert bench.service.count("GET", "/v1/devices") == 0
        phone.set_automatic_updates(True)
        await bench.fleet.settle(5)
        assert points(phone) == 11
        phone.set_card_updates(KEY, False)
        bench.service.put(bench.card(points=12))
        await bench.change(bench.card("S2", points=22))
        assert (points(phone), points(phone, "S2")) == (11, 22)
        phone.set_card_updates(KEY, True)
        await bench.fleet.settle(5)
        assert points(phone) == 12

    play(story)


def test_a_voided_pass_without_a_web_service_is_never_asked_for_again(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(voided=True, webServiceURL=None, authenticationToken=None))
        assert phone.cards[KEY].file.voided
        asked = len(bench.service.requests)
        await bench.fleet.push(phone.push_token, KEY[0])
        await phone.reboot()
        await phone.pull_to_refresh(KEY)
        await bench.fleet.restore(phone.device_id)
        await bench.fleet.settle(5)
        assert len(bench.service.requests) == asked

    play(story)


def test_a_new_web_service_address_is_registered_with(play):
    async def story(bench):
        phone = await bench.phone_with()
        moved = bench.service.base.replace("127.0.0.1", "localhost")
        await bench.change(bench.card(webServiceURL=moved + "/"))
        assert phone.cards[KEY].registered
        assert bench.service.count("POST", "/v1/devices") == 2  # and never `//v1`, though the address ends in a slash

    play(story)


def test_head_requests_come_now_and_then(play, habits):
    async def story(bench):
        await bench.phone_with()
        for value in (11, 12, 13, 14):
            await bench.change(bench.card(points=value))
        assert bench.service.count("HEAD", "/v1/passes") == 2

    play(story, behaviour=habits(head_every=2))


def test_a_link_that_redirects_to_a_pass_is_opened(play, refused_link):
    async def story(bench):
        bench.service.put(bench.card())
        phone = bench.fleet.add_phone()
        await phone.open(f"{bench.service.base}/short/S1")
        assert phone.cards[KEY].registered
        with refused_link("404"):
            await phone.open(f"{bench.service.base}/nowhere")

    play(story)


@pytest.mark.parametrize("page", ["S1", "typed"])
def test_on_the_page_of_a_card_its_button_is_tapped(play, page):
    async def story(bench):
        bench.service.put(bench.card())
        phone = bench.fleet.add_phone()
        await phone.open(f"{bench.service.base}/page/{page}")
        assert phone.cards[KEY].registered

    play(story)


def test_a_page_without_a_card_is_no_pass(play, refused_link):
    async def story(bench):
        phone = bench.fleet.add_phone()
        for page in ("none", "mail"):
            with refused_link("did not answer with a pass but with: 200 text/html, a page"):
                await phone.open(f"{bench.service.base}/page/{page}")
        assert not phone.cards
        assert [event.kind for event in phone.events] == ["error", "error"]

    play(story)


def test_adding_the_same_serial_again_overwrites_it(play):
    async def story(bench):
        phone = await bench.phone_with()
        phone.cards[KEY].notifications = False
        await phone.add(bench.service.put(bench.card(points=11)))
        assert len(phone.cards) == 1
        assert points(phone) == 11
        assert not phone.lock_screen
        assert not phone.cards[KEY].notifications

    play(story)


def test_serials_and_types_with_unusual_characters_are_quoted(play):
    async def story(bench):
        phone = await bench.phone_with("S/1 ?ü%20")
        await bench.change(bench.card("S/1 ?ü%20", points=11))
        assert points(phone, "S/1 ?ü%20") == 11

    play(story)


def test_log_lines_of_a_moment_are_sent_together_and_bounded(play):
    async def story(bench):
        await bench.phone_with()
        bench.service.list_also = [f"X{number}" for number in range(200)]
        await bench.ring("S1")
        assert bench.service.count("POST", "/v1/log") == 1
        assert len(bench.service.logs) == 50

    play(story)


def test_each_fetch_carries_the_last_modified_of_the_one_before(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(points=11))
        await bench.change(bench.card(points=12))
        assert bench.fleet.counters["not_modified"] == 0
        await phone.pull_to_refresh(KEY)
        assert bench.fleet.counters["not_modified"] == 1

    play(story)


def test_a_kept_push_that_expires_while_the_phone_is_away_is_not_delivered(play):
    clock = {"now": datetime.now(UTC)}

    async def story(bench):
        phone = await bench.phone_with()
        phone.offline()
        bench.service.put(bench.card(points=11))
        await bench.fleet.push(phone.push_token, KEY[0], expires_at=clock["now"].timestamp() + 60)
        clock["now"] += timedelta(seconds=61)
        await phone.online()
        await bench.fleet.settle(5)
        assert points(phone) == 10

    play(story, now=lambda: clock["now"])


def test_a_push_asks_only_for_its_own_pass_type(play):
    other = "pass.example.other"

    async def story(bench):
        phone = await bench.phone_with()
        leaf = bench.authority.pass_certificate(pass_type=other)
        card = bench.card("S2", passTypeIdentifier=other)
        bench.service.put(card)
        await phone.add(bench.pack(card, leaf=leaf))
        await bench.fleet.push(phone.push_token, other)
        await bench.fleet.settle(5)
        device = f"/v1/devices/{phone.device_id}/registrations/"
        assert bench.service.count("GET", device + other) == 1
        assert bench.service.count("GET", device + KEY[0]) == 0

    play(story)


def test_a_refused_link_is_refused_even_if_it_carries_a_pass(play, refused_link):
    async def story(bench):
        bench.service.put(bench.card())
        phone = bench.fleet.add_phone()
        with refused_link("410"):
            await phone.open(f"{bench.service.base}/used/S1")
        assert not phone.cards

    play(story)
