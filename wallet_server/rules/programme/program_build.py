"""Owns how the shapes of a programme document become the parts of a Programme."""

from __future__ import annotations

from datetime import date, time, timedelta
from fractions import Fraction

from wallet_server.rules.announcing.announcing import (
    AnnouncePolicy,
    Limits,
    Quiet,
)
from wallet_server.rules.passes.card import (
    Action,
    AndroidApp,
    App,
    Beacon,
    Nfc,
    Palette,
)
from wallet_server.rules.programme.earning_document import (
    EarnShape,
    MultiplierShape,
    WorthShape,
)
from wallet_server.rules.programme.gesture_parts import privileges
from wallet_server.rules.programme.program_document import (
    AnnounceShape,
    AppleShape,
    CurrencyShape,
    GoogleShape,
    WelcomeShape,
)
from wallet_server.rules.programme.program_parts import (
    AllOf,
    Amount,
    AmountOff,
    AnyOf,
    AppleParts,
    AtLeast,
    BuyGet,
    Calendar,
    Cap,
    Conversion,
    Currency,
    Deal,
    EarnRule,
    Event,
    Goods,
    GoogleParts,
    Item,
    Ladder,
    Level,
    Limit,
    Money,
    Multiplier,
    Need,
    Per,
    PercentOff,
    Plural,
    Promise,
    Reach,
    Review,
    Reward,
    Visit,
    Weighted,
)
from wallet_server.rules.programme.reward_document import (
    AmountShape,
    ConversionShape,
    CouponShape,
    DealShape,
    RewardShape,
)
from wallet_server.rules.programme.tier_document import (
    NeedShape,
    PaletteShape,
    ReviewShape,
    TiersShape,
)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def apple(shape: AppleShape) -> AppleParts:
    """What only Apple Wallet has."""
    nfc, app = shape.nfc, shape.app
    return AppleParts(
        actions=tuple(Action(one.kind, one.link) for one in shape.actions),
        beacons=tuple(Beacon(one.uuid.upper(), one.major, one.minor, dict(one.texts)) for one in shape.beacons),
        nfc=None if nfc is None else Nfc(nfc.public_key, nfc.needs_unlocking),
        app=None if app is None else App(app.store_id, app.launch_link),
    )


def google(shape: GoogleShape) -> GoogleParts:
    """What only Google Wallet has."""
    app = shape.app
    return GoogleParts(shape.rotating_codes, None if app is None else AndroidApp(app.package, app.link))


def palette(shape: PaletteShape) -> Palette:
    """Three colours, written small."""
    return Palette(shape.background.lower(), shape.foreground.lower(), shape.label.lower())


def currency(shape: CurrencyShape, money: Money) -> Currency:
    """A currency; one of kind money without its own ISO code is of the programme's money."""
    is_money = shape.kind == "money"
    return Currency(
        code=shape.code,
        kind=shape.kind,
        iso=(shape.iso or money.iso) if is_money else None,
        exponent=(money.exponent if shape.exponent is None else shape.exponent) if is_money else 0,
        names={language: Plural(name.one, name.other, name.feminine) for language, name in shape.names.items()},
        spendable=shape.spendable,
        expires_after_months=shape.expires_after_months,
        pending_days=shape.pending_days,
        worth=Fraction(1) if is_money else _worth(shape.worth),
        warn_days=tuple(sorted(set(shape.warn_days), reverse=True)),
    )


def _worth(shape: WorthShape | None) -> Fraction | None:
    return None if shape is None else Fraction(shape.amount_minor, shape.units)


def rule(shape: EarnShape) -> EarnRule:
    """A way to earn."""
    return EarnRule(
        id=shape.id,
        currency=shape.currency,
        way=_way(shape),
        excluded_categories=frozenset(shape.excluded_categories),
        excluded_skus=frozenset(shape.excluded_skus),
        without_tax=shape.tax == "out",
        when=shape.when,
        cap=None if shape.cap is None else Cap(shape.cap.units, shape.cap.window),
        not_with_rewards=shape.not_with_rewards,
    )


def _way(shape: EarnShape) -> Per | Visit | Item | Event:
    if shape.event is not None:
        return Event(shape.event.name, dict(shape.event.names), shape.event.units, shape.event.proof)
    if shape.visit is not None:
        visit = shape.visit
        return Visit(visit.units, visit.minimum_minor, timedelta(minutes=visit.interval_minutes))
    if shape.item is not None:
        return Item(shape.item.units, frozenset(shape.item.categories), frozenset(shape.item.skus))
    if shape.per is None:
        raise ValueError("a rule earns in exactly one way")
    return Per(Fraction(shape.per.points, shape.per.amount_minor), shape.rounding, shape.scope)


def _amount(shape: AmountShape) -> Amount:
    return Amount(shape.currency, shape.amount)


def gift(shape: WelcomeShape) -> Amount | None:
    """The units for joining, None where there are none."""
    return None if shape.currency is None or shape.amount is None else Amount(shape.currency, shape.amount)


def promise(shape: CouponShape | None) -> Promise | None:
    """A promised coupon."""
    if shape is None:
        return None
    return coupon(shape)


