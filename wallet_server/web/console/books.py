"""Owns the page of the books: what is owed as of a day, how that came about, and the closing of a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.books import accounting, closing
from wallet_server.actions.books.accounting import Coupons, Currency, Question, Report, Trial
from wallet_server.actions.once import asked
from wallet_server.actions.staff import OWNER, Person
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.rules import sentences
from wallet_server.rules.books import redemption
from wallet_server.rules.books.liability import Age
from wallet_server.web import sheets
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.plot import Columns, columns
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, press, root

books = Blueprint("console-books", __name__)

PATH = "/console/books"
ACCOUNTS = ("available", "pending", "held", "issued", "redeemed", "breakage", "goodwill", "written_off")
KINDS = ("issued", "used", "undone", "expired", "void")
MOST_CLOSES = 24


@dataclass(frozen=True)
class _Asked:
    """What the form says: days on the shop's clock, and a merchant's id or nothing."""

    until: date
    since: date
    merchant: str
    zone: str

    def question(self, now: datetime) -> Question:
        """The last day that is asked about may be today, which is not over."""
        as_of = min(accounting.end_of(self.until, self.zone), now)
        return Question(as_of, accounting.start_of(self.since, self.zone), None, self.merchant or None)

    def query(self) -> str:
        """The same for a link."""
        return f"as_of={self.until}&from={self.since}&merchant={self.merchant}"


def _plain(person: Person) -> _Asked:
    """This month so far, of all merchants."""
    zone = accounting.zone(context(), person.scope)
    today = Wording("en", zone).local(context().now()).date()
    return _Asked(today, today.replace(day=1), "", zone)


def _form() -> _Asked:
    """Raises `Invalid` (`bad-date`)."""
    plain = _plain(signed_in("books"))
    until = _day(request.args.get("as_of", ""), plain.until)
    since = _day(request.args.get("from", ""), until.replace(day=1))
    return _Asked(until, since, request.args.get("merchant", "")[:60], plain.zone)


def _day(text: str, default: date) -> date:
    try:
        found = date.fromisoformat(text) if text else default
    except ValueError:
        raise Invalid("Choose a day.", code="bad-date", field="as_of") from None
    return min(max(found, date(2000, 1, 1)), date(9000, 1, 1))


@books.get(PATH)
def page() -> Answer:
    """The books as of the day that is asked about."""
    person = signed_in("books")
    return _page(person, None)


def _page(person: Person, fault: str | None) -> Answer:
    ctx, tongue = context(), speaks(person)
    try:
        form = _form()
        found, trial = _read(person, form)
    except (Invalid, NotFound) as refusal:
        fault = words(refusal, "books")
        form = _plain(person)
        found, trial = _read(person, form)
    say, names = Wording(tongue, form.zone), accounting.merchants(ctx, person.scope)
    return console_page(
        "console/books.html",
        person,
        section="books",
        status=400 if fault else 200,
        fault=fault,
        form=form,
        say=say,
        query=form.query(),
        merchants=names,
        found=found,
        trial=trial,
        owed=[(iso, say.money(amount, iso)) for iso, amount in sorted(found.liability_minor.items())],
        currencies=[_Told(one, say).shown() for one in found.currencies],
        coupons=[_coupons(one, names, say) for one in found.coupons],
        accounts=_accounts(found, trial, say),
        closes=closing.closed(ctx, person.scope)[:MOST_CLOSES],
        last_day=lambda one: say.on(one.ends_at - accounting.MOST_OF_A_DAY),
        may_close=person.role == OWNER,
        yesterday=form.until if form.until < say.local(ctx.now()).date() else None,
        done=number if (number := request.args.get("closed", "")[:9]).isdecimal() else "",
    )


def _read(person: Person, form: _Asked) -> tuple[Report, Trial]:
    ctx, question = context(), form.question(context().now())
    return accounting.report(ctx, person.scope, question), accounting.trial_balance(ctx, person.scope, question)


# ---------------------------------------------------------------------- figures in words


@dataclass(frozen=True)
class _Told:
    """One currency in the words of the page."""

    one: Currency
    say: Wording

    @property
    def name(self) -> str:
        """Its noun, with its code: two currencies of a programme may be called alike (points, and those of a tier)."""
        noun = self.one.names.get(self.say.tongue) or next(iter(self.one.names.values()))
        return f"{noun.other[:1].upper()}{noun.other[1:]} ({self.one.code})"

    def units(self, count: int) -> str:
        """So many units; of a currency that is money, money."""
        if self.one.kind == "money":
            return self.say.money(count, self.one.money)
        return self.say.number(count)

    def money(self, amount_minor: int) -> str:
        return self.say.money(amount_minor, self.one.money)

    def owed(self, amount_minor: int) -> str:
        """Money that is owed; where nobody said what a unit is worth, nothing is known of it."""
        return "–" if self.one.told.money is None else self.money(amount_minor)

    def shown(self) -> dict[str, Any]:
        one, told, text = self.one, self.one.told, press().words[self.say.tongue].books
        noun = one.names.get(self.say.tongue) or next(iter(one.names.values()))
        shown: dict[str, Any] = {
            "key": f"{one.programme}-{one.code}",
            "name": self.name,
            "programme": one.programme_name,
            "spendable": one.spendable,
            "outstanding": self.units(told.outstanding),
            "expected": self.units(told.coming),
            "breakage": self.units(told.breakage),
            "estimate": redemption.sentence(told.estimate, self.say.tongue),
            "worth": None if told.worth is None else self._worth(told.worth.rate),
            "ages": [(self._age(age), self.units(age.units), self.owed(age.liability_minor)) for age in told.ages],
            "moves": self._moves(text),
            "months": [
                (self.say.day(date(point.month // 12, point.month % 12 + 1, 1), "MMMM y"), self.units(point.units),
                 self.owed(point.liability_minor))
                for point in told.series
            ],
            "plot": self._plot(),
            "plot_label": text.plot_label.format(noun.other),
            "amounts": [],
        }  # fmt: skip
        if told.money is not None and told.before is not None:
            money = told.money
            shown["amounts"] = [
                (text.amounts.allocated, self.money(money.allocated_minor)),
                (text.amounts.recognised, self.money(money.earned_minor)),
                (text.amounts.deferred, self.money(money.deferred_minor)),
                (text.amounts.provision, self.money(money.provision_minor)),
                (text.amounts.liability, self.money(money.liability_minor)),
                (text.amounts.opening, self.money(told.before.liability_minor)),
                (text.amounts.period, self.money(money.earned_minor - told.before.earned_minor)),
            ]
        return shown

    def _worth(self, rate: Fraction) -> str:
        units, minor = rate.denominator, rate.numerator
        noun = self.one.names.get(self.say.tongue) or next(iter(self.one.names.values()))
        return f"{sentences.counted(units, noun, self.say.tongue)} = {self.money(minor)}"

    def _age(self, age: Age) -> str:
        text = press().words[self.say.tongue].books.ages
        if age.to_months is None:
            return str(text.longer.format(age.from_months))
        return str(text.between.format(age.from_months, age.to_months))

    def _moves(self, text: Any) -> list[tuple[str, str]]:
        moves = self.one.told.movement
        lines = [(text.moves.opening, moves.opening)]
        for reason, count in moves.granted.items():
            lines.append((sentences.reason_sentence(reason, {}, self.say.tongue).rstrip("."), count))
        lines += [(text.moves.redeemed, -moves.redeemed), (text.moves.expired, -moves.expired)]
        if moves.moved:
            lines.append((text.moves.moved, moves.moved))
        return [(name, self.units(count)) for name, count in [*lines, (text.moves.closing, moves.closing)]]

    def _plot(self) -> Columns:
        told = self.one.told
        values = [max(0, point.units if told.money is None else point.liability_minor) for point in told.series]
        last = len(values) - 1
        written = [(self.units(told.outstanding) if told.money is None else self.money(value)) for value in values]
        return columns(
            [
                (self.say.day(date(point.month // 12, point.month % 12 + 1, 1), "MMMMM"), value,
                 written[place] if place == last else "")
                for place, (point, value) in enumerate(zip(told.series, values, strict=True))
            ],
            width=560,
        )  # fmt: skip


def _coupons(one: Coupons, names: Mapping[str, str], say: Wording) -> dict[str, Any]:
    text = press().words[say.tongue].books
    lines = [(text.moves.opening, one.opening_minor)]
    lines += [(text.coupons.of(kind, kind), one.moved_minor[kind]) for kind in KINDS if kind in one.moved_minor]
    lines.append((text.moves.closing, one.owed_minor))
    taken = [(text.honoured_of.format(names[each.merchant], names[each.issuer]), each.amount_minor)
             for each in one.honoured]  # fmt: skip
    return {
        "lines": [(name, say.money(amount, one.money)) for name, amount in lines],
        "honoured": [(name, say.money(amount, one.money)) for name, amount in taken],
    }


def _accounts(found: Report, trial: Trial, say: Wording) -> list[dict[str, Any]]:
    """The trial balance, a table for each currency."""
    text = press().words[say.tongue].books.accounts
    known = {(one.programme, one.code): one for one in found.currencies}
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for line in trial.lines:
        key = (line.programme, line.currency)
        one = known.get(key)
        told = None if one is None else _Told(one, say)
        name = line.currency if told is None else told.name
        table = tables.setdefault(key, {"name": name, "lines": [], "even": trial.sums[key] == 0})
        write = say.number if told is None else told.units
        owner = text.of(line.purpose if line.purpose in ACCOUNTS else "other", line.purpose)
        table["lines"].append((owner, *(write(side) if side else "" for side in (line.debit, line.credit))))
    return list(tables.values())


# ---------------------------------------------------------------------- to keep, and to close


@books.get(f"{PATH}/trial-balance.csv")
def trial_balance_sheet() -> Answer:
    """The trial balance as a file."""
    person = signed_in("books")
    found = accounting.trial_balance(context(), person.scope, _form().question(context().now()))
    return sheets.download(sheets.trial_sheet(found), f"trial-balance-{found.as_of:%Y-%m-%d}.csv")


@books.get(f"{PATH}/liability.csv")
def liability_sheet() -> Answer:
    """What is owed, as a file."""
    person = signed_in("books")
    found = accounting.report(context(), person.scope, _form().question(context().now()))
    return sheets.download(sheets.liability_sheet(found), f"liability-{found.as_of:%Y-%m-%d}.csv")


@books.post(f"{PATH}/closes")
def close() -> Answer:
    """Close everything up to a day. The same form sent twice closes once."""
    person = signed_in("books")
    try:
        through = _day(request.form.get("through", ""), date(2000, 1, 1))
        body: Mapping[str, Any] = {"through": through.isoformat()}
        facts, _ = closing.close(
            context(), person.scope, through, asked(person.scope, "close", body, None, f"close:{through}")
        )
    except (Conflict, Invalid) as fault:
        return _page(person, words(fault, "books"))
    return redirect(f"{root()}{PATH}?closed={facts['number']}", 303)


@books.get(f"{PATH}/closes/<close_id>")
def closed(close_id: str) -> Answer:
    """A closed period, proven again."""
    person = signed_in("books")
    one = closing.period(context(), person.scope, close_id)
    say = Wording(speaks(person), accounting.zone(context(), person.scope))
    figures = one.figures["liability"]["liability_minor"]
    return console_page(
        "console/books_close.html",
        person,
        section="books",
        one=one,
        say=say,
        last=say.on(one.ends_at - accounting.MOST_OF_A_DAY),
        owed=[say.money(amount, iso) for iso, amount in sorted(figures.items())],
        moved=closing.verify(context(), person.scope, close_id, speaks(person)),
    )
