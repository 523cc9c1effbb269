"""The doors of the JSON interface: who may come in, what a stranger's things look like, limits, and how it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from werkzeug.test import TestResponse

from tests.conftest import whole_module_mostly_on
from tests.world import Holder, World
from wallet_server.actions import keys
from wallet_server.actions.context import new_id
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import Founded, NewStore
from wallet_server.records import parties
from wallet_server.rules.programme.program_default import default_document
from wallet_server.web.console import CONSOLE

database_kind = whole_module_mostly_on("sqlite")

PUBLIC = {
    # Whoever asks has no key: phones (they bring their passes' own tokens), people with a link, browsers, probes.
    *("apple.register", "apple.unregister", "apple.list_changed", "apple.fetch", "apple.log"),
    *("join.join_page", "join.join", "card.card_page", "card.choose_messages", "card.download", "card.stop_page"),
    *("apple.register_passwallet", "card.download_all", "metrics.show", "card.to_google", "buttons.button"),
    *("card.stop", "card-state.state", "recover.code_page", "recover.by_code", "recover.link_page", "recover.by_link"),
    *("claim.page", "claim.claim", "recover.ask_for_letter", "recover.by_letter", "recover.choose_card"),
    *("reach.page", "reach.ask", "reach.confirm", "reach.join", "reach.remove", "reach.claim", "reach.confirm_plastic"),
    *("reach.choose_letters", "reach.letters_page", "reach.stop_letters"),
    "till-page.worker",
    *("rate.rate_page", "rate.rate", "google.saved_or_removed", "google.robots", "widget.page"),
    *("assets.picture", "look.page", "till-page.manifest", "pair-page.page", "pair-facts.greeting", "pair-facts.key"),
    *("trust.page", "trust.certificate", "trust.certificate_pem", "trust.profile"),
    *("home.first_page", "till-page.page", "files.static_file", "files.palette", "health"),
    *("swagger.static", "swagger.swagger", "swagger.oauth2-redirect"),
    *("openapi.static", "openapi.doc_url", "openapi.openapi", "programme-schema.schema"),
}
"""Every other route answers 401 without a key. Whoever adds a route decides here which of the two it is."""
JSON = "application/json"
ONE_TIME = ("/start", "/invite/", "/reset/", "/enter/")


@dataclass(frozen=True)
class Cast:
    """The owner's things, a colleague (another merchant of the same account, not in the programme), a stranger."""

    world: World
    holder: Holder
    sale: str
    redemption: str
    announcement: str
    colleague: Founded
    stranger: Founded

    def call(self, method: str, path: str, key: str | None, body: Any = None) -> TestResponse:
        headers = {} if key is None else self.world.bearer(key, self.world.number())
        return self.world.client().open(path, method=method, json=body, headers=headers)


def _colleague(world: World) -> Founded:
    """A second merchant of the same account with its own store, till and keys, taking part in nothing."""
    ctx, now = world.ctx, world.clock()
    with ctx.change() as tx:
        account = world.founded.account_id
        merchant = parties.add_merchant(tx, new_id("mer"), account, "Colleague", now)
        store_public, till_public = new_id("sto"), new_id("till")
        store = parties.add_store(tx, store_public, merchant, "Colleague", "Europe/Paris", None, None, None, now)
        till = parties.add_till(tx, till_public, store, "1", now)
        merchant_key = keys.make_key(tx, account, merchant, None, keys.MERCHANT, now)
        till_key = keys.make_key(tx, account, merchant, till, keys.TILL, now)
    return Founded(account, merchant, "", store_public, till_public, merchant_key, till_key)


@pytest.fixture
def cast(world: World) -> Cast:
    holder = world.enrol(promotions=True)
    sale = world.sell(holder, 1000)["id"]
    redemption = world.redeem(holder, 1)["id"]
    stranger = programs.found(world.ctx, "Stranger", NewStore("Elsewhere"))
    return Cast(world, holder, sale, redemption, world.draft(), _colleague(world), stranger)