def coupon(shape: CouponShape) -> Promise:
    """A coupon as it is promised."""
    return Promise(
        dict(shape.title),
        dict(shape.terms),
        shape.valid_days,
        shape.value_minor,
        shape.percent,
        shape.minimum_minor,
    )


def ladder(shape: TiersShape, counted: str) -> Ladder:
    """The tiers."""
    levels = tuple(
        Level(
            code=level.code,
            threshold=level.threshold or 0,
            names=dict(level.names),
            palette=None if level.palette is None else palette(level.palette),
            benefits=tuple(dict(benefit) for benefit in level.benefits),
            needs=None if level.needs is None else _need(level.needs),
            invitation=level.invitation,
            short_names=None if level.short_names is None else dict(level.short_names),
            reward=None if level.reward is None else dict(level.reward),
            privileges=privileges(level.privileges),
        )
        for level in shape.levels
    )
    return Ladder(shape.currency or counted, levels, _review(shape.review))


def _need(shape: NeedShape) -> Need:
    if shape.all is not None:
        return AllOf(tuple(_need(part) for part in shape.all))
    if shape.any is not None:
        return AnyOf(tuple(_need(part) for part in shape.any))
    if shape.weighted is not None:
        terms = tuple((term.metric, reach(term.window), term.weight) for term in shape.weighted)
        return Weighted(terms, shape.at_least or 0)
    if shape.metric is None:
        raise ValueError("a need says exactly one thing")
    return AtLeast(shape.metric, reach(shape.window or "ever"), shape.at_least or 0)


def reach(window: str) -> Reach:
    """A window as the document writes it: `ever`, `rolling-90-days`, `calendar-year` ..."""
    if not window.startswith("rolling-"):
        return Reach(window)  # type: ignore[arg-type]  # the shape allows these words alone
    _, count, unit = window.split("-")
    return Reach("rolling-days" if unit == "days" else "rolling-months", int(count))


def _review(shape: ReviewShape) -> Review:
    if shape.at.startswith("days-"):
        return Review("days", int(shape.at.removeprefix("days-")), shape.grace_days)
    return Review(shape.at, 0, shape.grace_days)  # type: ignore[arg-type]  # the shape allows these words alone


def policy(shape: AnnounceShape) -> AnnouncePolicy:
    """How often members may be told something."""
    quiet = shape.quiet
    hours = None if quiet is None else Quiet(time.fromisoformat(quiet.start), time.fromisoformat(quiet.end))
    return AnnouncePolicy(Limits(shape.per_day, shape.per_week), hours)


def reward(shape: RewardShape) -> Reward:
    """A reward of the catalogue."""
    return Reward(
        shape.code,
        dict(shape.names),
        _amount(shape.cost),
        shape.value_minor,
        shape.kind,
        shape.stock,
        None if shape.limit is None else Limit(shape.limit.count, shape.limit.window),
        promise(shape.voucher),
        shape.percent,
        None if shape.instruction is None else dict(shape.instruction),
    )


def multiplier(shape: MultiplierShape) -> Multiplier:
    """A factor, exact."""
    return Multiplier(
        id=shape.id,
        factor=Fraction(*shape.factor),
        rules=_set(shape.rules),
        stacking=shape.stacking,
        when=shape.when,
        tiers=_set(shape.tiers),
        stores=_set(shape.stores),
        goods=Goods(frozenset(shape.categories), frozenset(shape.skus)),
        calendar=_calendar(shape),
        birthday=shape.birthday,
    )


def deal(shape: DealShape) -> Deal:
    """Something off the basket at once."""
    return Deal(
        id=shape.id,
        names=dict(shape.names),
        way=_off(shape),
        goods=Goods(frozenset(shape.categories), frozenset(shape.skus)),
        tiers=_set(shape.tiers),
        when=shape.when,
        calendar=_calendar(shape),
    )


def _off(shape: DealShape) -> BuyGet | PercentOff | AmountOff:
    if shape.buy_get is not None:
        return BuyGet(shape.buy_get.buy, shape.buy_get.get, shape.buy_get.percent)
    if shape.percent is not None:
        return PercentOff(shape.percent.percent, shape.percent.minimum_minor, shape.percent.most_minor)
    if shape.amount is None:
        raise ValueError("a deal works in exactly one way")
    return AmountOff(shape.amount.amount_minor, shape.amount.minimum_minor)


def conversion(shape: ConversionShape) -> Conversion:
    """Units that become a voucher."""
    return Conversion(shape.id, shape.currency, shape.units, coupon(shape.voucher))


def _set(codes: list[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _calendar(shape: MultiplierShape | DealShape) -> Calendar:
    hours, dates = shape.hours, shape.dates
    return Calendar(
        days=None if shape.days is None else frozenset(_DAYS.index(day) for day in shape.days),
        hours=None if hours is None else (time.fromisoformat(hours.start), time.fromisoformat(hours.end)),
        dates=None if dates is None else (date.fromisoformat(dates.start), date.fromisoformat(dates.end)),
    )
