"""Owns how each ailment of a card comes about: for every cause that the pass doctor knows, what really leads to it.

Push services, phones, tills and clocks are driven as they are in life; only what a test cannot bring about in a second
(a lost job, a registry restored from an old copy) is put into the records by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from tests.actions.ward import Ward
from tests.phone import Phone
from tests.world import PASS_TYPE, Holder, World
from wallet_server.actions.counter import till
from wallet_server.actions.passes import cards, devices
from wallet_server.actions.people import enrol, journal, leaving, recovery
from wallet_server.actions.purse import coupons
from wallet_server.actions.vendors.credentials import Vault
from wallet_server.records import jobs
from wallet_server.records.envelope import Keyring
from wallet_server.records.passes import passes
from wallet_server.records.schema import circuits, credential_sets, registrations, stores, tag_counters
from wallet_server.records.schema import jobs as job_table
from wallet_server.records.schema import passes as pass_table
from wallet_server.wallets.port import Report, Stale

Ailment = Callable[[Ward], Holder]
AILMENTS: dict[str, Ailment] = {}
"""Code of a diagnosis to what leads to it."""


def leads_to(code: str) -> Callable[[Ailment], Ailment]:
    """Of a function: the diagnosis that it leads to."""

    def named(ailment: Ailment) -> Ailment:
        assert code not in AILMENTS
        AILMENTS[code] = ailment
        return ailment

    return named


# --- all is well, or over ----------------------------------------------------------------------------------------


@leads_to("sound")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.held()).holder


@leads_to("card-replaced")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    link = ward.world.ctx.link("recover", phone.holder.pass_public_id).rsplit("/", 1)[1]
    recovery.by_link(ward.world.ctx, link, "form")
    return phone.holder


@leads_to("card-cancelled")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    leaving.cancel(ward.world.ctx, ward.world.merchant, holder.member, holder.pass_public_id)
    return holder


@leads_to("coupon-over")
def _(ward: Ward) -> Holder:
    world, said = ward.world, {"fr": "Un café", "en": "A coffee"}
    ward.publish(welcome={"coupon": {"title": said, "terms": said, "valid_days": 30, "value_minor": 250}})
    slip = world.holder(enrol.join(world.ctx, world.join_code, enrol.Joining())["coupons"][0])
    ward.publish(welcome=None)
    coupons.use(world.ctx, world.till, coupons.Using(slip.code, world.number()), None)
    world.work()
    return slip


@leads_to("member-left")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    leaving.leave(ward.world.ctx, ward.world.merchant, holder.member)
    return holder


# --- who holds it ------------------------------------------------------------------------------------------------


@leads_to("never-registered")
def _(ward: Ward) -> Holder:
    holder = ward.world.enrol()
    ward.world.sell(holder, 1000)
    ward.world.work()
    return holder


@leads_to("removed")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    phone.unregister()
    return phone.holder


@leads_to("token-gone")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.refuse(410, "Unregistered", phone, timestamp=ward.world.clock())
    return ward.sold(phone, pulled=False).holder


@leads_to("token-forgotten")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.refuse(400, "BadDeviceToken", phone)
    ward.sold(phone, pulled=False)
    ward.world.clock.forward(days=1)
    ward.somebody_is_told()
    return ward.sold(phone, pulled=False).holder


@leads_to("no-phone")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    with ward.books() as tx:
        tx.execute(sa.delete(registrations).where(registrations.c.pass_id == phone.holder.pass_id))
    return phone.holder


@leads_to("token-doubted")
def _(ward: Ward) -> Holder:
    ward.somebody_is_told()
    phone = ward.held()
    ward.refuse(400, "BadDeviceToken", phone)
    return ward.sold(phone, pulled=False).holder


@leads_to("android-alone")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.phone(ward.world.enrol(), "androidpass"), pulled=False).holder


@leads_to("another-forgotten")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    other = ward.phone(phone.holder)
    ward.refuse(410, "Unregistered", other, timestamp=ward.world.clock())
    return ward.sold(phone).holder


# --- certificate and push service --------------------------------------------------------------------------------


@leads_to("environment-suspected")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.papers(told_at=None)
    ward.refuse(400, "BadDeviceToken")
    return ward.sold(phone, pulled=False).holder


def _refused(ward: Ward, *, status: int, reason: str) -> Holder:
    """By the push service, whatever is sent."""
    phone = ward.held()
    ward.refuse(status, reason)
    return ward.sold(phone, pulled=False).holder


leads_to("topic-refused")(partial(_refused, status=400, reason="TopicDisallowed"))
leads_to("certificate-refused")(partial(_refused, status=403, reason="BadCertificate"))
leads_to("push-key-refused")(partial(_refused, status=403, reason="InvalidProviderToken"))
leads_to("push-refused")(partial(_refused, status=400, reason="BadExpirationDate"))


@leads_to("certificate-unusable")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.vault = Vault(replace(ward.world.ctx, keyring=Keyring({"other": bytes(32)})))
    return ward.sold(phone, pulled=False).holder


@leads_to("vendor-busy")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.refuse(429, "TooManyRequests", retry_after_seconds=100)
    return ward.sold(phone, pulled=False).holder


@leads_to("vendor-away")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.refuse(503, "ServiceUnavailable", retry_after_seconds=100)
    return ward.sold(phone, pulled=False).holder


@leads_to("card-unsignable")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.unsignable(phone.holder)
    return phone.holder


@leads_to("secrets-unopened")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    elsewhere = Keyring({"k9": bytes(32)}).seal(phone.holder.token.encode(), f"pass-token:{phone.holder.serial}")
    ward.alter(pass_table, pass_table.c.id == phone.holder.pass_id, token_cipher=elsewhere)
    return phone.holder


@leads_to("certificate-expired")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.papers(not_after=ward.world.clock() - timedelta(hours=1))
    return phone.holder


@leads_to("certificate-not-yet")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.papers(not_before=ward.world.clock() + timedelta(hours=1))
    return phone.holder


# --- delivery ----------------------------------------------------------------------------------------------------


@leads_to("refresh-given-up")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    ward.world.sell(holder, 1000)
    mine = (job_table.c.kind == "refresh") & (job_table.c.key == str(holder.pass_id))
    ward.alter(job_table, mine, dead_at=jobs.micros(ward.world.clock()), last_error="Invalid: broken")
    return holder


@leads_to("ring-given-up")
def _(ward: Ward) -> Holder:
    holder = ward.sold(ward.held()).holder
    with ward.books() as tx:
        jobs.put(tx, [jobs.Put("ring", str(holder.pass_id), jobs.BULK, ward.world.clock())])
    mine = (job_table.c.kind == "ring") & (job_table.c.key == str(holder.pass_id))
    ward.alter(job_table, mine, dead_at=jobs.micros(ward.world.clock()), last_error="KeyError: x")
    return holder


@leads_to("server-stumbled")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder

    def stumble(_stale: Stale) -> Report:
        raise OSError("no more file descriptors")

    ward.world.told.verdict = stumble
    ward.world.sell(holder, 1000)
    ward.world.work()
    return holder


@leads_to("nobody-delivers")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    ward.world.sell(holder, 1000)
    ward.world.clock.forward(minutes=20)
    return holder


@leads_to("publishing")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    ward.world.sell(holder, 1000)
    return holder


@leads_to("coalescing")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.world.sell(phone.holder, 1000)
    ward.world.work()
    return phone.holder


@leads_to("change-forgotten")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    ward.world.sell(holder, 1000)
    with ward.books() as tx:
        tx.execute(sa.delete(job_table).where(job_table.c.key == str(holder.pass_id)))
    return holder


@leads_to("not-rung")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held(), pulled=False)
    with ward.books() as tx:
        passes.ring_again(tx, phone.holder.pass_id, new_tag=True)
    return phone.holder


@leads_to("about-to-ring")
def _(ward: Ward) -> Holder:
    holder = ward.held().holder
    ward.world.sell(holder, 1000)
    with ward.books() as tx:
        cards.publish(ward.world.ctx, tx, [holder.pass_id], ward.world.clock())
    return holder


@leads_to("held-until-fetched")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.held(), 35_000, pulled=False).holder


@leads_to("held-for-its-turn")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.held(), 35_000).holder


@leads_to("clock-behind")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.world.clock.forward(hours=-2)
    return phone.holder


@leads_to("tag-ahead")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.alter(tag_counters, tag_counters.c.pass_type == PASS_TYPE, last=1)
    return phone.holder


# --- pushed, and not fetched -------------------------------------------------------------------------------------


@leads_to("just-pushed")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.held(), pulled=False).holder


@leads_to("pushed-not-fetched")
def _(ward: Ward) -> Holder:
    holder = ward.sold(ward.held(), pulled=False).holder
    ward.world.clock.forward(minutes=20)
    return holder


@leads_to("throttled")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    for _ in range(12):
        ward.sold(phone, 100, pulled=False)
    return phone.holder


@leads_to("push-expired")
def _(ward: Ward) -> Holder:
    holder = ward.sold(ward.held(), pulled=False).holder
    ward.world.clock.forward(days=3)
    return holder


# --- fetched, and nothing shown ----------------------------------------------------------------------------------


@leads_to("silent-correction")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    sale = ward.world.sell(phone.holder, 1000)
    ward.world.work()
    phone.pull()
    ward.world.clock.forward(minutes=1)
    till.reverse_sale(ward.world.ctx, ward.world.till, sale["id"], None)
    ward.world.work()
    assert phone.pull()
    return phone.holder


def _announced(ward: Ward, text: str = "Seigle", *, days: float = 7) -> tuple[Phone, str]:
    ward.policy()
    phone = ward.held(promotions=True)
    return phone, _hears(ward, phone, text, days=days)


def _hears(ward: Ward, phone: Phone, text: str, *, days: float = 7) -> str:
    announcement = ward.world.announce(text, days=days)
    ward.world.work()
    assert phone.pull()
    ward.world.clock.forward(minutes=1)
    return announcement


@leads_to("silent-recall")
def _(ward: Ward) -> Holder:
    phone, announcement = _announced(ward)
    ward.world.recall(announcement)
    ward.world.work()
    assert phone.pull()
    return phone.holder


@leads_to("silent-expiry")
def _(ward: Ward) -> Holder:
    phone, _ = _announced(ward, days=2)
    ward.world.clock.forward(days=2)
    ward.world.work()
    assert phone.pull()
    return phone.holder


@leads_to("silent-programme")
def _(ward: Ward) -> Holder:
    phone = ward.sold(ward.held())
    ward.world.clock.forward(minutes=1)
    ward.publish(links={"website": "https://boulangerie.example/"})
    ward.world.work()
    assert phone.pull()
    return phone.holder


@leads_to("silent-field")
def _(ward: Ward) -> Holder:
    ward.policy()
    phone = ward.held(promotions=True, first_name="Ana")
    _hears(ward, phone, "Bonjour @firstname")
    ward.world.clock.forward(days=2)
    journal.call(ward.world.ctx, ward.world.merchant, phone.holder.member, "Anne")
    ward.world.work()
    assert phone.pull()
    return phone.holder


@leads_to("same-text")
def _(ward: Ward) -> Holder:
    phone, _ = _announced(ward, "Seigle")
    ward.world.announce("Seigle")
    ward.world.work()
    assert not phone.pull(), "not even a further version"
    return phone.holder


@leads_to("alert-sent")
def _(ward: Ward) -> Holder:
    return ward.sold(ward.held()).holder


@leads_to("consent-stopped")
def _(ward: Ward) -> Holder:
    phone = ward.held(promotions=True)
    token = ward.world.ctx.link("stop", phone.holder.pass_public_id).rsplit("/", 1)[1]
    ward.world.clock.forward(minutes=1)
    enrol.set_promotions(ward.world.ctx, token, granted=False, source="stop-link", link="stop")
    ward.world.work()
    return phone.holder


@leads_to("consent-missing")
def _(ward: Ward) -> Holder:
    return ward.held(promotions=False).holder


@leads_to("news-quiet-hours")
def _(ward: Ward) -> Holder:
    ward.policy(quiet={"from": "00:00", "to": "23:59"})
    phone = ward.held(promotions=True)
    ward.world.announce()
    ward.world.work()
    return phone.holder


@leads_to("news-per-day")
def _(ward: Ward) -> Holder:
    ward.policy(per_day=1)
    phone = ward.held(promotions=True)
    _hears(ward, phone, "Un")
    ward.world.announce("Deux")
    ward.world.work()
    return phone.holder


@leads_to("news-off")
def _(ward: Ward) -> Holder:
    ward.policy(per_day=0)
    phone = ward.held(promotions=True)
    ward.world.announce()
    ward.world.work()
    return phone.holder


@leads_to("news-over")
def _(ward: Ward) -> Holder:
    phone, _ = _announced(ward, days=2)
    ward.world.clock.forward(days=2)
    ward.world.work()
    phone.pull()
    return ward.sold(phone).holder


@leads_to("news-recalled")
def _(ward: Ward) -> Holder:
    phone, announcement = _announced(ward)
    ward.world.recall(announcement)
    ward.world.work()
    phone.pull()
    return ward.sold(phone).holder


# --- near a shop -------------------------------------------------------------------------------------------------


@leads_to("place-phone")
def _(ward: Ward) -> Holder:
    return ward.held().holder


@leads_to("place-none")
def _(ward: Ward) -> Holder:
    ward.alter(stores, stores.c.public_id == ward.world.founded.store, latitude=None, longitude=None)
    return ward.held().holder


@leads_to("place-closed")
def _(ward: Ward) -> Holder:
    phone = ward.held()
    ward.alter(stores, stores.c.public_id == ward.world.founded.store, closed_at=ward.world.clock())
    return phone.holder


@leads_to("place-narrow")
def _(ward: Ward) -> Holder:
    ward.publish(max_distance_metres=50)
    ward.world.work()
    return ward.held().holder


@leads_to("place-too-far")
def _(ward: Ward) -> Holder:
    home = ward.world.founded.store
    ward.alter(stores, stores.c.public_id == home, latitude=None, longitude=None)
    holder = ward.held().holder
    # The card is not published anew by this hand: it shows no place, and now there would be one.
    ward.alter(stores, stores.c.public_id == home, latitude=43.3, longitude=5.4)
    return holder


# --- what phones report ------------------------------------------------------------------------------------------


def _says(code: str, line: str) -> None:
    @leads_to(code)
    def _(ward: Ward) -> Holder:
        phone = ward.sold(ward.held())
        what = f"for device {phone.library}, pass type {PASS_TYPE}, serial number {phone.holder.serial}"
        devices.log(ward.world.ctx, [line.format(what=what, serial=phone.holder.serial, device=phone.library)])
        return phone.holder


SERVICE = "with web service url https://cards.example/apple"
_says("phone-authentication", "Register task ({what}; " + SERVICE + ") encountered error: Authentication failure")
_says("phone-server-error", "Get pass task (pass type x, serial number {serial}; " + SERVICE + ") encountered error: "
      "Unexpected response code 503")  # fmt: skip
_says("phone-refused", "Get serial #s task (for device {device}, pass type x; " + SERVICE + ") encountered error: "
      "Unexpected response code 404")  # fmt: skip
_says("phone-unchanged", "Server requested update to serial number '{serial}', but the pass was unchanged.")
_says("phone-ignored-since", "Server ignored the 'if-modified-since' header (Wed) and returned the full unchanged pass "
      "data for serial number '{serial}'.")  # fmt: skip
_says("phone-no-last-modified", "Server returned the pass data for serial number '{serial}' but did not provide a "
      "'last-modified' header.")  # fmt: skip
_says("phone-unregistered-serial", "Update requested for unregistered serial number '{serial}'.")
_says("phone-invalid-pass", "Get pass task (serial number {serial}) encountered error: Received invalid pass data")
_says("phone-unreachable", "Get pass task (serial number {serial}) encountered error: The request timed out.")
_says("phone-same-tag", "Response to 'What changed?' request of {device} included 1 serial numbers but the lastUpdated "
      "tag (7) remained the same.")  # fmt: skip
_says("phone-unknown", "Something nobody has seen before about {serial}")


def put_right(world: World, began: datetime) -> None:
    """What an ailment did to everybody is undone, for the next one."""
    with world.ctx.change() as tx:
        tx.execute(sa.delete(circuits))
        tx.execute(sa.delete(job_table))
        tx.execute(
            sa.update(credential_sets).values(
                not_before=began - timedelta(days=1), not_after=began + timedelta(days=365)
            )
        )
        tx.execute(sa.update(stores).values(latitude=48.8, longitude=2.3, closed_at=None))
        tx.execute(sa.update(tag_counters).values(last=jobs.micros(world.clock())))