def _requests(cast: Cast) -> list[tuple[str, str, Any, str]]:
    """Every call that names one of the owner's things: (method, path, body, scope that it needs)."""
    world, code = cast.world, cast.holder.code
    store = world.founded.store
    key = world.founded.till_key.partition(".")[0]
    return [
        ("POST", "/v1/lookups", {"code": code}, "till"),
        ("POST", "/v1/sales", {"code": code, "receipt": "9", "currency": "EUR", "amount_minor": 100}, "till"),
        ("POST", "/v1/redemptions", {"code": code, "amount": 1, "reference": "9"}, "till"),
        ("POST", f"/v1/sales/{cast.sale}/reversal", {}, "till"),
        ("POST", f"/v1/redemptions/{cast.redemption}/reversal", {}, "till"),
        ("GET", f"/v1/programmes/{world.programme}", None, "read"),
        ("POST", f"/v1/programmes/{world.programme}/versions", {"document": default_document("Theirs")}, "manage"),
        ("POST", f"/v1/programmes/{world.programme}/members", {}, "enrol"),
        ("PUT", f"/v1/members/{cast.holder.member}/consents/promotions", {"granted": False}, "enrol"),
        ("PUT", f"/v1/stores/{store}", {"name": "Mine now"}, "manage"),
        ("POST", "/v1/tills", {"store": store, "name": "9"}, "manage"),
        ("DELETE", f"/v1/keys/{key}", None, "manage"),
        (
            "POST",
            "/v1/announcements",
            {"programme": world.programme, "texts": {"fr": "x"}, "ends_at": "2026-11-20T00:00:00Z"},
            "announce",
        ),
        ("GET", f"/v1/announcements/{cast.announcement}", None, "read"),
        ("GET", f"/v1/announcements/{cast.announcement}/count", None, "announce"),
        ("POST", f"/v1/announcements/{cast.announcement}/confirmation", None, "announce"),
        ("POST", f"/v1/announcements/{cast.announcement}/recall", None, "announce"),
    ]


def _owner_key(cast: Cast, scope: str) -> str:
    return cast.world.founded.till_key if scope == "till" else cast.world.founded.merchant_key


def test_what_belongs_to_another_is_not_found_and_stays_as_it_was(cast: Cast) -> None:
    for other in (cast.colleague, cast.stranger):
        for method, path, body, scope in _requests(cast):
            answer = cast.call(method, path, other.till_key if scope == "till" else other.merchant_key, body)
            assert answer.status_code == 404, (method, path, answer.json)
            assert answer.json["code"] in ("not-found", "unknown-card", "other-merchant"), (method, path)
        for path, name in (("/v1/programmes", "programmes"), ("/v1/announcements", "announcements")):
            assert cast.call("GET", path, other.merchant_key).json == {name: []}
    assert keys.authenticate(cast.world.ctx, cast.world.founded.till_key)
    for method, path, body, scope in _requests(cast):
        answer = cast.call(method, path, _owner_key(cast, scope), body)
        assert answer.status_code == 200, (method, path, answer.json)


def test_every_answer_has_the_form_that_the_document_gives_it(cast: Cast) -> None:
    document = cast.world.client().get("/openapi/openapi.json").json
    calls = [("GET", "/v1/programmes", None, "read"), ("GET", "/v1/announcements", None, "announce")]
    calls += [("GET", "/v1/stores", None, "read"), ("POST", "/v1/stores", {"name": "Second"}, "manage")]
    seen = set()
    for method, path, body, scope in calls + _requests(cast):
        answer = cast.call(method, path, _owner_key(cast, scope), body)
        operation = _operation(document, method, path)
        seen.add(operation["operationId"])
        form = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**form, "components": document["components"]}).validate(answer.json)
        refused = cast.call(method, path, None, body)
        problem = operation["responses"]["401"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**problem, "components": document["components"]}).validate(refused.json)
    assert len(seen) == 21


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    for pattern, item in document["paths"].items():
        if re.fullmatch(pattern.replace("{id}", "[a-z]+_[0-9a-z]+"), path):
            return dict(item[method.lower()])
    raise AssertionError(f"{path} is not documented")


def test_a_card_of_another_account_and_one_that_never_was_say_nothing_of_each_other(cast: Cast) -> None:
    answer = cast.call("POST", "/v1/lookups", cast.stranger.till_key, {"code": cast.holder.code})
    assert answer.json["code"] == "other-merchant"
    colleague = cast.call("POST", "/v1/lookups", cast.colleague.till_key, {"code": cast.holder.code})
    assert colleague.json["code"] == "unknown-card"


