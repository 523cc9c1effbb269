"""Apple's web service on the wire: every status of every endpoint, and whatever a stranger may send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.conftest import NewDatabase
from tests.examples import examples
from tests.phone import opened
from tests.world import PASS_TYPE, Holder, World, founded
from wallet_server.records import jobs
from wallet_server.records.passes import passes
from wallet_server.records.schema import devices, phone_logs

DEVICE, TOKEN = "a1b2c3d4e5f6", "ab" * 32
PKPASS = "application/vnd.apple.pkpass"


def _auth(holder: Holder, scheme: str = "ApplePass") -> dict[str, str]:
    return {"Authorization": f"{scheme} {holder.token}"}


def _registration(holder: Holder, device: str = DEVICE) -> str:
    return f"/apple/v1/devices/{device}/registrations/{PASS_TYPE}/{holder.serial}"


def _list(client: FlaskClient, tag: str | None = None, device: str = DEVICE) -> TestResponse:
    query = "" if tag is None else f"?passesUpdatedSince={quote(tag)}"
    return client.get(f"/apple/v1/devices/{device}/registrations/{PASS_TYPE}{query}")


def _pass(holder: Holder) -> str:
    return f"/apple/v1/passes/{PASS_TYPE}/{holder.serial}"


def _register(client: FlaskClient, holder: Holder, **more: Any) -> TestResponse:
    return client.post(_registration(holder), json={"pushToken": TOKEN}, headers=_auth(holder), **more)


def test_register_list_fetch_and_unregister_as_apple_describes_them(world: World) -> None:
    client, holder = world.client(), world.enrol()
    assert _list(client).status_code == 204
    assert [_register(client, holder).status_code for _ in range(2)] == [201, 200]
    listed = _list(client)
    assert (listed.status_code, listed.mimetype) == (200, "application/json")
    assert listed.json["serialNumbers"] == [holder.serial]
    assert isinstance(listed.json["lastUpdated"], str)
    assert _list(client, listed.json["lastUpdated"]).status_code == 204
    world.sell(holder, 1000)
    world.work()
    changed = _list(client, listed.json["lastUpdated"])
    assert changed.json["serialNumbers"] == [holder.serial]
    got = client.get(_pass(holder), headers=_auth(holder))
    assert (got.status_code, got.content_type) == (200, PKPASS)
    assert "attachment" in got.headers["Content-Disposition"]
    assert opened(got.data)["serialNumber"] == holder.serial
    assert [client.delete(_registration(holder), headers=_auth(holder)).status_code for _ in range(2)] == [200, 200]
    assert _list(client).status_code == 204


def test_an_unchanged_card_is_not_sent_again_and_an_odd_date_is_not_believed(world: World) -> None:
    client, holder = world.client(), world.enrol()

    def get(since: str | None) -> TestResponse:
        return client.get(_pass(holder), headers=_auth(holder) | ({"If-Modified-Since": since} if since else {}))

    first = get(None)
    modified = first.headers["Last-Modified"]
    assert modified.endswith(" GMT")
    unchanged = get(modified)
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    at = parsedate_to_datetime(modified)
    for odd in (at - timedelta(seconds=1), at + timedelta(seconds=1), at + timedelta(days=400)):
        assert get(format_datetime(odd.astimezone(UTC), usegmt=True)).status_code == 200
    for junk in ("", "yesterday", "0", "1700000000", "Wed, 99 Nov 2026 99:99:99 GMT", "\xff"):
        assert get(junk).status_code == 200
    world.sell(holder, 100)
    world.work()
    second = get(modified)
    assert second.status_code == 200
    assert parsedate_to_datetime(second.headers["Last-Modified"]) > at


def test_head_is_answered_as_get_without_the_body(world: World) -> None:
    client, holder = world.client(), world.enrol()
    head, get = client.head(_pass(holder), headers=_auth(holder)), client.get(_pass(holder), headers=_auth(holder))
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Last-Modified"):
        assert head.headers[name] == get.headers[name]
    since = {"If-Modified-Since": get.headers["Last-Modified"]}
    assert client.head(_pass(holder), headers=_auth(holder) | since).status_code == 304
    assert client.head(_pass(holder)).status_code == 401


def test_a_wrong_token_and_an_unknown_pass_are_one_and_the_same_answer(world: World) -> None:
    client, holder, other = world.client(), world.enrol(), world.enrol()
    unknown = holder.serial[:-4] + "0000"
    attempts = [
        (holder.serial, {}),
        (holder.serial, {"Authorization": "ApplePass"}),
        (holder.serial, {"Authorization": "ApplePass "}),
        (holder.serial, {"Authorization": holder.token}),
        (holder.serial, {"Authorization": f"Bearer {holder.token}"}),
        (holder.serial, _auth(other)),
        (holder.serial, {"Authorization": f"ApplePass {holder.token}x"}),
        (holder.serial, {"Authorization": "ApplePass \xe9\xff"}),
        (unknown, _auth(holder)),
        ("%00", _auth(holder)),
    ]
    seen = set()
    for serial, headers in attempts:
        path = f"/apple/v1/devices/{DEVICE}/registrations/{PASS_TYPE}/{serial}"
        for answer in (
            client.get(f"/apple/v1/passes/{PASS_TYPE}/{serial}", headers=headers),
            client.post(path, json={"pushToken": TOKEN}, headers=headers),
            client.delete(path, headers=headers),
        ):
            body = {name: value for name, value in answer.json.items() if name != "request_id"}
            seen.add((answer.status_code, json.dumps(body, sort_keys=True)))
    assert {status for status, _ in seen} == {401}
    assert len(seen) == 1
    assert _list(client).status_code == 204


BAD_BODIES = (
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"pushToken": 7}',
    b'{"pushToken": "zz"}',
    b'{"pushToken": "\\u0000"}',
    b" " * 5000,
)


@pytest.mark.parametrize("road", ["registrations", "registrations_attido"])
def test_the_token_is_judged_before_the_body_and_before_the_name_of_the_device(world: World, road: str) -> None:
    client, holder = world.client(), world.enrol()
    unknown = holder.serial[:-4] + "0000"
    for device, bodies in ((DEVICE, BAD_BODIES), ("d" * 129, (b'{"pushToken": "abababab"}',))):
        path = f"/apple/v1/devices/{device}/{road}/{PASS_TYPE}"
        for body in bodies:
            for serial, headers in (
                (holder.serial, {}),
                (holder.serial, {"Authorization": f"ApplePass {holder.token}x"}),
                (unknown, _auth(holder)),
            ):
                answer = client.post(f"{path}/{serial}", data=body, headers=headers)
                assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
            assert client.post(f"{path}/{holder.serial}", data=body, headers=_auth(holder)).status_code == 400
    assert _list(client).status_code == 204


def test_a_refused_token_is_told_by_which_scheme_to_come(world: World) -> None:
    client, holder = world.client(), world.enrol()
    for answer in (
        client.get(_pass(holder)),
        client.head(_pass(holder)),
        client.post(_registration(holder), json={"pushToken": TOKEN}),
        client.delete(_registration(holder)),
    ):
        assert (answer.status_code, answer.headers.getlist("WWW-Authenticate")) == (401, ["ApplePass"])
    assert "WWW-Authenticate" not in client.get(_pass(holder), headers=_auth(holder)).headers


def test_both_schemes_are_known_in_any_case_and_a_pass_of_another_type_is_not(world: World) -> None:
    client, holder = world.client(), world.enrol()
    for scheme in ("ApplePass", "applepass", "AndroidPass"):
        assert client.get(_pass(holder), headers=_auth(holder, scheme)).status_code == 200
    android = client.post(
        _registration(holder), json={"pushToken": "fcm:not/hex"}, headers=_auth(holder, "AndroidPass")
    )
    assert android.status_code == 201
    other = f"/apple/v1/passes/pass.test.other/{holder.serial}"
    assert client.get(other, headers=_auth(holder)).status_code == 401


def test_android_apps_of_every_kind_are_held_apart_from_iphones_whatever_their_tokens_look_like(world: World) -> None:
    client, holder = world.client(), world.enrol()
    google = {"pushToken": "APA91bHvUNfeYWuq_SOo86P9:EuJPX6"}
    apples = {"pushToken": "cd" * 32}
    attido = "/apple/v1/devices/{}/registrations_attido/" + f"{PASS_TYPE}/{holder.serial}"
    plain = attido.replace("_attido", "")
    told = (
        ("wallet-passes", plain, apples, _auth(holder, "AndroidPass")),
        ("pass-wallet", attido, apples | {"pushServiceUrl": "https://push.example"}, _auth(holder, "AttidoPass")),
        ("pass2u", plain, google, _auth(holder) | {"X-Pass-Client": "Passes"}),
        ("iphone", plain, apples, _auth(holder)),
    )
    for name, path, body, headers in told:
        assert client.post(path.format(name), json=body, headers=headers).status_code == 201
        assert client.post(path.format(name), json=body, headers=headers).status_code == 200
    assert client.post(plain.format("x"), json=google, headers=_auth(holder)).status_code == 400, "no iPhone's token"
    wrong = {"Authorization": f"AttidoPass {holder.token}x"}
    assert client.post(attido.format("x"), json=apples, headers=wrong).status_code == 401
    with world.ctx.look() as tx:
        kinds = {r.library_id: r.push_kind for r in tx.execute(sa.select(devices.c.library_id, devices.c.push_kind))}
    assert kinds == {name: "apns" if name == "iphone" else "androidpass" for name, *_ in told}


@pytest.mark.parametrize("path", ["/apple//v1/", "/apple/v1//", "/apple//v1///"])
def test_clients_that_double_a_slash_are_understood(world: World, path: str) -> None:
    client, holder = world.client(), world.enrol()
    plain = _registration(holder).removeprefix("/apple/v1/")
    answer = client.post(path + plain, json={"pushToken": TOKEN}, headers=_auth(holder))
    assert answer.status_code == 201
    assert client.get(path + _pass(holder).removeprefix("/apple/v1/"), headers=_auth(holder)).status_code == 200


def test_the_body_is_read_whatever_it_says_it_is(world: World) -> None:
    client, holder = world.client(), world.enrol()
    body = json.dumps({"pushToken": TOKEN, "more": 1})
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", ""):
        answer = client.post(_registration(holder), data=body, content_type=content_type, headers=_auth(holder))
        assert answer.status_code in (200, 201)


UNSOUND = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"pushToken":1}', b'{"pushToken":""}', b'{"pushToken":"zz"}'),
    *(b'{"pushToken":"ab\\u0000"}', b"\xff\xfe", b"[" * 3000, b'{"pushToken":"' + b"a" * 5000 + b'"}'),
    *(b'{"pushToken":"' + token + b'"}' for token in (b"a" * 7, b"a" * 63, b"a" * 202, b"a" * 512, b"ab " * 8)),
)


def test_a_registration_without_a_sound_push_token_is_refused_and_leaves_nothing(world: World) -> None:
    client, holder = world.client(), world.enrol()
    for body in UNSOUND:
        answer = client.post(_registration(holder), data=body, headers=_auth(holder))
        assert (answer.status_code, answer.json["code"]) == (400, "bad-push-token"), body
    assert _list(client).status_code == 204


@pytest.mark.parametrize("token", ["a" * 8, "AB" * 32, "0f" * 100])
def test_a_push_token_that_can_be_rung_is_taken(world: World, token: str) -> None:
    client, holder = world.client(), world.enrol()
    answer = client.post(_registration(holder), json={"pushToken": token}, headers=_auth(holder))
    assert answer.status_code == 201


def test_logs_are_taken_as_an_object_or_a_bare_list_and_junk_is_a_200(world: World) -> None:
    client = world.client()
    sent: list[Any] = [{"logs": ["one", 2, None, "nul \x00"]}, ["two"], {}, {"logs": "x"}, 7, None, {"logs": [[]]}]
    for body in sent:
        assert client.post("/apple/v1/log", data=json.dumps(body)).status_code == 200
    for junk in (b"", b"{", b"\xff", b"[" * 5000, b"x" * 100_000):
        assert client.post("/apple/v1/log", data=junk).status_code == 200
    with world.ctx.look() as tx:
        lines = list(tx.execute(sa.select(phone_logs.c.line).order_by(phone_logs.c.id)).scalars())
    assert lines == ["one", "nul \ufffd", "two"]


def test_a_retired_pass_is_served_once_more_voided_and_without_a_service_to_ask(world: World) -> None:
    client, holder = world.client(), world.enrol()
    _register(client, holder)
    tag = _list(client).json["lastUpdated"]
    with world.ctx.change() as tx:
        passes.retire_pass(tx, holder.pass_id)
    _refresh(world, holder)
    assert _list(client, tag).json["serialNumbers"] == [holder.serial]
    card = opened(client.get(_pass(holder), headers=_auth(holder)).data)
    assert card["voided"] is True
    assert "webServiceURL" not in card
    assert "authenticationToken" not in card


def _refresh(world: World, holder: Holder) -> None:
    with world.ctx.change() as tx:
        jobs.put(tx, [jobs.Put("refresh", str(holder.pass_id), jobs.COUNTER, world.clock())])
    world.work()


def test_what_no_endpoint_is_for_is_a_plain_404_or_405(world: World) -> None:
    client, holder = world.client(), world.enrol()
    assert client.get("/apple/v1/").status_code == 404
    assert client.put(_pass(holder), headers=_auth(holder)).status_code == 405
    assert client.get("/apple/v1/log").status_code == 405


# ------------------------------------------------------------------------------------------------- any junk at all

SEGMENT = st.one_of(
    st.text(max_size=40), st.sampled_from([PASS_TYPE, "SERIAL", DEVICE, "..", "%00", "\x00", "'", "\ud7ff", "a" * 600])
)
METHODS = st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT"])
SHAPES = st.sampled_from(
    [
        "/apple/v1/devices/{0}/registrations/{1}/{2}",
        "/apple/v1/devices/{0}/registrations/{1}",
        "/apple/v1/passes/{1}/{2}",
        "/apple/v1/passes/{1}",
        "/apple/v1/log",
        "/apple/{0}/{1}",
    ]
)
BODY = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["pushToken", "logs", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@contextmanager
def _fixed(new_database: NewDatabase, tmp_path: Path, kind: str) -> Iterator[tuple[World, Holder]]:
    with founded(new_database(kind), tmp_path) as world:
        yield world, world.enrol()


def test_no_junk_on_any_path_is_ever_a_fault_of_ours(
    new_database: NewDatabase, tmp_path: Path, database_kind: str
) -> None:
    with _fixed(new_database, tmp_path, database_kind) as (world, holder):
        client = world.client()

        @settings(
            max_examples=examples(80), suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
        )
        @given(METHODS, SHAPES, st.tuples(SEGMENT, SEGMENT, SEGMENT), BODY, HEADER, HEADER, st.booleans(), SEGMENT)
        def send(
            method: str,
            shape: str,
            parts: tuple[str, str, str],
            body: bytes,
            authorization: str,
            since: str,
            known: bool,
            tag: str,
        ) -> None:
            named = [part.replace("SERIAL", holder.serial) for part in parts]
            path = shape.format(*(quote(part, safe="") for part in named))
            headers = {"Authorization": authorization, "If-Modified-Since": since}
            if known:
                headers |= _auth(holder)
            answer = client.open(f"{path}?passesUpdatedSince={quote(tag)}", method=method, data=body, headers=headers)
            assert answer.status_code < 500, answer.data

        send()


def test_a_date_before_the_beginning_or_after_the_end_of_time_is_only_an_unknown_date(world: World) -> None:
    client, holder = world.client(), world.enrol()
    for text in (
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 01 Jan 1 00:00:00 +0100",
        format_datetime(datetime.max.replace(tzinfo=UTC)),
    ):
        assert client.get(_pass(holder), headers=_auth(holder) | {"If-Modified-Since": text}).status_code == 200
