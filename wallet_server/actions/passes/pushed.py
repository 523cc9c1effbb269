"""Owns the cards that are put to a vendor rather than fetched by phones: what a vendor needs of each, and what it said.

Before the first card of a programme the vendor is given what all of them share; with every new version it is given that
anew. Alerts are counted here, in a ledger of our own, and one is spent when the vendor took it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards, welcome
from wallet_server.actions.passes.cards import Ready
from wallet_server.actions.telling import hooks
from wallet_server.records import jobs, limits, parties
from wallet_server.records.announcing import announcements, class_messages
from wallet_server.records.database import Tx
from wallet_server.records.passes import alerts, passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members, recovery
from wallet_server.records.programme import programmes
from wallet_server.records.purse import coupons
from wallet_server.records.vendors import credentials, vendors
from wallet_server.records.vendors.vendors import Class, ClassKey
from wallet_server.rules.announcing import alert_budget
from wallet_server.rules.counter.coupons import promise_called, short_name
from wallet_server.rules.passes.card import Card, card_from_json
from wallet_server.rules.passes.compose import Holding, Slip, Store, compose, compose_coupon
from wallet_server.rules.people import recovering
from wallet_server.wallets.port import (
    Copy,
    Later,
    NotOffered,
    Refused,
    Report,
    Shown,
    Stale,
    Template,
    TemplateReport,
    Verdict,
    Wallet,
)

LONGEST_REST = timedelta(minutes=15)
"""However long a vendor asks for, it is tried again after this."""


@dataclass(frozen=True)
class Load:
    """What pushing a batch needs, by pass key: the copies, the alerts left for those that have one, and the classes;
    the keys of members who have left; and the passes that do not show their news, which go, or may go, to everybody."""

    copies: Mapping[int, Copy] = field(default_factory=dict)
    left: Mapping[int, int] = field(default_factory=dict)
    classes: Mapping[int, ClassKey] = field(default_factory=dict)
    left_programme: frozenset[int] = frozenset()
    withheld: frozenset[int] = frozenset()


def load(ctx: Context, tx: Tx, ready: Sequence[Ready], now: datetime) -> Load:
    """Read what pushing these cards needs, each thing once for the batch; nothing where no card is pushed."""
    ready = [r for r in ready if ctx.pushes(r.row.wallet)]
    if not ready:
        return Load()
    ids, member_ids = [r.row.id for r in ready], sorted({r.row.member_id for r in ready})
    holders = members.members_by_id(tx, member_ids)
    codes, names = passes.newest_codes(tx, ids), members.first_names(tx, member_ids)
    opened = {key: _opened(ctx, code) for key, code in recovery.codes_of(tx, member_ids).items()}
    beside = {name: _beside(ctx, tx, ready, name, now) for name in {r.row.wallet for r in ready}}
    slips = coupons.of_passes(tx, [r.row.id for r in ready if r.row.kind == coupons.COUPON])
    told = class_messages.apart(tx, [r.publication.news for r in ready if r.publication.news is not None])
    withheld = frozenset(r.row.id for r in ready if (r.publication.news, r.row.credential_set_id) in told)
    copies, classes = {}, {}
    for r in ready:
        row, holder = r.row, holders[r.row.member_id]
        shown = recovering.revealed(
            card_from_json(r.publication.card), opened.get(holder.id) if row.state == passes.ACTIVE else None
        )
        if row.id in withheld:
            shown = replace(shown, news=None)
        mates = beside[row.wallet].get((holder.id, row.credential_set_id), vendors.Beside())
        mates = mates if row.kind == passes.CARD else vendors.Beside()
        copies[row.id] = Copy(
            shown,
            None if _silenced(r, withheld) else cards.alert_of(r.publication.alert),
            cards.identity_of(ctx, row, codes[row.id].cipher),
            holder.programme_public_id,
            mates.good,
            names.get(holder.id),
            mates.ever,
            r.publication.remote_state,
        )
        coupon = slips.get(row.id)
        subject = passes.CARD if coupon is None else subject_of(coupon)
        classes[row.id] = ClassKey(holder.programme_id, row.credential_set_id, subject)
    over = {r.row.member_id for r in ready if r.row.state != passes.ACTIVE}
    ringing = [r for r in ready if not _silenced(r, withheld)]
    gone = frozenset(vendors.departed(tx, sorted(over)))
    return Load(copies, _left(tx, ringing, now), classes, gone, withheld)


def _beside(
    ctx: Context, tx: Tx, ready: Sequence[Ready], wallet: str, now: datetime
) -> dict[tuple[int, int], vendors.Beside]:
    """What stands beside these cards by the time of each account: one that tries things out may be ahead."""
    holders = {r.row.id: r.row.member_id for r in ready if r.row.wallet == wallet}
    found: dict[tuple[int, int], vendors.Beside] = {}
    for offset, ids in ctx.times.groups(tx, sorted(holders)):
        found |= vendors.beside(tx, sorted({holders[one] for one in ids}), wallet, now + offset)
    return found


def subject_of(coupon: coupons.CouponRow) -> str:
    """What a coupon's class is known by: its version, and which of the version's promises it is."""
    of_version = f"{coupons.COUPON}:{coupon.version_id}"
    return of_version if coupon.promise is None else f"{of_version}:{short_name(coupon.promise)}"


def _silenced(ready: Ready, withheld: frozenset[int]) -> bool:
    return ready.row.id in withheld and _rings_news(ready)


def _opened(ctx: Context, code: recovery.RecoveryRow) -> str:
    return ctx.keyring.open(code.cipher, f"recovery:{code.member_public_id}").decode()


def _left(tx: Tx, ready: Sequence[Ready], now: datetime) -> dict[int, int]:
    ringing = {r.row.id: r.publication.alert for r in ready if r.publication.alert is not None}
    spent = alerts.spent(tx, list(ringing), now - alert_budget.WINDOW) if ringing else {}
    return {key: alert_budget.left(spent.get(key, ()), facet, now) for key, facet in ringing.items()}


def stale(ready: Ready, loaded: Load) -> Stale:
    """A pushed card for the port."""
    row = ready.row
    return Stale(
        row.id,
        row.credential_set_id,
        row.pass_type,
        (),
        ready.publication.remote_state,
        loaded.copies[row.id],
        loaded.left.get(row.id),
        # The version before was never settled: a worker may have died after its call, or the answer was lost.
        uncertain=ready.publication.number - ready.publication.rung > 1,
    )


def push(
    ctx: Context, wallet: Wallet, ready: Sequence[Ready], loaded: Load, now: datetime, *, hurried: bool = False
) -> Iterator[Report]:
    """Put these cards to the vendor, what they share before them; exactly one report for each. No transaction is open.
    A card whose class is not taken waits with it. `hurried`: somebody waits for an answer."""
    shared = {loaded.classes[r.row.id] for r in ready if r.row.state == passes.ACTIVE}
    verdicts = ensure(ctx, wallet, shared, now, hurried=hurried)
    going: list[Stale] = []
    for r in ready:
        one, verdict = stale(r, loaded)._replace(hurried=hurried), verdicts.get(loaded.classes[r.row.id])
        if r.row.state != passes.ACTIVE:
            # Whoever left leaves nothing of their own with a vendor.
            going.append(one._replace(ending="erase" if r.row.member_id in loaded.left_programme else "retire"))
        elif isinstance(verdict, Later | Refused):
            yield Report(one.ref, verdict, one.remote_state)
        else:
            going.append(one)
    if going:
        yield from wallet.refresh(going, now)


# --- classes ---------------------------------------------------------------------------------------------------


def ensure(
    ctx: Context, wallet: Wallet, keys: Iterable[ClassKey], now: datetime, *, hurried: bool = False
) -> dict[ClassKey, Verdict]:
    """See to it that the vendor has what these classes say by now; what became of each that had to be told."""
    wanted = sorted(keys)
    with ctx.look() as tx:
        due = [found for key in wanted if (found := _due(ctx, tx, key, now)) is not None]
    verdicts: dict[ClassKey, Verdict] = {}
    for key, version_id, template in due:
        report = wallet.publish(replace(template, hurried=hurried), now)
        verdicts[key] = report.verdict
        if isinstance(report.verdict, Shown | NotOffered):
            _keep(ctx, wallet.name, key, version_id, report)
    return verdicts


def _keep(ctx: Context, wallet: str, key: ClassKey, version_id: int, report: TemplateReport) -> None:
    with ctx.change() as tx:
        vendors.keep_class(tx, key, wallet, Class(version_id, report.remote_state, report.note), ctx.now())


def _due(ctx: Context, tx: Tx, key: ClassKey, now: datetime) -> tuple[ClassKey, int, Template] | None:
    """The class with the version that it should be of, where the vendor has another."""
    row, given = programmes.programme_by_id(tx, key.programme_id), vendors.class_of(tx, key)
    _, of_version, promise = (*key.subject.split(":"), "", "")[:3]
    version_id = int(of_version) if of_version else row.version_id
    if given.version_id == version_id:
        return None
    issuer = credentials.credential_set(tx, key.credential_set_id)
    return (
        key,
        version_id,
        Template(
            credential_set=key.credential_set_id,
            programme=row.public_id,
            issuer_name=vendors.account_of(tx, key.programme_id),
            card=_specimen(ctx, tx, row.id, version_id, now, promise if of_version else None),
            # Of a version in between nobody may have heard that it was put there: what stands is looked at.
            remote_state=None,
            callback_url=callback_url(ctx, issuer.public_id),
        ),
    )


def _specimen(ctx: Context, tx: Tx, programme_id: int, version_id: int, now: datetime, coupon: str | None) -> Card:
    """The card of a member of one minute, or the coupon that the version promises under this short name, that for
    joining without one: nobody's own."""
    programme = ctx.programme(tx, version_id)
    stores = tuple(
        Store(s.name, s.latitude, s.longitude, s.texts, s.public_id)
        for s in parties.stores_of_programme(tx, programme_id)
    )
    if coupon is not None:
        slip = Slip("issued", None, None, None, stores, 1, False, None)
        return compose_coupon(programme, promise_called(programme, coupon), slip)
    return compose(programme, Holding({}, None, None, None, stores, 1, False, None, None), now)[0]