def test_a_key_does_what_its_scopes_say_and_no_more(cast: Cast) -> None:
    for method, path, body, scope in _requests(cast):
        wrong = cast.world.founded.merchant_key if scope == "till" else cast.world.founded.till_key
        answer = cast.call(method, path, wrong, body)
        assert (answer.status_code, answer.json["code"]) == (403, "needs-scope"), (method, path)


def test_no_key_a_junk_key_a_revoked_one_and_one_that_ran_out_are_401(cast: Cast) -> None:
    world = cast.world
    spare, second = world.second_till(), world.second_till()
    assert cast.call("DELETE", f"/v1/keys/{spare.partition('.')[0]}", world.founded.merchant_key).status_code == 200
    owner = replace(world.merchant, scopes=world.merchant.scopes | {"staff"})
    keys.rotate(world.ctx, owner, second.partition(".")[0], world.clock() + timedelta(hours=1))
    assert cast.call("POST", "/v1/lookups", second, {"code": cast.holder.code}).status_code == 200
    world.clock.forward(hours=1)
    good = world.founded.till_key
    mixed = world.founded.merchant_key.partition(".")[0] + "." + good.partition(".")[2]
    for junk in (None, "", "x", ".", good + "x", good[:-1], mixed, "key_unknown.secret", "k" * 500, spare, second):
        answer = cast.call("POST", "/v1/lookups", junk, {"code": cast.holder.code})
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), junk
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    basic = {"Authorization": f"Basic {good}"}
    assert world.client().post("/v1/lookups", json={"code": "x"}, headers=basic).status_code == 401


def test_every_route_is_public_by_decision_or_asks_for_a_key(world: World) -> None:
    client, endpoints = world.client(), set()
    for rule in world.app.url_map.iter_rules():
        endpoints.add(rule.endpoint)
        if rule.endpoint.partition(".")[0] in {blueprint.name for blueprint in CONSOLE}:
            assert rule.rule.startswith(("/console", *ONE_TIME)), "tests/pages/test_console_door.py walks the console"
            continue
        if rule.endpoint in PUBLIC:
            assert not rule.rule.startswith("/v1"), f"{rule.rule} is for keys alone"
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for sent in (None, b"{", b'{"surprise": 1}'):
                answer = client.open(rule.rule.replace("<id>", "1"), method=method, data=sent, content_type=JSON)
                assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), (method, rule.rule, sent)
    assert endpoints >= PUBLIC
    assert len(endpoints - PUBLIC) >= 19


def test_every_route_of_the_interface_opens_to_its_own_scope_alone(world: World) -> None:
    """The whole matrix: a key of each scope at every route."""
    with world.ctx.change() as tx:
        till = world.till.till_id
        made = {
            scope: keys.make_key(
                tx, world.founded.account_id, world.founded.merchant_id, till, frozenset({scope}), world.clock()
            )
            for scope in sorted(keys.SCOPES)
        }
    client, walked = world.client(), set()
    for rule in world.app.url_map.iter_rules():
        named = world.app.view_functions[rule.endpoint].__dict__.get("needs")
        if named is None:
            assert not rule.rule.startswith("/v1"), f"{rule.rule} names no scope"
            continue
        assert named in keys.SCOPES, rule.rule
        walked.add(named)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for scope, key in made.items():
                path = rule.rule.replace("<id>", "x_00000000000000000000").replace("<card>", "x_00000000000000000000")
                answer = client.open(path, method=method, data=b"{", content_type=JSON, headers=world.bearer(key))
                refused = (answer.status_code, (answer.json or {}).get("code")) == (403, "needs-scope")
                assert refused == (scope != named), (method, rule.rule, scope, answer.status_code)
    assert walked == keys.SCOPES


def test_a_key_is_asked_for_before_anything_is_read(cast: Cast) -> None:
    """And only once for each request, whatever the route does afterwards."""
    for method, path, _body, scope in _requests(cast):
        wrong = cast.world.founded.merchant_key if scope == "till" else cast.world.founded.till_key
        for sent in (b"{", b"[]", b'{"surprise": 1}'):
            answer = cast.world.client().open(
                path, method=method, data=sent, content_type=JSON, headers=cast.world.bearer(wrong)
            )
            assert (answer.status_code, answer.json["code"]) == (403, "needs-scope"), (method, path)


