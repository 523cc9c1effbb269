"""Owns what is known about the page on which a shop makes its card: the live form, drafts, publication."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageDraw
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House, Shop
from wallet_server.actions import keys
from wallet_server.actions.context import new_id
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.records.programme import drafts, programmes
from wallet_server.rules.programme.program_default import default_document

FIELD = re.compile(r'<input(?=[^>]*name="(?P<name>\w+)")(?=[^>]*value="(?P<value>[^"]*)")[^>]*>')


@pytest.fixture
def shop(house: House) -> Shop:
    """A shop that was founded in the browser: a programme without any version."""
    made = programs.found(house.ctx, "Chez Marie", programs.NewStore("Chez Marie"))
    with house.ctx.change() as tx:
        code = new_id("j")[2:14]
        programme = programmes.add_programme(tx, new_id("prog"), made.account_id, "x", code, 1, house.ctx.now())
        programmes.join_programme(tx, programme, made.merchant_id, house.ctx.now())
    return Shop(code, made.merchant_key, made.till_key)


def second_programme(house: House, shop: Shop, name: str) -> tuple[str, str]:
    """A further programme of the shop, without a version: its id and the code to join it."""
    scope = keys.authenticate(house.ctx, shop.merchant_key)
    second, code = new_id("prog"), new_id("j")[2:14]
    with house.ctx.change() as tx:
        key = programmes.add_programme(tx, second, scope.account_id, name, code, 1, house.ctx.now())
        programmes.join_programme(tx, key, scope.merchant_id, house.ctx.now())
    return second, code


class Form:
    """The form as a browser without scripts fills and sends it."""

    def __init__(self, client: FlaskClient, csrf: str, programme: str = "") -> None:
        self.client, self.csrf = client, csrf
        self.path = f"/console/card?programme={programme}" if programme else "/console/card"
        self.open()

    def open(self) -> str:
        self.page = self.client.get(self.path).get_data(as_text=True)
        form = self.page.partition('id="designer"')[2]
        self.fields: dict[str, Any] = {}
        for found in FIELD.finditer(form):
            radio = 'type="radio"' in found[0] or 'type="checkbox"' in found[0]
            if (not radio or " checked" in found[0]) and 'form="nothing"' not in found[0]:
                self.fields[found["name"]] = found["value"]
        return self.page

    def send(self, do: str, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        self.fields |= changes
        body = {**self.fields, "csrf": self.csrf, "do": do}
        return self.client.post(self.path, data=body, headers=headers)

    def live(self, **changes: Any) -> dict[str, Any]:
        answer = self.send("live", {"X-Part": "live"}, **changes)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.fields["revision"] = str(answer.json["revision"])
        facts: dict[str, Any] = answer.json
        return facts

    def confirm(self) -> TestResponse:
        path = self.path.replace("/card", "/card/publish")
        page = self.client.get(path).get_data(as_text=True)
        shown = dict(re.findall(r'name="(revision|version)" value="(\d+)"', page))
        action = re.search(r'<form method="post" action="([^"]*/card/publish[^"]*)"', page)
        assert action, page
        return self.client.post(action[1].replace("&amp;", "&"), data={**shown, "csrf": self.csrf})


@pytest.fixture
def form(house: House, client: FlaskClient, shop: Shop) -> Form:
    return Form(client, sign_in(client, house, merchant_key=shop.merchant_key))


def version(house: House, shop: Shop) -> int:
    with house.ctx.look() as tx:
        return programmes.programme_to_join(tx, shop.join_code).version


def picture(size: tuple[int, int] = (300, 200), colour: str = "#b41e1e") -> bytes:
    drawn = Image.new("RGBA", size)
    ImageDraw.Draw(drawn).ellipse((40, 40, size[0] - 40, size[1] - 40), fill=colour)
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def test_only_the_reward_must_be_typed(house: House, shop: Shop, form: Form) -> None:
    assert form.fields["name"] == "Chez Marie"
    assert "Not published yet" in form.page
    assert "Write what they get" not in form.page, "nobody is blamed before having typed"
    refused = form.send("publish")
    assert refused.status_code == 400
    assert "Write what they get, for example: a coffee." in refused.get_data(as_text=True)
    form.open()
    assert form.send("publish", reward_en="a coffee").location.endswith("/console/card/publish")
    assert form.client.get(f"/join/{shop.join_code}").status_code != 200
    assert form.confirm().location.endswith("/console/card/published?first=yes")
    for path in ("", "/published"):
        assert "Version 1 was published by Owner on " in form.client.get(f"/console/card{path}").get_data(as_text=True)
    assert version(house, shop) == 1
    assert "10 stamps = a free coffee" in form.client.get(f"/join/{shop.join_code}?lang=en").get_data(as_text=True)
    assert "Pair a phone as a till" in form.client.get("/console/card/published?first=yes").get_data(as_text=True)
    assert "Published" in form.open()


def test_a_reward_typed_in_french_alone_is_told_of_and_stands_as_it_is(shop: Shop, form: Form) -> None:
    missing = "English cards will show the French words"
    news = form.live(reward_fr="un café offert")
    assert missing in news["notes"]["reward_en"]["html"]
    assert "10 stamps = un café offert." in news["says"]
    shown = news["parts"]["shown"]
    assert shown.index('class="promises"') < shown.index("phone-card"), "both sentences before the card"
    form.send("publish")
    assert missing in form.client.get("/console/card/publish").get_data(as_text=True)
    form.confirm()
    assert missing in form.open(), "after the publication, too"
    joining = form.client.get(f"/join/{shop.join_code}?lang=en").get_data(as_text=True)
    assert "10 stamps = un café offert" in joining
    assert "free" not in joining.partition("<main")[2].partition("10 stamps = ")[2][:40]
    form.live(reward_en="a coffee")
    assert missing not in form.open()


def test_the_card_follows_what_is_typed(form: Form) -> None:
    news = form.live(reward_fr="un café", reward_en="a coffee", stamps="8", chosen="#6b1f33")
    assert news["says"] == "1 stamp for each visit. 8 stamps = a free coffee."
    assert "8 tampons = un café offert" in news["parts"]["shown"]
    for drawn in ("s0-8", "s4-8", "s8-8"):
        assert f"/{drawn}.png" in news["parts"]["shown"]
    assert news["palettes"][0].startswith("/palette/6b1f33-")
    strip = re.search(r'src="(/console/card/strip/[^"]+s4-8\.png)"', news["parts"]["shown"])
    assert strip is not None
    drawn_picture = form.client.get(strip[1])
    assert Image.open(io.BytesIO(drawn_picture.data)).size == (750, 288)
    points = form.live(kind="points", cost="50", name="B" * 40)
    assert "50 points" in points["says"]
    assert "Google recommends at most 20 characters" in points["notes"]["name"]["html"]
    assert 'value="BBBB' in form.open(), "what was typed is a draft"


NOTED = (
    ({"stamps": "21"}, "stamps", "from 2 to 20"),
    ({"value": "deux"}, "value", "2 or 2.50"),
    ({"kind": "points", "tier2_at": "900", "tier3_at": "800"}, "tier3_at", "more than 900"),
    ({"kind": "points", "tier1_en": "Neighbour"}, "tier1_en", "at most 7 characters"),
    ({"kind": "points"}, "reward_fr", "what the points are for"),
    ({"reward_en": "x" * 61}, "reward_en", "there are 61"),
    ({"chosen": "own", "colour": "#777777"}, "colour", "halfway between"),
    ({"reward_en": "a 🥐"}, "reward_en", "in its own way"),
    ({"welcome": "10", "reward_en": "a tea"}, "welcome", "enough for the reward"),
    ({"name": "Boulangerie-pâtisserie du Vieux-Marché"}, "name", "An iPhone cuts this name: Boulangerie"),
)


def test_what_is_wrong_or_will_not_show_stands_at_its_field(form: Form) -> None:
    clean = dict(form.fields)
    for changes, field, said in NOTED:
        assert said not in form.live(**{**clean, "revision": form.fields["revision"]})["notes"][field]["html"]
        assert said in form.live(**changes)["notes"][field]["html"], changes


def test_a_coupon_for_joining_is_promised_given_and_taken_away_again(house: House, shop: Shop, form: Form) -> None:
    notes = form.live(reward_en="a coffee", days="30")["notes"]
    assert not notes["coupon_en"]["wrong"], "nobody is blamed before having typed"
    refused = form.send("publish").get_data(as_text=True)
    assert "Write what the coupon is good for" in refused
    form.open()
    told = form.live(coupon_en="A free tea", coupon_fr="Un thé offert", terms_en="In the morning.", days="0")
    assert told["notes"]["days"]["wrong"]
    told = form.live(days="30")
    assert "Welcome coupon: A free tea. In the morning. Valid for 30 days." in told["says"]
    assert form.send("publish").location.endswith("/publish")
    form.confirm()
    asked = form.client.get(f"/join/{shop.join_code}?lang=en").get_data(as_text=True)
    assert "Welcome coupon: A free tea. In the morning. Valid for 30 days." in asked
    assert len(enrol.join(house.ctx, shop.join_code, enrol.Joining())["coupons"]) == 1
    form.open()
    assert (form.fields["coupon_fr"], form.fields["days"]) == ("Un thé offert", "30")
    empty = dict.fromkeys(("coupon_fr", "coupon_en", "terms_fr", "terms_en", "days"), "")
    assert form.send("publish", **empty).location.endswith("/publish")
    page = form.client.get("/console/card/publish").get_data(as_text=True)
    assert "Welcome gift, for new members" in page
    form.confirm()
    assert enrol.join(house.ctx, shop.join_code, enrol.Joining())["coupons"] == []


def test_two_windows_do_not_overwrite_each_other_silently(house: House, form: Form) -> None:
    other = Form(form.client, form.csrf)
    form.live(reward_en="a coffee")
    lost = other.send("live", {"X-Part": "live"}, reward_en="a tea")
    assert lost.status_code == 409
    assert "Nothing was overwritten" in lost.json["moved"]
    assert "a coffee" in Form(form.client, form.csrf).page
    without = other.send("preview")
    assert without.status_code == 409
    assert "Keep mine" in without.get_data(as_text=True)
    assert 'value="a tea"' in without.get_data(as_text=True), "what was typed here is still there"
    assert other.send("over").status_code == 303
    assert "a tea" in Form(form.client, form.csrf).page


def test_a_window_whose_answer_was_lost_goes_on(form: Form) -> None:
    stale = dict(form.fields)
    form.live(reward_en="a coffee")
    form.fields = stale
    assert form.live(reward_en="a coffee and a cake")["revision"] == 2


def test_publishing_says_what_changes_for_how_many_and_happens_once(house: House, shop: Shop, form: Form) -> None:
    form.live(reward_en="a coffee", reward_fr="un café")
    form.confirm()
    house.member(shop)
    form.open()
    form.live(stamps="12", name="Chez Marie et Paul")
    page = form.client.get("/console/card/publish").get_data(as_text=True)
    assert "1 customer has this card" in page
    assert "12 stamps = a free coffee" in page
    assert "10 stamps = a free coffee" in page
    shown = dict(re.findall(r'name="(revision|version)" value="(\d+)"', page))
    answers = [form.client.post("/console/card/publish", data={**shown, "csrf": form.csrf}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert version(house, shop) == 2
    form.live(stamps="11")
    late = form.client.post("/console/card/publish", data={**shown, "csrf": form.csrf})
    assert late.status_code == 409
    assert "Look at it again before you publish it" in late.get_data(as_text=True)
    assert version(house, shop) == 2


def test_a_shop_with_several_programmes_chooses_and_each_has_its_draft(
    house: House, client: FlaskClient, shop: Shop
) -> None:
    token = sign_in(client, house, merchant_key=shop.merchant_key)
    with house.ctx.look() as tx:
        first = programmes.programme_to_join(tx, shop.join_code).public_id
    assert "Which card?" not in client.get("/console/card").get_data(as_text=True)
    second, code = second_programme(house, shop, "Le midi")
    page = client.get("/console/card?lang=en").get_data(as_text=True)
    assert re.findall(r'href="[^"]*programme=(\w+)&amp;lang=en"( aria-current="page")?>', page) == [
        (first, ' aria-current="page"'),
        (second, ""),
    ]
    Form(client, token).live(reward_en="a coffee")
    lunch = Form(client, token, second)
    assert lunch.fields["reward_en"] == "", "the other one's draft stays its own"
    lunch.live(reward_en="a soup")
    assert Form(client, token).fields["reward_en"] == "a coffee"
    assert Form(client, token, second).fields["reward_en"] == "a soup"
    done = lunch.confirm()
    assert done.status_code == 303
    assert f"programme={second}" in done.headers["Location"]
    assert code in client.get(done.headers["Location"]).get_data(as_text=True), "the link to join this one"
    assert (version(house, shop), version(house, replace(shop, join_code=code))) == (0, 1)


@pytest.mark.parametrize("name", ["the stranger's", "prog_none", "x'%00", ""])
def test_nobody_chooses_a_programme_that_is_not_theirs(
    house: House, client: FlaskClient, shop: Shop, name: str
) -> None:
    token = sign_in(client, house, merchant_key=shop.merchant_key)
    with house.ctx.look() as tx:
        row = programmes.programme_to_join(tx, house.stranger.join_code)
    asked = f"?programme={row.public_id if 'stranger' in name else name}"
    for path in ("", "/publish", "/published"):
        assert client.get(f"/console/card{path}{asked}").status_code == 404
    assert client.post(f"/console/card{asked}", data={"csrf": token, "do": "live"}).status_code == 404
    wanted = {"csrf": token, "revision": "0", "version": str(row.version)}
    assert client.post(f"/console/card/publish{asked}", data=wanted).status_code == 404
    with house.ctx.look() as tx:
        assert drafts.draft(tx, keys.authenticate(house.ctx, house.stranger.merchant_key), row.id) is None
        assert programmes.programme_to_join(tx, house.stranger.join_code).version == row.version


def test_what_the_form_cannot_say_is_shown_and_left_alone(house: House, client: FlaskClient, shop: Shop) -> None:
    token = sign_in(client, house, merchant_key=shop.merchant_key)
    form = Form(client, token)
    form.live(reward_en="a coffee")
    form.confirm()
    document = default_document("Chez Marie")
    document["currencies"].append({"code": "stamps", "kind": "stamps", "names": {
        "fr": {"one": "tampon", "other": "tampons"}, "en": {"one": "stamp", "other": "stamps"}}})  # fmt: skip
    document["earn"].append({"id": "more", "currency": "points", "per": {"amount_minor": 1000, "points": 5}})
    key = {"Authorization": f"Bearer {shop.merchant_key}", "Idempotency-Key": "made"}
    programme = client.get("/v1/programmes", headers=key).json["programmes"][0]["id"]
    made = client.post(f"/v1/programmes/{programme}/versions", json={"document": document}, headers=key)
    assert made.status_code in (200, 201), made.json
    page = client.get("/console/card").get_data(as_text=True)
    assert "This programme says more than this form can say." in page
    assert 'id="designer"' not in page
    assert client.post("/console/card", data={"csrf": token, "do": "live"}).status_code == 409


@pytest.mark.parametrize(
    ("design", "drawn", "size"),
    [("tiers", "dial50", (750, 288)), ("club", "ring50", (180, 180)), ("gift", "ribbon", (750, 288))],
)
def test_a_design_of_another_kind_shows_what_it_draws(
    house: House, client: FlaskClient, shop: Shop, design: str, drawn: str, size: tuple[int, int]
) -> None:
    sign_in(client, house, merchant_key=shop.merchant_key)
    document = default_document("Chez Marie") | {"design": {"id": design, "version": 1}}
    if design == "gift":
        document["currencies"][0] |= {"kind": "money", "iso": "EUR", "exponent": 2}
    key = {"Authorization": f"Bearer {shop.merchant_key}", "Idempotency-Key": "made"}
    programme = client.get("/v1/programmes", headers=key).json["programmes"][0]["id"]
    made = client.post(f"/v1/programmes/{programme}/versions", json={"document": document}, headers=key)
    assert made.status_code in (200, 201), made.json
    page = client.get("/console/card").get_data(as_text=True)
    found = re.search(
        rf'class="sample in-half">.*?<img[^>]*src="(/console/card/strip/[^"]+/{drawn}\.png)"', page, re.DOTALL
    )
    assert found, re.findall(r"/strip/[^\"]+", page)
    shown = Image.open(io.BytesIO(client.get(found[1]).data))
    assert shown.size == size
    empty = Image.open(io.BytesIO(client.get(re.sub(r"\d*\.png$", ".png", found[1])).data))
    assert (shown.tobytes() == empty.tobytes()) == (design == "gift"), "a dial shows how far it is"


def test_a_logo_is_read_shown_served_and_stands_on_the_pass(house: House, shop: Shop, form: Form) -> None:
    sent = form.send("live", {"X-Part": "live"}, picture=(io.BytesIO(picture(colour="#12402f")), "logo.png"))
    assert sent.status_code == 200
    kept = re.search(r'name="logo" value="([0-9a-f]{64})"', sent.json["parts"]["logo"])
    assert kept is not None
    assert "hardly shows" in sent.json["notes"]["logo"]["html"], "dark green on dark green"
    assert 'value="#12' in sent.json["parts"]["suggested"]
    served = form.client.get(f"/asset/{kept[1]}.png")
    assert served.mimetype == "image/png"
    assert "immutable" in served.headers["Cache-Control"]
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    form.fields.pop("picture")
    form.open()
    assert form.send("plate-light").status_code == 303
    form.open()
    assert form.fields["logo"] != form.fields["bare"] == kept[1]
    assert "hardly shows" not in form.page
    assert form.client.get(f"/asset/{'0' * 64}.png").status_code == 404
    assert form.send("publish", reward_en="a coffee").status_code == 303
    assert form.confirm().status_code == 303
    plate = form.client.get(f"/asset/{form.fields['logo']}.png").data
    with zipfile.ZipFile(io.BytesIO(form.client.get(house.member(shop).file_path).data)) as card:
        on_pass = [Image.open(io.BytesIO(raw)).convert("RGBA") for raw in (card.read("logo@3x.png"), plate)]
        assert on_pass[0] == on_pass[1]
        assert Image.open(io.BytesIO(card.read("icon@3x.png"))).size == (114, 114)


def test_a_file_that_is_no_picture_is_refused_and_the_rest_is_kept(form: Form) -> None:
    sent = form.send("preview", reward_en="a pie", picture=(io.BytesIO(b"<svg xmlns='x'/>"), "logo.svg"))
    assert sent.status_code == 400
    assert "Export it as PNG" in sent.get_data(as_text=True)
    assert "a pie" in form.open()


def test_marketers_may_and_cashiers_may_not(house: House, shop: Shop) -> None:
    for role, status in (("marketer", 200), ("cashier", 403)):
        client = house.app.test_client()
        client.environ_base.update({"HTTP_ACCEPT": "text/html", "HTTP_ACCEPT_LANGUAGE": "en"})
        sign_in(client, house, role, shop.merchant_key)
        assert client.get("/console/card").status_code == status
        strip = client.get("/console/card/strip/12372a-fffdf8-b9b6b2/s3-10.png")
        assert strip.status_code == status
    assert house.app.test_client().get("/console/card").status_code == 303


def test_no_other_pictures_are_drawn(form: Form) -> None:
    for drawn in ("s3-21", "s11-10", "s3-1", "g1000", "x", "poster40", "dial1000"):
        answer = form.client.get(f"/console/card/strip/12372a-fffdf8-b9b6b2/{drawn}.png")
        assert answer.status_code in (400, 404), drawn


FORTY = "Maître maniaque du propre et de la vapeu"


def test_a_name_of_forty_letters_is_told_of_for_each_wallet_and_a_short_form_is_taken_without_scripts(
    house: House, shop: Shop, form: Form
) -> None:
    form.live(kind="points", reward_en="a coffee", tier2_fr=FORTY, tier2_en=FORTY)
    notes = form.live()["notes"]
    for tag in ("fr", "en"):
        html = notes[f"tier2_{tag}"]["html"]
        assert "An iPhone cuts this status at the top of the card: Maître maniaque du pr" in html
        assert "An Android phone cuts this status beside the points: Maître maniaque du…" in html
        assert 'data-with="Maître maniaque"' in html
        assert not notes[f"tier2_{tag}"]["wrong"], "it may be published as it is"
    form.send("publish")
    confirmed = form.client.get("/console/card/publish").get_data(as_text=True)
    assert f"“{FORTY}” does not fit everywhere." in confirmed
    assert "Short enough for both: Maître maniaque" in confirmed

    form.open()
    for tag in ("fr", "en"):
        form.send(f"short-tier2_{tag}")
        form.open()
        assert form.fields[f"tier2_short_{tag}"] == "Maître maniaque"
    assert "cuts this status" not in form.page
    form.send("publish")
    assert "does not fit" not in form.client.get("/console/card/publish").get_data(as_text=True)
    form.confirm()
    form.open()
    assert (form.fields["tier2_fr"], form.fields["tier2_short_fr"]) == (FORTY, "Maître maniaque")
    assert "Published" in form.page

    form.live(tier2_short_fr="")
    form.send("publish")
    form.confirm()
    assert "cuts this status" in form.open(), "of one language alone it is told for the other"
    assert (form.fields["tier2_short_fr"], form.fields["tier2_short_en"]) == ("", "Maître maniaque")
    assert "20" in form.live(tier2_short_fr="x" * 21)["notes"]["tier2_short_fr"]["html"]


def test_nobody_fills_another_field_by_the_button_of_a_short_form(form: Form) -> None:
    form.live(kind="points", reward_en="a coffee", tier2_fr=FORTY)
    for do in ("short-name_fr", "short-tier4_fr", "short-tier2_de", "short-tier2_fr-x"):
        assert form.send(do).status_code == 303
        form.open()
        assert [name for name, value in form.fields.items() if "_short_" in name and value] == []


def test_what_the_form_cannot_say_is_told_of_too(house: House, client: FlaskClient, shop: Shop) -> None:
    form = Form(client, sign_in(client, house, merchant_key=shop.merchant_key))
    form.live(reward_en="a coffee")
    form.confirm()
    document = default_document("Chez Marie")
    document["currencies"].append({"code": "stamps", "kind": "stamps", "names": {
        "fr": {"one": "tampon", "other": "tampons"}, "en": {"one": "stamp", "other": "stamps"}}})  # fmt: skip
    document["earn"].append({"id": "more", "currency": "points", "per": {"amount_minor": 1000, "points": 5}})
    top = document["tiers"]["levels"][-1]
    document["tiers"]["levels"].append({**top, "code": "top", "threshold": 5000, "names": {"fr": FORTY, "en": "Top"}})
    key = {"Authorization": f"Bearer {shop.merchant_key}", "Idempotency-Key": "long"}
    programme = client.get("/v1/programmes", headers=key).json["programmes"][0]["id"]
    made = client.post(f"/v1/programmes/{programme}/versions", json={"document": document}, headers=key)
    assert made.status_code == 200, made.json
    said = client.get("/console/card").get_data(as_text=True).partition('id="cut"')[2].partition("</section>")[0]
    assert f"“{FORTY}” does not fit everywhere." in said
    assert "An iPhone cuts this status" in said
    assert "An Android phone cuts this status" in said
    assert "Short enough for both: Maître maniaque" in said
    assert "short_names" in said