def callback_url(ctx: Context, credential_set: str) -> str | None:
    """Where the vendor tells of cards that were saved and removed, by the public id of the issuing set; None for an
    address that no vendor reaches."""
    base = ctx.settings.base_url
    reached = base.startswith("https://") or ctx.settings.sandbox
    return f"{base}/google/callbacks/{credential_set}" if reached else None


# --- what the vendor said --------------------------------------------------------------------------------------


def note(tx: Tx, ready: Sequence[Ready], loaded: Load, reports: Mapping[int, Report], now: datetime) -> None:
    """Keep what was said of these pushed cards: alerts that were taken, holders, what was left out, and whether the
    vendor rests. The caller holds their publications."""
    told = [(r, report) for r in ready if r.row.id in loaded.copies and (report := reports.get(r.row.id)) is not None]
    if not told:
        return
    taken = [(r, report) for r, report in told if isinstance(report.verdict, Shown)]
    alerts.spend(tx, [(r.row.id, r.publication.alert or "") for r, report in told if report.alerted], now)
    known = vendors.holdings(tx, [r.row.id for r, _ in taken])
    fetched = []
    for r, report in taken:
        before = known.get(r.row.id)
        held = report.saved if report.saved is not None else before is not None and before.held
        if report.note != (before and before.note) or held != (before is not None and before.held):
            vendors.say(tx, r.row.id, now, held=report.saved, note=report.note or "")
        if report.saved and not (before and before.held):
            # The member is locked before their passes, and these publications are held: the gift is a job of its own.
            jobs.put(tx, [jobs.Put(welcome.OWED, str(r.row.id), jobs.SERVICE, now)])
        if held and r.publication.news is not None and r.row.id not in loaded.withheld:
            fetched.append((r.publication.news, r.row.member_id, report.alerted is True and _rings_news(r)))
    announcements.note_fetched(tx, fetched, now)
    _rest(tx, told, now)