def test_a_request_is_authenticated_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str | None] = []
    authenticate = keys.authenticate
    monkeypatch.setattr(keys, "authenticate", lambda ctx, key: (looked.append(key), authenticate(ctx, key))[1])
    for method, path, body, scope in _requests(cast):
        looked.clear()
        assert cast.call(method, path, _owner_key(cast, scope), body).status_code == 200
        assert len(looked) == 1, (method, path)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b'{"code": ', "This is not JSON: it breaks off before its end."),
        (b'{"code":\n "x",}', "This is not JSON: look at line 2, column 6."),
        (b"code=x", "This is not JSON: look at line 1, column 1."),
        (b'{"code": "\xff"}', "This is not JSON: it is not written in UTF-8."),
        (b'{"code": ' + b"9" * 5000 + b"}", "This is not JSON: a number in it is far too long."),
        (b"[]", "Send a JSON object: {…}."),
        (b'"{}"', "Send a JSON object: {…}."),
        (b"null", "Send a JSON object: {…}."),
    ],
)
def test_what_is_not_json_is_told_in_our_own_words(world: World, sent: bytes, sentence: str) -> None:
    headers = world.bearer(world.founded.till_key)
    answer = world.client().post("/v1/lookups", data=sent, content_type=JSON, headers=headers)
    assert (answer.status_code, answer.json["code"], answer.json["title"]) == (400, "bad-json", sentence)


