"""Owns what an accountant asks the books: the trial balance and the liability as of a moment, and closing a period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.context import Context
from wallet_server.errors import Invalid, NotFound
from wallet_server.records import parties
from wallet_server.records.books import liability, periods
from wallet_server.records.books.book_days import MOMENT
from wallet_server.records.books.liability import Ledger, TrialLine
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.books.booked import Flow, Reckoning, Subject, Terms, Told
from wallet_server.rules.books.liability import Worth, month_of, month_read
from wallet_server.rules.books.liability import worth as worth_of
from wallet_server.rules.books.promised import promised
from wallet_server.rules.programme.program import Plural, Programme

DAY = timedelta(days=1)
MOST_OF_A_DAY = timedelta(hours=12)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No books are older; before it the calendar ends somewhere."""


@dataclass(frozen=True)
class Question:
    """As of when (the moment itself included; None: now), since when the movement is told (None: the beginning of the
    month), and of which currency and which merchant (None: of all)."""

    as_of: datetime | None = None
    since: datetime | None = None
    currency: str | None = None
    merchant: str | None = None


@dataclass(frozen=True)
class Currency:
    """The report of one currency of one programme, with the money that its figures are in."""

    programme: str
    programme_name: str
    code: str
    kind: str
    names: Mapping[str, Plural]
    money: str
    spendable: bool
    told: Told


@dataclass(frozen=True)
class Honoured:
    """What `merchant` took at its tills, in the period, of coupons that `issuer` owed, less what it gave back."""

    issuer: str
    merchant: str
    amount_minor: int
    times: int


@dataclass(frozen=True)
class Coupons:
    """What is owed by the coupons of a programme, at face value, by the merchant that is asked about or by all: at the
    beginning, by what it moved (and what of that was given, by source: `welcome`, `conversion`, …), at the end; and
    what merchants took of each other's."""

    programme: str
    money: str
    opening_minor: int
    moved_minor: dict[str, int]
    given_minor: dict[str, int]
    owed_minor: int
    good: int
    honoured: tuple[Honoured, ...]


@dataclass(frozen=True)
class Report:
    """The liability of an account as of a moment: of units and coupons alike, what the merchant that is asked about has
    given and owes, wherever it is used."""

    as_of: datetime
    since: datetime
    merchant: str | None
    currencies: tuple[Currency, ...]
    coupons: tuple[Coupons, ...]

    @property
    def liability_minor(self) -> dict[str, int]:
        """ISO code to all that is owed, for units and by coupons."""
        sums: dict[str, int] = {}
        for one in self.currencies:
            if one.told.money is not None:
                sums[one.money] = sums.get(one.money, 0) + one.told.money.liability_minor
        for coupon in self.coupons:
            sums[coupon.money] = sums.get(coupon.money, 0) + coupon.owed_minor
        return sums


