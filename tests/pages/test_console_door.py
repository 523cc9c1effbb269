"""Owns what is known about the console's door: who gets in, who is sent away, and requests that others forge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from flask import g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.console import PASSWORD, hire, sign_in, token_in
from tests.pages.house import House
from wallet_server.actions import keys
from wallet_server.actions.staff import AUDITOR, CASHIER, ROLES, attempts, founding, sessions, team
from wallet_server.actions.staff.roles import PARTS
from wallet_server.app import create_app
from wallet_server.records.database import upgrade
from wallet_server.records.staff import staff
from wallet_server.settings import Settings
from wallet_server.web.console import CONSOLE
from wallet_server.web.console.door import SECTIONS, within

OPEN = ("console-sign-in", "console-start")
"""The blueprints before the door; everything else of the console is behind it."""
NOTHING = "x_00000000000000000000"


def enter(house: House, client: FlaskClient, email: str) -> None:
    """Give a browser a session, without the work of a password."""
    with house.ctx.change() as tx:
        row = staff.by_email(tx, email)
        assert row is not None
        entered = sessions.begin(tx, row, "test", False, house.ctx.now())
    client.set_cookie("session", entered.secret)


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def _browser(house: House, email: str) -> tuple[FlaskClient, str]:
    client = house.app.test_client()
    enter(house, client, email)
    return client, token_in(client.get("/console/more"))


# ---------------------------------------------------------------------- every route


def routes(house: House) -> Iterator[tuple[str, str]]:
    """Method and path of everything behind the door, with ids of nothing."""
    ours = {blueprint.name for blueprint in CONSOLE} - set(OPEN)
    for rule in house.app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[0] in ours:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, re.sub(r"<[^>]+>", NOTHING, re.sub(r"<int:[^>]+>", "1", rule.rule))


def test_every_route_of_the_console_lets_in_its_roles_alone(house: House) -> None:
    emails = {role: hire(house, role) for role in ROLES}
    browsers = {role: _browser(house, email) for role, email in emails.items()}
    named: dict[str, tuple[str, ...]] = {}
    found = list(routes(house))
    assert len(found) > 20
    for method, path in found:
        for role in ROLES:
            client, token = browsers[role]
            with client:
                answer = client.open(path, method=method, data={"csrf": token} if method == "POST" else None)
                asked = g.get("asked_roles", ())
            if path.endswith("/sessions/end"):
                browsers[role] = _browser(house, emails[role])
            assert asked, f"{method} {path} names no role"
            assert set(asked) <= set(ROLES)
            named |= {path: asked} if method == "GET" else {}
            assert (answer.status_code == 403) == (role not in asked), (method, path, role, answer.status_code)
            assert answer.status_code < 500, (method, path, role)
            if NOTHING in path and role in asked:
                assert answer.status_code in (303, 400, 404), (method, path, role, answer.status_code)
    for section in SECTIONS:
        assert named.get(section.path, section.roles) == section.roles


def test_the_table_of_roles_is_what_each_page_asks(house: House) -> None:
    """Every part of the console has its page, and what stands in the table is what the page was asked for."""
    parts = {name: rights for name, rights in PARTS.items() if rights.change or rights.see}
    asked: dict[str, set[str]] = {"see": set(), "change": set()}
    client, token = _browser(house, hire(house))
    for method, path in routes(house):
        with client:
            client.open(path, method=method, data={"csrf": token} if method == "POST" else None)
            part, verb = g.get("asked_part", ("", ""))
        if path.endswith("/sessions/end"):
            client, token = _browser(house, hire(house))
        asked[verb].add(part)
    assert asked["see"] >= {name for name, rights in parts.items() if rights.see} - {"pin"}
    assert asked["change"] >= {name for name, rights in parts.items() if rights.change}
    for name, rights in parts.items():
        assert set(rights.change) <= set(rights.see), name
        assert AUDITOR not in rights.change or name in ("home", "account"), f"an auditor changes nothing: {name}"
        assert CASHIER not in rights.see or name in ("today", "home", "account", "pin"), name
    assert CASHIER not in PARTS["announce"].see
    assert AUDITOR not in {*PARTS["members"].see, *PARTS["tickets"].see, *PARTS["addressees"].see}


def test_strangers_are_sent_to_sign_in_by_every_route(house: House) -> None:
    client = house.app.test_client()
    token = token_in(client.get("/console/sign-in"))
    for method, path in routes(house):
        data = {"csrf": token} if method == "POST" else None
        answer = client.open(path, method=method, data=data)
        assert answer.status_code == 303, (method, path)
        assert urlsplit(answer.location).path == "/console/sign-in", (method, path)


def test_no_post_of_the_console_is_taken_without_the_token_of_its_session(house: House) -> None:
    mine, other = house.app.test_client(), house.app.test_client()
    for client in (mine, other):
        enter(house, client, hire(house))
    foreign = token_in(other.get("/console/more"))
    own = token_in(mine.get("/console/more"))
    everything = {path for method, path in routes(house) if method == "POST"}
    everything |= {"/console/sign-in", "/console/sign-out", "/console/second", "/console/forgotten", "/start"}
    everything |= {f"/{one}/{NOTHING}" for one in ("start", "invite", "reset", "enter")}
    everything |= {"/console/passkey", "/console/passkey/question"}
    for path in sorted(everything):
        for data in ({}, {"csrf": foreign}, {"csrf": own[:-1] + ("0" if own[-1] != "0" else "1")}):
            assert mine.post(path, data=data).status_code == 403, (path, data)
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
        ):
            assert mine.post(path, data={"csrf": own}, headers=headers).status_code == 403, (path, headers)
    assert mine.get("/console/more").status_code == 200, "nothing of all this was done"
    kept = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    assert mine.post("/console/sign-out", data={"csrf": own}, headers=kept).status_code == 303


def test_colleagues_of_another_shop_are_not_found(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house, merchant_key=house.stranger.merchant_key)
    email = hire(house, "cashier")
    with house.ctx.look() as tx:
        theirs = staff.by_email(tx, email)
    assert theirs is not None
    for act in ("role", "disable", "enable", "reset"):
        data = {"csrf": token, "role": "owner", "secret": "s" * 43}
        assert client.post(f"/console/team/{theirs.public_id}/{act}", data=data).status_code == 404
    assert theirs.public_id not in text_of(client, "/console/team")


# ---------------------------------------------------------------------- signing in


def test_an_owner_signs_in_and_out_and_comes_back_where_they_were(client: FlaskClient, house: House) -> None:
    asked = client.get("/console/team?lang=fr")
    assert asked.location == "/console/sign-in?next=%2Fconsole%2Fteam%3Flang%3Dfr"
    page = client.get(asked.location)
    assert 'value="/console/team?lang=fr"' in page.get_data(as_text=True)
    form = {"csrf": token_in(page), "email": hire(house), "password": PASSWORD, "next": "/console/team?lang=fr"}
    entered = client.post("/console/sign-in", data=form)
    assert entered.location == "/console/team?lang=fr"
    assert "Équipe" in text_of(client, entered.location)
    assert "Boulangerie &amp; Fils" in text_of(client, "/console/team")
    token = token_in(client.get("/console/team"))
    kept = client.get_cookie("session")
    assert client.post("/console/sign-out", data={"csrf": token}).status_code == 303
    assert kept is not None
    client.set_cookie("session", kept.value)
    assert client.get("/console/team").status_code == 303, "the session itself has ended"


def test_a_wrong_password_and_a_stranger_are_told_the_same(client: FlaskClient, house: House) -> None:
    email = hire(house)
    token = token_in(client.get("/console/sign-in"))
    answers = [
        client.post("/console/sign-in", data={"csrf": token, "email": one, "password": "no such word"})
        for one in (email, "nobody@example.com")
    ]
    assert [one.status_code for one in answers] == [400, 400]
    first, second = (one.get_data(as_text=True) for one in answers)
    assert first.replace(email, "") == second.replace("nobody@example.com", "")
    assert 'role="alert"' in first
    assert "no such word" not in first


def test_the_session_is_a_new_one_at_sign_in_and_its_cookie_is_guarded(client: FlaskClient, house: House) -> None:
    client.set_cookie("session", "planted")
    form = {"csrf": token_in(client.get("/console/sign-in")), "email": hire(house), "password": PASSWORD}
    plain = client.post("/console/sign-in", data={**form, "remember": "yes"}).headers.getlist("Set-Cookie")
    (cookie,) = [one for one in plain if one.startswith("session=")]
    assert "planted" not in cookie
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=2592000"} <= set(cookie.split("; "))
    secure = house.app.test_client()
    over = {"base_url": "https://localhost"}
    form["csrf"] = token_in(secure.get("/console/sign-in", **over))
    answer = secure.post("/console/sign-in", data=form, **over)
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-session=")]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Max-Age" not in cookie, "it ends with the browser where nobody asked for more"
    assert secure.get("/console/more", **over).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/console/../x\n",
        "/consoles",
        "",
    ],
)
def test_nobody_is_led_astray_after_signing_in(house: House, wanted: str) -> None:
    with house.app.test_request_context():
        assert within(wanted) == "/console"
        assert within("/console/team?done=x") == "/console/team?done=x"


def test_the_second_factor_is_set_up_asked_for_and_replaced_by_a_backup_code(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    assert "7 days left" in text_of(client, "/console/more")
    assert client.post("/console/account/app/start", data={"csrf": token}).location == "/console/account/app"
    page = text_of(client, "/console/account/app")
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page)
    assert secret
    totp = pyotp.TOTP(secret.group(1).replace(" ", ""))
    assert client.post("/console/account/app", data={"csrf": token, "code": "000000"}).status_code == 400
    spent = totp.now()
    codes_page = client.post("/console/account/app", data={"csrf": token, "code": spent}).get_data(as_text=True)
    codes = re.findall(r"<code>([A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4})</code>", codes_page)
    assert len(codes) == 8
    assert "days left" not in text_of(client, "/console/more")
    email = re.search(r'class="lead">([^ ]+@example.com)', text_of(client, "/console/account"))
    assert email

    other = house.app.test_client()
    form = {"csrf": token_in(other.get("/console/sign-in")), "email": email.group(1), "password": PASSWORD}
    answer = other.post("/console/sign-in", data={**form, "next": "/console/team"})
    assert answer.location == "/console/second?next=/console/team"
    assert other.get("/console/team").location.startswith("/console/second")
    token = token_in(other.get("/console/second"))
    assert other.post("/console/second", data={"csrf": token, "code": spent}).status_code == 400, "used already"
    entered = other.post("/console/second", data={"csrf": token, "code": codes[0], "next": "/console/team"})
    assert entered.location == "/console/team"
    assert other.get("/console/team").status_code == 200


def test_an_app_that_was_begun_is_not_finished_by_who_finds_the_browser_later(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, other = hire(house), house.app.test_client()
    enter(house, client, email)
    enter(house, other, email)
    token = token_in(client.get("/console/more"))
    assert client.post("/console/account/app/start", data={"csrf": token}).location == "/console/account/app"
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', text_of(client, "/console/account/app"))
    assert secret
    totp = pyotp.TOTP(secret.group(1).replace(" ", ""))
    now = house.ctx.now()
    with monkeypatch.context() as later:
        later.setattr(house.ctx, "clock", lambda: now + timedelta(minutes=31))
        assert secret.group(1) not in text_of(client, "/console/account/app")
        refused = client.post("/console/account/app", data={"csrf": token, "code": totp.now()})
        assert "sign out, sign in again" in refused.get_data(as_text=True)
    assert other.get("/console/more").status_code == 200
    done = client.post("/console/account/app", data={"csrf": token, "code": totp.now()}).get_data(as_text=True)
    assert len(re.findall(r"<code>[A-Z0-9-]{14}</code>", done)) == 8
    assert client.get("/console/more").status_code == 200
    assert other.get("/console/more").location.startswith("/console/sign-in"), "a password alone had let it in"


def test_an_owner_who_put_it_off_may_only_set_it_up(client: FlaskClient, house: House) -> None:
    email = hire(house)
    with house.ctx.change() as tx:
        row = staff.by_email(tx, email)
        assert row is not None
        staff.change(tx, row.id, {"created_at": row.created_at.replace(year=2020)})
    enter(house, client, email)
    assert client.get("/console/team").location == "/console/account#second"
    assert client.get("/console/account").status_code == 200
    assert "The first days are over" in text_of(client, "/console/account")


def test_a_browser_that_signed_in_before_is_not_held_up_by_strangers(house: House) -> None:
    email, mine, stranger = hire(house), house.app.test_client(), house.app.test_client()

    def tried(browser: FlaskClient, password: str) -> int:
        form = {"csrf": token_in(browser.get("/console/sign-in")), "email": email, "password": password}
        return browser.post("/console/sign-in", data=form, environ_base={"REMOTE_ADDR": "81.2.69.142"}).status_code

    assert tried(mine, PASSWORD) == 303
    cookie = mine.get_cookie("known")
    assert cookie
    assert cookie.http_only
    assert mine.post("/console/sign-out", data={"csrf": token_in(mine.get("/console/more"))}).status_code == 303
    assert [tried(stranger, "not the password") for _ in range(attempts.NEAR.free)] == [400] * attempts.NEAR.free
    assert tried(stranger, PASSWORD) == 400
    assert tried(mine, PASSWORD) == 303
    form = {"csrf": token_in(mine.get("/console/more")), "old": PASSWORD, "password": "another word 9"}
    assert mine.post("/console/account/password", data=form).status_code == 303
    fresh = mine.get_cookie("known")
    assert fresh
    assert fresh.value != cookie.value, "this browser changed it, so it goes on being known"


def test_the_way_back_keeps_all_of_its_question(house: House) -> None:
    email, client = hire(house), house.app.test_client()
    with house.ctx.change() as tx:
        row = staff.by_email(tx, email)
        assert row is not None
        staff.change(tx, row.id, {"totp_confirmed_at": house.ctx.now()})
    wanted = "/console/members?q=a&before=30"
    form = {"csrf": token_in(client.get("/console/sign-in")), "email": email, "password": PASSWORD, "next": wanted}
    answer = client.post("/console/sign-in", data=form)
    assert parse_qs(urlsplit(answer.location).query) == {"next": [wanted]}
    assert f'value="{wanted}"'.replace("&", "&amp;") in text_of(client, answer.location)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://localhost:8080", "http://backend"])
def test_where_the_public_address_is_https_cookies_are_so_whatever_the_proxy_passes_on(
    tmp_path: Path, host: str
) -> None:
    plain = Settings(data_dir=tmp_path, sign_up="open", base_url="https://shop.example.com", log_level="error")
    upgrade(plain.database)
    visitor, over = create_app(plain).test_client(), {"base_url": host, "headers": {"Accept": "text/html"}}
    page = visitor.get("/start", **over)
    visitor.set_cookie("__Host-visitor", _set(page)["__Host-visitor"], domain=urlsplit(host).hostname or "")
    form = {"csrf": token_in(page), "shop": "Chez Zoé", "name": "Zoé", "email": "zoe@example.com", "zone": ""}
    answer = visitor.post("/start", data={**form, "password": "three words apart"}, **over)
    assert answer.status_code == 303
    for given in [*page.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")]:
        assert given.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(given.split("; "))
    assert {"__Host-session", "__Host-known"} <= _set(answer).keys()


def _set(answer: TestResponse) -> dict[str, str]:
    pairs = (one.partition(";")[0].partition("=") for one in answer.headers.getlist("Set-Cookie"))
    return {name: value for name, _, value in pairs}


# ---------------------------------------------------------------------- links


def test_an_invitation_leads_into_the_team(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    form = {"csrf": token, "role": "marketer", "email": "", "secret": "s" * 43}
    page = client.post("/console/team/invitations", data=form).get_data(as_text=True)
    link = re.search(r'id="address" value="([^"]+)"', page)
    assert link
    assert link.group(1) == f"{house.base}/invite/{'s' * 43}"
    assert "<svg" in page
    assert link.group(1) not in text_of(client, "/console/team"), "it is shown once"

    zoe = house.app.test_client()
    path = urlsplit(link.group(1)).path
    shown = zoe.get(path)
    assert "look after the card" in shown.get_data(as_text=True)
    answers = {"csrf": token_in(shown), "name": "Zoé", "email": f"zoe-{house.base[-4:]}@example.com"}
    weak = zoe.post(path, data={**answers, "password": "password123"})
    assert weak.status_code == 400
    assert "Many people use this password" in weak.get_data(as_text=True)
    assert zoe.post(path, data={**answers, "password": "three words apart"}).location == "/console"
    assert zoe.get("/console/team").status_code == 403
    assert "This is not part of your role" in text_of(zoe, "/console/team")
    gone = house.app.test_client().get(path, headers={"Accept": "text/html"})
    assert gone.status_code == 404
    assert "no longer works" in gone.get_data(as_text=True)
    assert "Zoé" in text_of(client, "/console/team")


def test_the_team_sees_who_did_what(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    form = {"csrf": token, "role": "marketer", "email": "", "secret": "d" * 43}
    client.post("/console/team/invitations", data=form)
    assert "Owner made an invitation: Marketer." in text_of(client, "/console/team")
    assert "Owner a fait une invitation\u00a0: Communication." in text_of(client, "/console/team?lang=fr")
    ends = (house.ctx.now() + timedelta(days=2)).date().isoformat()
    draft = client.post("/console/announce", data={"csrf": token, "text-fr": "Demain", "ends": ends}).location
    assert client.post(f"{draft}/send", data={"csrf": token}).location.endswith("done=sent")
    assert client.post(f"{draft}/recall", data={"csrf": token}).location.endswith("done=recalled")
    shown = text_of(client, draft)
    for heading in ("Sent by", "Recalled by"):
        assert re.search(rf"<dt>{heading}</dt><dd>Owner, ", shown), shown
    assert f'<a href="{draft}">Owner recalled an announcement.</a>' in text_of(client, "/console/team")
    for odd in ("0", "x", "9" * 30):
        assert client.get(f"/console/team?before={odd}").status_code == 200


def test_the_demonstration_shop_is_entered_from_the_first_page(client: FlaskClient, house: House) -> None:
    merchant = keys.authenticate(house.ctx, house.shop.merchant_key).principal
    secret = team.demo_link(house.ctx, merchant, "Claire", "claire@example.com")
    link = re.search(r'href="(/enter/[^"]+)"', text_of(client, f"/?console={secret}"))
    assert link
    token = token_in(client.get(link.group(1)))
    assert client.post(link.group(1), data={"csrf": token}).location == "/console"
    more = client.get("/console/more")
    assert (more.status_code, more.headers["Content-Language"]) == (200, "en"), "as the page on which they pressed"
    french = client.get("/console/more", headers={"Accept-Language": "fr"})
    assert french.headers["Content-Language"] == "en", "the language is the person's now"
    assert 'href="/console"' in text_of(client, f"/?console={secret}")


def test_a_shop_is_founded_in_the_browser(tmp_path: Path) -> None:
    plain = Settings(data_dir=tmp_path, sign_up="open", base_url="https://shop.example.com", log_level="error")
    upgrade(plain.database)
    visitor = create_app(plain).test_client()
    over = {"base_url": "https://shop.example.com", "headers": {"Accept": "text/html"}}
    assert visitor.get(f"/start/{NOTHING}", **over).status_code == 404
    page = visitor.get("/start", **over)
    assert f'value="{founding.ZONE}"' in page.get_data(as_text=True)
    form = {"csrf": token_in(page), "shop": "Chez Zoé", "name": "Zoé", "email": "zoe@example.com", "zone": ""}
    wrong = visitor.post("/start", data={**form, "password": "short"}, **over)
    assert wrong.status_code == 400
    assert 'value="Chez Zoé"' in wrong.get_data(as_text=True)
    assert visitor.post("/start", data={**form, "password": "three words apart"}, **over).location == "/console"
    assert "Chez Zoé" in visitor.get("/console/more", **over).get_data(as_text=True)
    assert "https:" not in visitor.get("/console/sign-in", **over).get_data(as_text=True)
    elsewhere = create_app(replace(plain, base_url="http://shop.example.com")).test_client()
    told = elsewhere.get("/console/sign-in", base_url="http://shop.example.com").get_data(as_text=True)
    assert "Open this page with https:" in told, "a cookie would not stay"