def test_json_is_said_to_be_json_and_an_empty_body_is_no_object(world: World) -> None:
    headers, client = world.bearer(world.founded.till_key), world.client()
    answer = client.post("/v1/lookups", data=b'{"code": "x"}', content_type="text/plain", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "bad-json")
    assert "Content-Type: application/json" in answer.json["title"]
    answer = client.post("/v1/lookups", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert answer.json["faults"] == [{"path": "body", "sentence": "Send a JSON object."}]
    answer = client.post("/v1/lookups", json={"cod": "x"}, headers=headers)
    said = {fault["path"]: fault["sentence"] for fault in answer.json["faults"]}
    assert said == {"code": "This is required.", "cod": "There is no such field."}


def test_what_the_web_server_refuses_is_told_in_our_own_words(world: World) -> None:
    client = world.client()
    for path in ("/v1/nothing", "/console/nothing", "/start/a/b", "/pair/a/b/c", "/asset/x", "/trust/x", "/rate"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json["title"]) == (404, "There is nothing at this address."), path
        assert answer.mimetype == "application/problem+json"
    answer = client.put("/v1/sales")
    assert answer.json["title"] == "This address does not take PUT; it takes POST."
    assert "POST" in answer.headers["Allow"]
    large = client.post("/v1/sales", data=b"x" * 300_000, headers=world.bearer(world.founded.till_key))
    assert "larger than this server takes" in large.json["title"]


def test_every_refusal_is_a_problem_document_with_a_request_id(cast: Cast) -> None:
    world, till, code = cast.world, cast.world.founded.till_key, cast.holder.code
    sale = {"code": code, "receipt": "5", "currency": "EUR", "amount_minor": 100}
    attempts = [
        (404, "not-found", world.client().get("/v1/nothing")),
        (405, "method-not-allowed", world.client().put("/v1/sales")),
        (401, "unauthenticated", cast.call("POST", "/v1/sales", None, sale)),
        (422, "invalid", cast.call("POST", "/v1/sales", till, {})),
        (422, "invalid", cast.call("POST", "/v1/sales", till, sale | {"surprise": 1})),
        (422, "invalid", cast.call("POST", "/v1/sales", till, sale | {"amount_minor": 1.5})),
        (422, "invalid", cast.call("POST", "/v1/sales", till, sale | {"amount_minor": 2**53})),
        (422, "invalid", cast.call("POST", "/v1/sales", till, sale | {"receipt": "nul\x00"})),
        (422, "invalid", cast.call("POST", "/v1/sales/%20/reversal", till, {})),
        (400, "unreadable-code", cast.call("POST", "/v1/sales", till, sale | {"code": "hello"})),
        (400, "wrong-currency", cast.call("POST", "/v1/sales", till, sale | {"currency": "USD"})),
        (400, "implausible-time", cast.call("POST", "/v1/sales", till, sale | {"occurred_at": "2020-01-01T00:00:00Z"})),
        (
            400,
            "implausible-time",
            cast.call("POST", "/v1/sales", till, sale | {"occurred_at": "0001-01-01T00:00:00+14:00"}),
        ),
        (
            409,
            "not-enough",
            cast.call("POST", "/v1/redemptions", till, {"code": code, "amount": 999, "reference": "5"}),
        ),
        (
            409,
            "not-spendable",
            cast.call(
                "POST", "/v1/redemptions", till, {"code": code, "amount": 1, "reference": "6", "currency": "status"}
            ),
        ),
        (
            400,
            "unknown-currency",
            cast.call("POST", "/v1/redemptions", till, {"code": code, "amount": 1, "reference": "7", "currency": "x"}),
        ),
        (
            400,
            "idempotency-key-required",
            world.client().post(
                "/v1/tills",
                json={"store": world.founded.store, "name": "2"},
                headers=world.bearer(world.founded.merchant_key),
            ),
        ),
        (
            400,
            "bad-idempotency-key",
            world.client().post("/v1/sales", json=sale, headers=world.bearer(till, "x" * 101)),
        ),
        (413, "request-entity-too-large", cast.call("POST", "/v1/sales", till, sale | {"receipt": "x" * 300_000})),
        (
            400,
            "not-storable",
            cast.call(
                "POST",
                f"/v1/programmes/{world.programme}/versions",
                world.founded.merchant_key,
                {"document": {"n": 10**30}},
            ),
        ),
    ]
    for status, name, answer in attempts:
        assert (answer.status_code, answer.json and answer.json["code"]) == (status, name), answer.json
        assert answer.mimetype == "application/problem+json"
        assert answer.json["status"] == status
        assert answer.json["type"].endswith(name)
        assert answer.json["title"]
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_a_callers_own_request_id_is_kept_if_it_is_plain(cast: Cast) -> None:
    client = cast.world.client()
    assert client.get("/v1/stores", headers={"X-Request-Id": "till-7.42"}).json["request_id"] == "till-7.42"
    for odd in ("x" * 65, "a b", "<script>"):
        assert client.get("/v1/stores", headers={"X-Request-Id": odd}).json["request_id"].startswith("req_")


def test_a_reversal_twice_a_sale_that_earned_nothing_and_an_entry_of_a_sale(cast: Cast) -> None:
    world, till = cast.world, cast.world.founded.till_key
    path = f"/v1/sales/{cast.sale}/reversal"
    first = cast.call("POST", path, till, {})
    again = cast.call("POST", path, till, {})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = cast.call("POST", path, world.second_till(), {})
    assert (other.status_code, other.json["code"]) == (409, "already-reversed")
    path = f"/v1/sales/{world.sell(cast.holder, 10)['id']}/reversal"
    answer = cast.call("POST", path, till, {"language": "en"})
    assert (answer.status_code, answer.json["entries"]) == (200, [])
    assert answer.json["sentence"].startswith("Reversed: nothing was given, balance ")
    assert cast.call("POST", path, till, {}).headers["Idempotency-Replayed"] == "true"
    other = cast.call("POST", path, world.second_till(), {})
    assert (other.status_code, other.json["code"]) == (409, "already-reversed")
    entry = world.sell(cast.holder, 1000)["entries"][0]["id"]
    answer = cast.call("POST", f"/v1/redemptions/{entry}/reversal", till, {})
    assert (answer.status_code, answer.json["code"]) == (409, "not-reversible")


def test_a_sale_below_zero_is_refused_and_its_receipt_number_stays_free(world: World) -> None:
    holder = world.enrol()

    def sell(**sale: Any) -> TestResponse:
        body = {"code": holder.code, "receipt": "R-1", "currency": "EUR", **sale}
        return world.client().post("/v1/sales", json=body, headers=world.bearer(world.founded.till_key))

    bread, discount = {"sku": "bread", "amount_minor": 1250}, {"category": "discount", "amount_minor": -250}
    for below in ({"amount_minor": -125}, {"lines": [discount]}, {"lines": [bread, discount, *[discount] * 5]}):
        refused = sell(**below)
        assert (refused.status_code, refused.json["code"], refused.json["field"]) == (
            400,
            "negative-sale",
            "amount_minor",
        )
        assert "reverse the sale instead" in refused.json["title"]
    counted = sell(lines=[bread, discount])
    assert (counted.status_code, counted.json["balances"]["points"]) == (200, 10)
    assert "Idempotency-Replayed" not in counted.headers
    assert sell(lines=[bread, {**discount, "amount_minor": -1250}], receipt="R-2").status_code == 200