@dataclass(frozen=True)
class Trial:
    """The trial balance of an account as of a moment; `sums` by programme and currency, all zero in true books."""

    as_of: datetime
    merchant: str | None
    lines: tuple[TrialLine, ...]

    @property
    def sums(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for one in self.lines:
            key = (one.programme, one.currency)
            found[key] = found.get(key, 0) + one.amount
        return found

    @property
    def even(self) -> bool:
        """Whether every currency adds up to zero."""
        return not any(self.sums.values())


def zone(ctx: Context, scope: Scope) -> str:
    """The zone in which the caller's days begin and end: that of the merchant's first store."""
    with ctx.look() as tx:
        stores = parties.stores_of(tx, scope)
    return stores[0].zone if stores else scope.zone


def merchants(ctx: Context, scope: Scope) -> dict[str, str]:
    """Public id to name of all merchants of the caller's account that ever took part in a programme."""
    with ctx.look() as tx:
        return {key: name for one in liability.ledgers(tx, scope) for key, name in one.merchants.values()}


def start_of(day: date, zone_name: str) -> datetime:
    """The first moment of a day on a clock of this zone, in UTC."""
    return datetime.combine(day, time.min, ZoneInfo(zone_name)).astimezone(UTC)


def end_of(day: date, zone_name: str) -> datetime:
    """The last moment of a day on a clock of this zone, in UTC."""
    return start_of(day + DAY, zone_name) - MOMENT


def start_of_month(at: datetime, zone_name: str) -> datetime:
    """The first moment of the month that this instant is in, on a clock of this zone."""
    return start_of(at.astimezone(ZoneInfo(zone_name)).date().replace(day=1), zone_name)


def trial_balance(ctx: Context, scope: Scope, asked: Question) -> Trial:
    """What stood on every kind of account. Raises `Invalid` (`not-yet`, `bad-date`) and `NotFound`."""
    as_of = _moment(ctx, asked.as_of)
    lines: list[TrialLine] = []
    with ctx.look() as tx:
        books = liability.ledgers(tx, scope)
        liability.known_merchant(books, asked.merchant)
        for ledger in books:
            own = liability.of_merchant(ledger, liability.flows(tx, ledger, as_of), asked.merchant)
            lines += liability.trial_balance(ledger, own)
    _known_currency(books, asked.currency)
    wanted = (one for one in lines if asked.currency in (None, one.currency))
    return Trial(as_of, asked.merchant, tuple(wanted))


def report(ctx: Context, scope: Scope, asked: Question) -> Report:
    """What is owed, and how that moved. Raises `Invalid` (`not-yet`, `bad-date`, `bad-period`) and `NotFound`."""
    as_of = _moment(ctx, asked.as_of)
    since = _since_1970(asked.since, "from") or start_of_month(as_of, zone(ctx, scope))
    if since > as_of:
        raise Invalid("The period ends before it begins; give an earlier `from`.", code="bad-period", field="from")
    with ctx.look() as tx:
        books = liability.ledgers(tx, scope)
        liability.known_merchant(books, asked.merchant)
        _known_currency(books, asked.currency)
        return reckon(ctx, tx, books, as_of, since, asked)


def _moment(ctx: Context, as_of: datetime | None) -> datetime:
    now = ctx.now()
    if as_of is not None and as_of > now:
        raise Invalid("This moment is still to come; the books end now.", code="not-yet", field="as_of")
    return _since_1970(as_of, "as_of") or now


def _since_1970(at: datetime | None, field: str) -> datetime | None:
    if at is not None and at < EARLIEST:
        raise Invalid("No books are older than 1970; give a later day.", code="bad-date", field=field)
    return at


def _known_currency(books: list[Ledger], code: str | None) -> None:
    if code is not None and all(code not in one.currencies.values() for one in books):
        raise NotFound(f"There is no currency called {code}.", field="currency")


def reckon(
    ctx: Context, tx: Tx, books: list[Ledger], as_of: datetime, since: datetime, asked: Question, *,
    trusting: bool = True,
) -> Report:  # fmt: skip
    """The report itself; without `trusting` from the entries alone (see `records.books.liability.flows`)."""
    found: list[Currency] = []
    coupons: list[Coupons] = []
    for ledger in books:
        whole = liability.flows(tx, ledger, as_of, trusting=trusting)
        # What begins later is no part of what was told, or closed, before.
        if not whole and programmes.version_at(tx, ledger.programme_id, as_of) is None:
            continue
        programme = ctx.programme(tx, _version(tx, ledger.programme_id, as_of))
        before = liability.flows(tx, ledger, since - MOMENT, trusting=trusting)
        subject = Subject(
            whole,
            liability.of_merchant(ledger, whole, asked.merchant),
            liability.of_merchant(ledger, before, asked.merchant),
            _until(as_of),
            _until(since - MOMENT),
        )
        terms = _terms(ctx, tx, ledger, programme, as_of)
        reckoning = Reckoning(subject, terms)
        for one in terms:
            code = ledger.currencies[one.currency_id]
            if asked.currency in (None, code):
                known, told = programme.currency(code), reckoning.told(one.currency_id)
                head = (ledger.public_id, ledger.name, code, known.kind, known.names, programme.money.iso)
                found.append(Currency(*head, known.spendable, told))
        if asked.currency is None:
            coupons += _coupons(ledger, programme.money.iso, before, whole, asked.merchant)
    return Report(as_of, since, asked.merchant, tuple(found), tuple(coupons))


def _version(tx: Tx, programme_id: int, at: datetime) -> int:
    """The key of the version that stood then, or of the one that stands where it was before the first."""
    version = programmes.version_at(tx, programme_id, at)
    return programmes.programme_by_id(tx, programme_id).version_id if version is None else version.id


def _until(at: datetime) -> int:
    """The first month that is not over at a moment; the last day of one counts as its end, wherever it is midnight."""
    near = at.astimezone(UTC) + DAY
    return month_of(near.year, near.month)


def _terms(ctx: Context, tx: Tx, ledger: Ledger, programme: Programme, as_of: datetime) -> list[Terms]:
    frozen = periods.shares(tx, ledger.programme_id, as_of + MOMENT)
    known: dict[int, Programme] = {}

    def at(month: int) -> Programme:
        if month not in known:
            end = datetime((month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=UTC) - MOMENT
            known[month] = ctx.programme(tx, _version(tx, ledger.programme_id, min(end, as_of)))
        return known[month]

    def worth_at(code: str) -> Callable[[int], Worth | None]:
        return lambda month: _worth(at(month), code) or _worth(programme, code)

    return [
        Terms(
            key,
            programme.currency(code).expires_after_months,
            worth_at(code),
            _worth(programme, code),
            {month_read(month): share for (own, month), share in frozen.items() if own == key},
        )
        for key, code in ledger.currencies.items()
        if any(one.code == code for one in programme.currencies)
    ]


def _worth(programme: Programme, code: str) -> Worth | None:
    known = next((one for one in programme.currencies if one.code == code), None)
    return None if known is None else worth_of(programme, known)


def _coupons(ledger: Ledger, money: str, before: list[Flow], now: list[Flow], merchant: str | None) -> list[Coupons]:
    key = None if merchant is None else ledger.merchant(merchant)
    found = None if merchant is not None and key is None else promised(before, now, key)
    if found is None:
        return []
    honoured = tuple(
        Honoured(ledger.merchants[issuer][0], ledger.merchants[taker][0], one.amount_minor, one.times)
        for (issuer, taker), one in found.honoured.items()
    )
    return [
        Coupons(ledger.public_id, money, found.opening_minor, found.moved_minor, found.given_minor, found.owed_minor,
                found.good, honoured)
    ]  # fmt: skip