def _rings_news(ready: Ready) -> bool:
    return ready.publication.alert == "news"


def _rest(tx: Tx, told: Sequence[tuple[Ready, Report]], now: datetime) -> None:
    """Let an issuer rest that the vendor wants to hear nothing of; those of everybody else go on. A card, or a class,
    that is refused for what it says is its merchant's to mend: on a shared issuer nobody else waits for that."""
    names: dict[str, list[Verdict]] = {}
    for r, report in told:
        names.setdefault(f"{r.row.wallet}:{r.row.credential_set_id}", []).append(report.verdict)
    for name, verdicts in sorted(names.items()):
        later = [one for one in verdicts if isinstance(one, Later) and one.of_issuer]
        denied = next((one.why for one in verdicts if isinstance(one, Refused) and one.of_issuer), None)
        if later:
            longest = max(later, key=lambda one: one.seconds)
            until = now + min(timedelta(seconds=longest.seconds), LONGEST_REST)
            limits.open_circuit(tx, name, until, longest.why, now)
        elif denied is not None:
            limits.open_circuit(tx, name, now + LONGEST_REST, denied, now)


def hear(ctx: Context, tx: Tx, row: PassRow, held: bool, now: datetime) -> None:
    """The vendor says that somebody has this pass now, or that nobody has any more; the first holder of a card brings
    the welcome gift. The member is locked where there is one to give; the caller rings after its commit."""
    gift = welcome.due(ctx, tx, row) if held else None
    vendors.say(tx, row.id, now, held=held)
    hooks.tell_of_pass(ctx, tx, hooks.SAVED if held else hooks.REMOVED, row, now)
    if held:
        news = passes.published(tx, [row.id])[row.id].news
        if news is not None and (news, row.credential_set_id) not in class_messages.apart(tx, [news]):
            announcements.note_fetched(tx, [(news, row.member_id, False)], now)
    if gift is not None:
        welcome.give(ctx, tx, gift)
