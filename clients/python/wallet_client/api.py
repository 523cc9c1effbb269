"""Owns the operations of the loyalty interface and the forms of what they take and give; written by
`python -m clients.generate` out of the server's OpenAPI document. Do not edit it."""

from __future__ import annotations

from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, Literal, NotRequired, TypedDict, Unpack, cast
from urllib.parse import quote

from wallet_client.transport import Transport


class Allowance(TypedDict):
    """What this device may burn without a network, in units of the currency, until then."""

    id: str
    programme: str
    currency: str
    amount: int
    left: int
    until: str


class Announce(TypedDict):
    programme: str
    texts: dict[str, Any]
    tier: NotRequired[str | None]
    ends_at: str
    member: NotRequired[str | None]
    """One member alone."""


class AnnouncementCount(TypedDict):
    members: dict[str, int]


class AnnouncementLine(TypedDict):
    announcement: str
    texts: dict[str, str]
    tier: str | None
    state: str
    created_at: str
    ends_at: str


class AnnouncementList(TypedDict):
    announcements: list[AnnouncementLine]


class AnnouncementMoved(TypedDict):
    announcement: str
    state: str


class AnnouncementStatus(TypedDict):
    """`members`: what was decided (`shown`, or `waiting:` or `skipped:` and why) for how many."""

    announcement: str
    texts: dict[str, str]
    tier: str | None
    state: str
    created_at: str
    ends_at: str
    members: dict[str, int]


class AnySale(TypedDict):
    apply_deals: NotRequired[bool]
    """Take the programme's deals off; a till that does so itself leaves it."""
    vouchers: NotRequired[list[str]]
    """Ids of the member's vouchers, or the codes on them."""
    rewards: NotRequired[list[str]]
    """Codes of rewards; their cost is taken."""
    pot: NotRequired[Pot | None]
    """Pay from the money that the member has here."""
    receipt: str
    """The receipt number: once per till and business day."""
    currency: str
    """ISO 4217."""
    amount_minor: NotRequired[int | None]
    """The sum of the lines, which is never below zero; an amount alone is one line."""
    lines: NotRequired[list[Line]]
    occurred_at: NotRequired[str | None]
    """When it was sold, with its zone; by default now."""
    business_day: NotRequired[str | None]
    """By default the date in the store's own zone; at most 2 days from that."""
    proof: NotRequired[Proof | None]
    language: NotRequired[str]
    code: NotRequired[str | None]
    """Left out, the sale is kept for whoever claims it by the `claim_code` on the receipt."""


class Attempt(TypedDict):
    at: str
    status: int | None
    milliseconds: int
    answer: str | None
    fault: str | None


class Authorisation(TypedDict):
    code: str
    amount: int
    currency: NotRequired[str | None]
    reference: str
    """The till's own number for this."""
    minutes: NotRequired[int | None]
    proof: NotRequired[Proof | None]
    language: NotRequired[str]


class Birthday(TypedDict):
    """The day on which a member is congratulated; null forgets it."""

    birthday: str | None


class BirthdayKept(TypedDict):
    """The member, and the birthday that is kept from now on."""

    member: str
    birthday: str | None


class Boxes(TypedDict):
    """The stamp card as it is drawn; `ready` full cards wait to be redeemed."""

    filled: int
    total: int
    ready: int


class CameBack(TypedDict):
    """What came back of one line."""

    number: int
    quantity_milli: int
    amount_minor: int
    tax_minor: int


class Capture(TypedDict):
    amount: NotRequired[int | None]
    """How much is used; by default all. The rest is given back."""
    language: NotRequired[str]


CardCancelled = TypedDict("CardCancelled", {"member": "str", "pass": "str", "state": "str"})


class CardEnd(TypedDict):
    good_until: str | None
    """With its zone; null: the card has no end."""


class CardFile(TypedDict):
    """A file of old cards, as a table exports it: a header, then a card on each line."""

    programme: str
    name: NotRequired[str]
    text: str
    columns: NotRequired[dict[str, str]]
    """Field to column, where the guess is wrong."""
    currency: NotRequired[str | None]
    """That of the points."""


CardIssued = TypedDict("CardIssued", {"member": "str", "pass": "str", "card_url": "str", "download_url": "str | None"})

CardLimited = TypedDict("CardLimited", {"member": "str", "pass": "str", "good_until": "str | None"})


class Case(TypedDict):
    """Something that a till did without a network and that a person settles. `number` is its receipt or
    reference."""

    id: str
    kind: str
    occurred_at: str
    received_at: str
    store: str
    till: str
    device: str
    sequence: int
    state: str
    why: str | None
    sentence: str
    number: str
    currency: str | None
    amount_minor: int | None
    units: int | None
    reward: str | None
    member: str | None
    booked: str | None
    decision: str | None
    note: str | None
    by: str | None
    decided_at: str | None


class Cases(TypedDict):
    conflicts: list[Case]


class CashierList(TypedDict):
    cashiers: list[CashierListed]


class CashierListed(TypedDict):
    """Somebody who may stand at this till; `has_pin` is false until a PIN was chosen in the console."""

    id: str
    name: str
    has_pin: bool


class Chart(TypedDict):
    """Why the phones of a member's cards did not follow, or that they did."""

    member: str
    at: str
    cards: list[ChartedCard]


ChartedCard = TypedDict(
    "ChartedCard", {"pass": "str", "state": "str", "diagnoses": "list[Diagnosis]", "timeline": "list[Moment]"}
)


class Claim(TypedDict):
    code: str
    claim: str
    """The code on the receipt."""
    language: NotRequired[str]


class ClaimEnded(TypedDict):
    """Nobody can claim this sale any more."""

    id: str
    sentence: str


class ClockMove(TypedDict):
    """Forward by so much, or to a time."""

    advance_seconds: NotRequired[int | None]
    to: NotRequired[str | None]


class ClockStands(TypedDict):
    now: str
    """What the account's clock shows."""
    ahead_seconds: int
    """How far it is ahead of everybody's."""


class Close(TypedDict):
    """Which days are closed: all up to this one that are not yet."""

    through: str
    """The last day of the period, on the clock of your first store; it is over."""


Closed = TypedDict(
    "Closed", {"id": "str", "number": "int", "from": "str | None", "to": "str", "closed_at": "str", "sha256": "str"}
)


class ClosedList(TypedDict):
    closes: list[Closed]


ClosedWhole = TypedDict(
    "ClosedWhole",
    {
        "id": "str",
        "number": "int",
        "from": "str | None",
        "to": "str",
        "closed_at": "str",
        "sha256": "str",
        "figures": "dict[str, Any]",
        "moved": "list[str]",
    },
)


class CodeKey(TypedDict):
    id: str
    public_key: str


class CodeSent(TypedDict):
    kind: Literal["email", "phone"]
    masked: str


class Consent(TypedDict):
    granted: bool
    source: NotRequired[str]


class ConsentKept(TypedDict):
    member: str
    purpose: str
    granted: bool


class Contact(TypedDict):
    kind: Literal["email", "phone"]
    masked: str
    proved: bool


class Contacts(TypedDict):
    """What is said of a member; what is left out stays, null forgets it."""

    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    """With its country code, or as it is dialled in WALLET_PHONE_REGION."""
    name: NotRequired[str | None]
    """The family name: old cards are matched by it."""
    address: NotRequired[str | None]
    """Street and town on one line, likewise."""
    postcode: NotRequired[str | None]
    send: NotRequired[bool]
    """Send a code to each address at once, to prove it."""


class Cost(TypedDict):
    currency: str
    amount: int


class Counted(TypedDict):
    """What a sale, a redemption or a reversal booked, and what the member has after it. `reward` is the code of the
    reward that was given; `progress` is the sentence of a stamp card. `counted_before` says of a sale that its
    visit was counted a moment ago and gives nothing again; `recorded_at` is when it was counted, of one that is
    sent again the first time. `instructions` tell the cashier what to do with rewards, `vouchers` are those that
    came of it; of a sale that uses something `discounts`, `used`, what is `to_pay_minor` and what the pot paid."""

    id: str
    member: str
    programme: str
    version: int
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    reward: str | None
    counted_before: bool
    recorded_at: str | None
    instructions: list[str]
    vouchers: list[str]
    discounts: list[Discount]
    used: list[Used]
    to_pay_minor: int | None
    pot_minor: int
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    sentence: str


class Coupon(TypedDict):
    """A coupon: what it is good for (in a basket of `minimum_minor` or more), until when, and whether it still is
    (`issued`, `used`, `expired`, `void`). `current` is false for a code whose pass was replaced by a newer one."""

    id: str
    title: str
    terms: str
    state: str
    valid_to: str | None
    used_at: str | None
    value_minor: int | None
    currency: str
    current: bool
    minimum_minor: int
    sentence: str


class CouponLiability(TypedDict):
    """At face value, of the merchant that issued them or of all; `good` coupons are still good. `honoured` is what
    merchants took of each other's."""

    programme: str
    money: str
    opening_minor: int
    moved_minor: dict[str, int]
    given_minor: dict[str, int]
    owed_minor: int
    good: int
    honoured: list[HonouredCoupons]


CouponPass = TypedDict("CouponPass", {"pass": "str", "card_url": "str", "download_url": "str | None"})


class CouponUse(TypedDict):
    code: str
    """What stands on the coupon."""
    reference: str
    """The till's own number for this."""
    amount_minor: NotRequired[int | None]
    language: NotRequired[str]


class CouponUsed(TypedDict):
    """A use of a coupon, or its reversal; `id` is that of the use."""

    id: str
    member: str
    programme: str
    coupon: Coupon
    sentence: str


class CurrencyLiability(TypedDict):
    """Units and minor units of `money`; `amounts` is null where nobody said what a unit is worth."""

    programme: str
    currency: str
    kind: str
    money: str
    worth: dict[str, Any] | None
    outstanding: int
    expected: int
    breakage: int
    estimate: Estimated
    amounts: dict[str, int] | None
    ageing: list[dict[str, int | None]]
    movement: dict[str, Any]
    months: list[dict[str, Any]]


class Delivery(TypedDict):
    id: str
    event: str
    """The `webhook-id` header of every try."""
    type: str
    state: str
    body: dict[str, Any]
    created_at: str
    next_at: str | None
    settled_at: str | None
    attempts: int
    last_attempts: list[Attempt]


class DeliveryList(TypedDict):
    deliveries: list[Delivery]
    before: NotRequired[str | None]
    """Ask for the next page with it."""


class Device(TypedDict):
    """A device that signs what it does without a network. `next_sequence` is the first number that is missing
    here."""

    device: str
    till: str
    next_sequence: int


class DeviceKey(TypedDict):
    public_key: str
    """P-256, the raw uncompressed point (65 bytes) as base64url."""
    device: NotRequired[str | None]
    sequence: NotRequired[int]
    """With `device`: the first number of what it still has; what is below it was counted long ago."""


class Diagnosis(TypedDict):
    """`level`: error, warning, wait, note, ok or hint, the worst first; `subject`: update, alert, place or
    phone."""

    code: str
    level: str
    subject: str
    sentence: str
    remedy: str
    facts: dict[str, str | int]


class Discount(TypedDict):
    """What came off a line (counted from 1), by `deal:ID`, `reward:CODE` or `voucher:ID`."""

    line: int
    by: str
    off_minor: int


class Draft(TypedDict):
    document: dict[str, Any]


class Drafted(TypedDict):
    announcement: str


class DryRun(TypedDict):
    """`complete` is false where there are more members (`of`) than one call looks at: then these `members` are a
    sample from all over the programme, and every figure is of the sample."""

    programme: str
    version: int
    members: int
    of: int
    complete: bool
    tiers: TierMoves
    stuck: list[Stuck]
    liability: list[Owing]


class Earned(TypedDict):
    currency: str
    amount: int
    rule: str
    sentence: str


Enrolled = TypedDict(
    "Enrolled",
    {
        "member": "str",
        "programme": "str",
        "pass": "str",
        "tier": "str | None",
        "card_url": "str",
        "download_url": "str | None",
        "google_url": "str | None",
        "coupons": "list[CouponPass]",
        "bundle_url": "str | None",
    },
)


class Entry(TypedDict):
    id: str
    currency: str
    amount: int
    rule: str
    version: int
    """Of the programme, under which it was booked; what comes back is of the sale's."""
    reason: str
    sentence: str


class Estimated(TypedDict):
    """Shares as decimals. `why_not` is given where the data do not carry an estimate; then `used` is 1."""

    share: str
    low: str
    high: str
    used: str
    months: int
    redemptions: int
    why_not: str | None
    trial: Tried | None
    sentence: str


class Event(TypedDict):
    """One event of one member, named by a card's code or by the member's id."""

    name: str
    """As the rules of the programme call it."""
    code: NotRequired[str | None]
    member: NotRequired[str | None]
    occurred_at: NotRequired[str | None]
    """When it happened, with its zone; by default now."""
    fields: NotRequired[dict[str, Any]]
    """What conditions may ask: texts, whole numbers, true and false."""
    proof: NotRequired[str | None]
    """Where it can be seen: a link, a number of yours."""
    language: NotRequired[str]


class EventKept(TypedDict):
    """What an event booked, and what the member has after it; `id` is that of the event, `vouchers` are coupons
    that full amounts of units became with it."""

    id: str
    member: str
    programme: str
    version: int
    event: str
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    vouchers: list[str]
    sentence: str


class Events(TypedDict):
    events: NotRequired[list[Signed]]
    sequence: int
    """The number that this device gives next: all below it were signed."""
    clock: NotRequired[str | None]
    """What the device's clock shows as it sends this."""
    language: NotRequired[str]


class Figure(TypedDict):
    metric: str
    window: str
    value: int


class FilePreview(TypedDict):
    columns: dict[str, str]
    names: list[str]
    counts: dict[str, int]
    dirty: list[dict[str, Any]]


class Gesture(TypedDict):
    """What the cashier may give this member now; `left`: how many times more, null where nothing bounds it."""

    gesture: str
    kind: str
    title: str
    sentence: str
    reasons: list[GestureReason]
    left: int | None


class GestureGiven(TypedDict):
    """What was given, or taken back; `sentence` tells the cashier what to do, `reason` is what the member reads."""

    id: str
    member: str
    programme: str
    gesture: str
    kind: str
    title: str
    reason: str | None
    entries: list[Entry]
    vouchers: list[str]
    balances: dict[str, int]
    tier: str | None
    undo_seconds: int
    sentence: str


class GestureReason(TypedDict):
    id: str
    name: str


class GestureWanted(TypedDict):
    """Which gesture, for whom and why."""

    code: str
    gesture: str
    """As a look-up's `gestures` name it."""
    reason: NotRequired[str | None]
    complaint: NotRequired[str | None]
    reference: str
    """The till's own number for this."""
    language: NotRequired[str]


class GivenBack(TypedDict):
    """Nothing is reserved any more."""

    allowance: None


class GivenTier(TypedDict):
    """`tier` null takes back what was given before."""

    tier: NotRequired[str | None]
    until: NotRequired[str | None]
    """Left out: for good."""
    trial: NotRequired[bool]
    reason: str
    """A short word, never a name."""


class Goodwill(TypedDict):
    """Units, or a voucher, and why."""

    reason: str
    """As the member reads it on the card."""
    code: NotRequired[Literal["delay", "quality", "service", "mistake", "other"]]
    """For your figures."""
    amount: NotRequired[int | None]
    currency: NotRequired[str | None]
    voucher: NotRequired[str | None]
    complaint: NotRequired[str | None]
    language: NotRequired[str]


class GoodwillGiven(TypedDict):
    """What was given; `vouchers` are those that came of it."""

    id: str
    member: str
    programme: str
    entries: list[Entry]
    vouchers: list[str]
    balances: dict[str, int]
    tier: str | None
    sentence: str


class Grant(TypedDict):
    id: str
    tier: str | None
    source: str
    reason: str
    given_at: str
    until: str | None


class Held(TypedDict):
    """What a reservation booked, and what the member has after it; `id` names the reservation."""

    id: str
    member: str
    programme: str
    version: int
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    reward: str | None
    counted_before: bool
    recorded_at: str | None
    instructions: list[str]
    vouchers: list[str]
    discounts: list[Discount]
    used: list[Used]
    to_pay_minor: int | None
    pot_minor: int
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    sentence: str
    hold: Hold


class HintDay(TypedDict):
    day: str
    deal: str
    offered: int
    taken: int


class HintDays(TypedDict):
    """How often the till was told that one more piece is free, and how often it was bought."""

    days: list[HintDay]


class HintShown(TypedDict):
    """What one piece more would do: of which deal, of the article on which line (counted from 1)."""

    deal: str
    line: int
    article: str | None
    percent: int
    sentence: str


class Hold(TypedDict):
    """Units put aside: `open`, `captured`, `released` or `expired`."""

    currency: str
    amount: int
    captured: int
    state: str
    reference: str
    expires_at: str


class Holder(TypedDict):
    """Who holds a card. `card_current` is false for anything but its newest issue; with an older one a second proof
    may be asked for, and with one that another card replaced (`card_spends` is false) nothing is spent at all."""

    member: str
    programme: str
    tier: str | None
    tier_name: str | None
    balances: dict[str, int]
    promotions: bool
    card_current: bool
    card_spends: bool
    coupon: Coupon | None
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    privileges: list[Privilege]
    vouchers: list[Voucher]
    offers: list[Offer]
    gestures: list[Gesture]
    prompt: Prompt | None
    sentence: str


class HonouredCoupons(TypedDict):
    """What `merchant` took at its tills, in the period, of coupons that `issuer` owed, less what it gave back."""

    issuer: str
    merchant: str
    amount_minor: int
    times: int


class Import(TypedDict):
    """A file that was taken over; `counts` has its lines by state, and the `points` that it brought."""

    id: str
    name: str
    lines: int
    counts: dict[str, int]
    done: bool


class Kept(TypedDict):
    """A sale of nobody yet. `claim_code` goes on the receipt, and is null once the sale was claimed or ended."""

    id: str
    programme: str
    claim_code: str | None
    until: str
    sentence: str


class KeyList(TypedDict):
    keys: list[KeyListed]


class KeyListed(TypedDict):
    """A key without its secret; `device` is the name of the paired device that has it, `until` when it ends,
    `successor` the key that takes its place."""

    id: str
    label: str | None
    device: str | None
    till: str | None
    store: str | None
    scopes: list[str]
    created_at: str
    used_at: str | None
    until: str | None
    successor: str | None


class KeyMade(TypedDict):
    """`key` is in the first answer and in no replay of it; `old_until` is when the old one ends."""

    id: str | None
    key: str | None
    old_until: str | None


class KeyRevoked(TypedDict):
    key: str
    revoked: bool


class Lack(TypedDict):
    metric: str
    amount: int
    text: str


Liability = TypedDict(
    "Liability",
    {
        "as_of": "str",
        "from": "str",
        "merchant": "str | None",
        "liability_minor": "dict[str, int]",
        "currencies": "list[CurrencyLiability]",
        "coupons": "list[CouponLiability]",
    },
)


class Line(TypedDict):
    sku: NotRequired[str | None]
    category: NotRequired[str | None]
    quantity: NotRequired[float]
    """At most three decimals."""
    unit_amount_minor: NotRequired[int | None]
    """In the smallest unit of the currency."""
    amount_minor: NotRequired[int | None]
    """The line as sold, discounts deducted, tax included; by default unit amount times quantity. Below zero for a
    discount or goods taken back in the same sale."""
    tax_minor: NotRequired[int]
    """The tax contained in the amount: between zero and the amount."""
    excluded: NotRequired[bool]
    """This line earns nothing."""


class Lines(TypedDict):
    lines: list[dict[str, Any]]


class Linked(TypedDict):
    member: str
    merged: str | None
    moved: dict[str, int]
    sentence: str


class Lookup(TypedDict):
    code: str
    """What was read, or what was typed."""
    language: NotRequired[str]
    """Language of the sentences in the answer."""


class Loser(TypedDict):
    member: str
    tier: str | None
    tier_then: str | None


class MemberLeft(TypedDict):
    member: str
    left_at: str


class Merge(TypedDict):
    """Two members who are one."""

    merged: str
    """The member who is this one from now on."""
    reason: NotRequired[Literal["joined-twice", "plastic", "lost-card", "other"]]


class Merged(TypedDict):
    member: str
    merged: str | None
    moved: dict[str, int]


class Moment(TypedDict):
    at: str
    code: str
    sentence: str
    facts: dict[str, str | int]


class Move(TypedDict):
    tier: str | None
    tier_then: str | None
    members: int


class NewKey(TypedDict):
    """A name to know it by, and what it may do: no more than the key that makes it."""

    label: str
    scopes: list[Literal["read", "manage", "enrol", "announce"]]


class NewMember(TypedDict):
    language: NotRequired[str | None]
    home_store: NotRequired[str | None]
    email: NotRequired[str | None]
    promotions: NotRequired[bool]
    """The member agreed to receive announcements."""
    first_name: NotRequired[str | None]
    customer_since: NotRequired[str | None]
    """Where that is before today: tenure counts from there."""


class NewSecret(TypedDict):
    overlap_hours: NotRequired[int]
    """How long messages are signed under the secret before as well."""


class NewTill(TypedDict):
    store: str
    name: str


class NewWebhook(TypedDict):
    url: str
    """Begins with https://."""
    events: NotRequired[list[str]]
    """What it is told; by default everything."""


class NextTier(TypedDict):
    tier: str
    tier_name: str
    percent: int
    missing: list[Lack]
    reward: str | None
    sentence: str
    lacking: str


class Offer(TypedDict):
    """An `announcement` of this merchant that the member was told and that stands until `until`; or a `deal` of the
    programme that holds here and now, as far as that can be said without a basket: a quote says what it takes
    off."""

    kind: Literal["announcement", "deal"]
    id: str
    title: str
    until: str | None


class Owing(TypedDict):
    currency: str
    units: int
    minor: int
    minor_then: int
    change_minor: int


class Pack(TypedDict):
    """All that a till needs without a network. `policy` is that of the first programme, `policies` of each."""

    issuer: str
    keys: list[CodeKey]
    programmes: dict[str, dict[str, Any]]
    policy: Policy | None
    policies: dict[str, Policy]
    allowance: Allowance | None
    device: Device | None
    clock: str


class Pin(TypedDict):
    """The PIN, and a new one where somebody else chose it."""

    pin: str
    new_pin: NotRequired[str | None]


class PlasticCard(TypedDict):
    """Both cards as they are shown at the counter."""

    code: str
    """Of the card on the phone."""
    number: str
    """Of the card of plastic."""
    proof: NotRequired[Proof | None]
    language: NotRequired[str]


class Policy(TypedDict):
    """What a till may promise without a network."""

    earn: bool
    burn_units_per_card: int
    allowance_units: int
    window_minutes: int


class Pot(TypedDict):
    amount_minor: NotRequired[int | None]
    """By default as much as there is and is needed."""
    currency: NotRequired[str | None]


class Privilege(TypedDict):
    """What no money buys, by the member's tier: its name as the cashier reads it, and a colour (#rrggbb)."""

    code: str
    name: str
    colour: str


class ProgrammeLine(TypedDict):
    id: str
    name: str
    version: int
    join_url: str


class ProgrammeList(TypedDict):
    programmes: list[ProgrammeLine]


class ProgrammeWhole(TypedDict):
    """A programme and its current document as it was published."""

    id: str
    name: str
    version: int
    join_url: str
    document: dict[str, Any]


class Prompt(TypedDict):
    """The one thing to say or do first, about the `id` of a `gesture`, `voucher`, `deal` or `reward`; `near` is
    about a reward that the member nearly has."""

    kind: Literal["gesture", "voucher", "reward", "near", "deal"]
    id: str
    sentence: str


class Proof(TypedDict):
    """`code`: `value` is the one-time code that the member was sent. `cashier`: who stands at the till, as
    `X-Cashier` says, vouches for them."""

    kind: Literal["code", "cashier"]
    value: NotRequired[str | None]


class ProofSent(TypedDict):
    """A one-time code is on its way, good for ten minutes."""

    kind: str
    to: str
    sentence: str


class Proved(TypedDict):
    """`merged` is the member who became this one, with the units that came along."""

    member: str
    contacts: list[Contact]
    merged: str | None
    moved: dict[str, int]


class Published(TypedDict):
    programme: str
    version: int


class Quote(TypedDict):
    apply_deals: NotRequired[bool]
    """Take the programme's deals off."""
    vouchers: NotRequired[list[str]]
    """Ids of the member's vouchers, or the codes on them."""
    rewards: NotRequired[list[str]]
    """Codes of rewards; their cost is taken."""
    pot: NotRequired[Pot | None]
    """Pay from the money that the member has here."""
    code: str
    currency: str
    """ISO 4217."""
    lines: list[QuotedLine]
    language: NotRequired[str]


class Quoted(TypedDict):
    """What a basket would come to and earn, and what could be used with it. Nothing was changed."""

    member: str
    tier: str | None
    amount_minor: int
    to_pay_minor: int
    pot_minor: int
    discounts: list[Discount]
    earns: list[Earned]
    balances: dict[str, int]
    vouchers: list[Usable]
    rewards: list[Reward]
    hints: list[HintShown]
    sentence: str


class QuotedLine(TypedDict):
    sku: NotRequired[str | None]
    category: NotRequired[str | None]
    quantity: NotRequired[float]
    """At most three decimals."""
    unit_amount_minor: NotRequired[int | None]
    """In the smallest unit of the currency."""
    amount_minor: NotRequired[int | None]
    """The line as sold, discounts deducted, tax included; by default unit amount times quantity. Below zero for a
    discount or goods taken back in the same sale."""
    tax_minor: NotRequired[int]
    """The tax contained in the amount: between zero and the amount."""
    excluded: NotRequired[bool]
    """This line earns nothing."""
    name: NotRequired[str | None]


class Reach(TypedDict):
    """How a member is reached, as its owner knows the address and nobody else."""

    member: str
    contacts: list[Contact]
    sent: list[CodeSent]


class Redemption(TypedDict):
    code: str
    amount: NotRequired[int | None]
    currency: NotRequired[str | None]
    reward: NotRequired[str | None]
    reference: str
    """The till's own number for this."""
    proof: NotRequired[Proof | None]
    language: NotRequired[str]


class Refund(TypedDict):
    reference: str
    """The till's own number for this: once a business day."""
    lines: NotRequired[list[ReturnedLine]]
    amount_minor: NotRequired[int | None]
    language: NotRequired[str]


class Refunded(TypedDict):
    """What a refund booked, and what the member has after it. `amount_minor` is to be given back for what came back
    of the `sale`, less the money that was paid out with a reward that is given back; `pot_minor` of it went back to
    the member's pot; `left_minor` is what is left of the sale's money. The `lines` are what came back: pieces at
    the prices of the sale, or money whose pieces stay."""

    id: str
    member: str
    programme: str
    version: int
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    reward: str | None
    counted_before: bool
    recorded_at: str | None
    instructions: list[str]
    vouchers: list[str]
    discounts: list[Discount]
    used: list[Used]
    to_pay_minor: int | None
    pot_minor: int
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    sentence: str
    sale: str
    reference: str
    amount_minor: int
    left_minor: int
    lines: list[CameBack]


class Replay(TypedDict):
    """One delivery, or all since a time."""

    delivery: NotRequired[str | None]
    since: NotRequired[str | None]
    everything: NotRequired[bool]
    """With `since`: also what was delivered, not only what was given up."""


class Replayed(TypedDict):
    webhook: str
    delivery: str | None
    since: str | None


class Reserve(TypedDict):
    programme: str
    units: int


class Result(TypedDict):
    """How an event stands: `applied`, `waiting` (send it again later to learn more), `conflict` (a person settles
    it) or `refused` (it was not taken; `why` says the reason)."""

    sequence: int | None
    state: str
    why: str | None
    sentence: str
    id: str | None
    booked: str | None
    late: bool


class ReturnedLine(TypedDict):
    number: int
    """Of the sale's lines, from 1."""
    quantity: NotRequired[float | None]
    amount_minor: NotRequired[int | None]


class Reversal(TypedDict):
    language: NotRequired[str]


class Reversed(TypedDict):
    """`amount_minor` is to be given back for what came back of the sale, less the money that was paid out with a
    reward that is given back; `pot_minor` of it went back to the pot; it is null of one that was answered by an
    older version."""

    id: str
    member: str
    programme: str
    version: int
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    reward: str | None
    counted_before: bool
    recorded_at: str | None
    instructions: list[str]
    vouchers: list[str]
    discounts: list[Discount]
    used: list[Used]
    to_pay_minor: int | None
    pot_minor: int
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    sentence: str
    amount_minor: int | None


class Reward(TypedDict):
    """A reward of the programme as it stands for this member: what kind it is, how often it can be had now, or how
    many units are missing for it. `stock` are those that are left for all; `until` is when a member who had it as
    often as it is given can have it again. Null: not bounded, or not known in this answer."""

    code: str
    name: str
    kind: str
    cost: Cost
    missing: int
    ready: int
    stock: int | None
    until: str | None


class Rotation(TypedDict):
    overlap_hours: NotRequired[int]
    """How long both keys work."""


class Settle(TypedDict):
    """Whose a doubtful card is: one of its candidates, or (null) nobody else's."""

    member: str | None


class Settled(TypedDict):
    line: int
    state: Literal["waiting", "made", "linked", "doubtful", "dirty", "known"]
    member: str | None


class ShiftBegun(TypedDict):
    """The token goes into the header X-Cashier of every call of this till until `until`, or until the next
    shift."""

    token: str
    id: str
    name: str
    role: str
    until: str
    may: list[str]


class ShiftEnded(TypedDict):
    ended: bool


class Signed(TypedDict):
    text: str
    """Exactly the text that was signed."""
    signature: str
    """ECDSA (P-256, SHA-256) of the text in UTF-8: r and s, 64 bytes, base64url."""


class Standing(TypedDict):
    member: str
    tier: str
    tier_name: str
    source: Literal["earned", "given", "trial"]
    since: str
    until: str | None
    earned: str | None
    review_at: str | None
    kept_until: str | None
    why: str
    metrics: list[Figure]
    next: NextTier | None
    given: list[Grant]


class Store(TypedDict):
    name: str
    zone: NotRequired[str]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    texts: NotRequired[dict[str, Any] | None]


class StoreKept(TypedDict):
    store: str


class StoreLine(TypedDict):
    id: str
    name: str
    zone: str
    latitude: float | None
    longitude: float | None
    texts: dict[str, str] | None


class StoreList(TypedDict):
    stores: list[StoreLine]


class Stuck(TypedDict):
    currency: str
    why: Literal["dropped", "changed", "not-spendable"]
    units: int
    members: int


class Synced(TypedDict):
    """The first number that is missing here, and how each event stands, in the order in which they were sent."""

    next_sequence: int
    results: list[Result]


class TierGiven(TypedDict):
    member: str
    tier_before: str | None
    tier: str | None
    source: Literal["earned", "given", "trial"]
    until: str | None


class TierMoves(TypedDict):
    """`down_later`: who will have less once it is looked at; `losing` names the first of those who lose at once."""

    up: int
    down: int
    down_later: int
    moves: list[Move]
    losing: list[Loser]


class TillMade(TypedDict):
    """`key` is in the first answer and in no replay of it."""

    till: str
    store: str
    key: NotRequired[str | None]


class TrialBalance(TypedDict):
    """`even` says that every currency adds up to zero."""

    as_of: str
    merchant: str | None
    even: bool
    lines: list[TrialLine]
    sums: list[TrialSum]


class TrialLine(TypedDict):
    programme: str
    currency: str
    owner: str
    purpose: str
    debit: int
    credit: int


class TrialSum(TypedDict):
    programme: str
    currency: str
    sum: int


class Tried(TypedDict):
    """What was predicted for held-out months, and what came."""

    months: int
    predicted: int
    actual: int
    error: str


class TypedCode(TypedDict):
    """The code that the member read."""

    code: str
    join: NotRequired[bool]
    """Where the address is another member's: make the two one."""


class Usable(TypedDict):
    """The same beside a basket; `fits` says whether this basket is large enough for it."""

    id: str
    title: str
    terms: str
    value_minor: int | None
    percent: int | None
    minimum_minor: int
    valid_to: str | None
    fits: bool


class Used(TypedDict):
    """What a sale used: a `reward` or a `voucher` and what it took off, or a `pot` and the amount paid from it."""

    kind: str
    id: str
    off_minor: int | None
    amount: int | None


class Version(TypedDict):
    document: dict[str, Any]


class Voucher(TypedDict):
    """A voucher that the member can use now, in a basket of `minimum_minor` or more; a sale or a quote takes its
    `id`. It takes off `value_minor` or `percent`; where both are null its terms say what it is good for."""

    id: str
    title: str
    terms: str
    value_minor: int | None
    percent: int | None
    minimum_minor: int
    valid_to: str | None


class Webhook(TypedDict):
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_why: NotRequired[str | None]
    """merchant, failing or gone."""
    disabled_at: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    previous_secret_until: NotRequired[str | None]
    created_at: str
    sentence: str


class WebhookChange(TypedDict):
    url: NotRequired[str | None]
    events: NotRequired[list[str] | None]
    enabled: NotRequired[bool | None]


class WebhookGone(TypedDict):
    webhook: str
    deleted: bool


class WebhookList(TypedDict):
    webhooks: list[Webhook]


class WebhookMade(TypedDict):
    """`secret` is in the first answer and in no replay of it."""

    webhook: str
    secret: NotRequired[str | None]
    previous_until: NotRequired[str | None]


class WebhookNamed(TypedDict):
    webhook: str


class WebhookTested(TypedDict):
    webhook: str
    delivery: str
    event: str


class WidgetFor(TypedDict):
    """The sites that show the widget, as `https://shop.example`; on this machine http will do."""

    sites: list[str]
    minutes: NotRequired[int]
    """How long the token opens the widget."""


class WidgetToken(TypedDict):
    """`snippet` is the line for the page, `url` the address of the frame for whoever writes that themselves."""

    token: str
    expires_at: str
    url: str
    snippet: str


class Withheld(TypedDict):
    """A rule that gave nothing for a sale or an event. `why` is `condition`, `rewards` (some were used), `goods`
    (none count), `minimum`, `visit` (counted before), `too-little` or `limit`."""

    rule: str
    version: int
    why: str
    sentence: str


class SandboxClockOperations:
    """Operations of the subject “sandbox clock”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_clock(self) -> ClockStands:
        """A test account's clock. Refused to an account that trades."""
        return cast("ClockStands", self._transport.call("GET", "/sandbox/clock"))

    def move_clock(self, *, idempotency_key: str | None = None, **body: Unpack[ClockMove]) -> ClockStands:
        """Move a test account's clock forward. What is due by then is done before this answers, and the phones are
        told. Refused to an account that trades."""
        return cast(
            "ClockStands", self._transport.call("POST", "/sandbox/clock", body=body, idempotency_key=idempotency_key)
        )


class BackOfficeOperations:
    """Operations of the subject “back office”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_announcements(self) -> AnnouncementList:
        """Your announcements. The newest first."""
        return cast("AnnouncementList", self._transport.call("GET", "/v1/announcements"))

    def draft_announcement(self, *, idempotency_key: str | None = None, **body: Unpack[Announce]) -> Drafted:
        """Write an announcement. A draft: nobody hears it before you confirm it."""
        return cast(
            "Drafted", self._transport.call("POST", "/v1/announcements", body=body, idempotency_key=idempotency_key)
        )

    def get_announcement(self, public_id: str, /) -> AnnouncementStatus:
        """Where an announcement stands. And what was decided for how many members."""
        return cast("AnnouncementStatus", self._transport.call("GET", f"/v1/announcements/{quote(public_id, safe='')}"))

    def confirm_announcement(self, public_id: str, /, *, idempotency_key: str | None = None) -> AnnouncementMoved:
        """Send it. From here on it goes out, behind the work of the counters."""
        return cast(
            "AnnouncementMoved",
            self._transport.call(
                "POST", f"/v1/announcements/{quote(public_id, safe='')}/confirmation", idempotency_key=idempotency_key
            ),
        )

    def count_announcement(self, public_id: str, /) -> AnnouncementCount:
        """Dry run. How many would see it now, would wait and why, are left out and why."""
        return cast(
            "AnnouncementCount", self._transport.call("GET", f"/v1/announcements/{quote(public_id, safe='')}/count")
        )

    def recall_announcement(self, public_id: str, /, *, idempotency_key: str | None = None) -> AnnouncementMoved:
        """Take it back. The walk stops; cards that show it lose it without a sound."""
        return cast(
            "AnnouncementMoved",
            self._transport.call(
                "POST", f"/v1/announcements/{quote(public_id, safe='')}/recall", idempotency_key=idempotency_key
            ),
        )

    def revoke_key(self, public_id: str, /, *, idempotency_key: str | None = None) -> KeyRevoked:
        """Revoke a key. At once; doing it again changes nothing."""
        return cast(
            "KeyRevoked",
            self._transport.call("DELETE", f"/v1/keys/{quote(public_id, safe='')}", idempotency_key=idempotency_key),
        )

    def let_go(self, public_id: str, /, *, idempotency_key: str | None = None) -> MemberLeft:
        """A member leaves. Every card is over, nothing is sent or collected any more; doing it again changes
        nothing."""
        return cast(
            "MemberLeft",
            self._transport.call("DELETE", f"/v1/members/{quote(public_id, safe='')}", idempotency_key=idempotency_key),
        )

    def set_consent(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Consent]
    ) -> ConsentKept:
        """Record what a member said about announcements. Kept with time and source; only the last line counts."""
        return cast(
            "ConsentKept",
            self._transport.call(
                "PUT",
                f"/v1/members/{quote(public_id, safe='')}/consents/promotions",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def diagnose(self, public_id: str, /) -> Chart:
        """Why a phone did not update. What the server knows of a member's cards on a time line, and what is to be
        said of it, the worst first."""
        return cast("Chart", self._transport.call("GET", f"/v1/members/{quote(public_id, safe='')}/diagnosis"))

    def issue_card(self, public_id: str, /, *, idempotency_key: str | None = None) -> CardIssued:
        """Issue a further card. For a member whose card was cancelled or lost; what they have stays theirs."""
        return cast(
            "CardIssued",
            self._transport.call(
                "POST", f"/v1/members/{quote(public_id, safe='')}/passes", idempotency_key=idempotency_key
            ),
        )

    def cancel_card(self, public_id: str, card: str, /, *, idempotency_key: str | None = None) -> CardCancelled:
        """Cancel a card. It is over at once; its phone shows so within moments and never asks again. Doing it again
        changes nothing."""
        return cast(
            "CardCancelled",
            self._transport.call(
                "DELETE",
                f"/v1/members/{quote(public_id, safe='')}/passes/{quote(card, safe='')}",
                idempotency_key=idempotency_key,
            ),
        )

    def limit_card(
        self, public_id: str, card: str, /, *, idempotency_key: str | None = None, **body: Unpack[CardEnd]
    ) -> CardLimited:
        """Limit a card. Until when it is good, for a guest or a season; `null`: without an end. Its phone
        follows."""
        return cast(
            "CardLimited",
            self._transport.call(
                "PUT",
                f"/v1/members/{quote(public_id, safe='')}/passes/{quote(card, safe='')}/end",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def list_programmes(self) -> ProgrammeList:
        """Your programmes. The programmes your merchant takes part in."""
        return cast("ProgrammeList", self._transport.call("GET", "/v1/programmes"))

    def get_programme(self, public_id: str, /) -> ProgrammeWhole:
        """A programme and its document. The current version as it was published."""
        return cast("ProgrammeWhole", self._transport.call("GET", f"/v1/programmes/{quote(public_id, safe='')}"))

    def enrol_member(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[NewMember]
    ) -> Enrolled:
        """Enrol a member. A member and a card; nothing about the person is required."""
        return cast(
            "Enrolled",
            self._transport.call(
                "POST",
                f"/v1/programmes/{quote(public_id, safe='')}/members",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def publish_version(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Version]
    ) -> Published:
        """Publish a further version. All faults of the document at once, or a new version; the cards follow."""
        return cast(
            "Published",
            self._transport.call(
                "POST",
                f"/v1/programmes/{quote(public_id, safe='')}/versions",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def list_stores(self) -> StoreList:
        """Your stores. With their places and texts."""
        return cast("StoreList", self._transport.call("GET", "/v1/stores"))

    def add_store(self, *, idempotency_key: str | None = None, **body: Unpack[Store]) -> StoreKept:
        """Add a store. Cards carry the ten stores nearest to the member's own."""
        return cast("StoreKept", self._transport.call("POST", "/v1/stores", body=body, idempotency_key=idempotency_key))

    def change_store(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Store]
    ) -> StoreKept:
        """Move or rename a store. The cards that carry it follow."""
        return cast(
            "StoreKept",
            self._transport.call(
                "PUT", f"/v1/stores/{quote(public_id, safe='')}", body=body, idempotency_key=idempotency_key
            ),
        )

    def add_till(self, *, idempotency_key: str | None = None, **body: Unpack[NewTill]) -> TillMade:
        """Add a till. The till's key is in the first answer and nowhere else."""
        return cast("TillMade", self._transport.call("POST", "/v1/tills", body=body, idempotency_key=idempotency_key))


class BooksOperations:
    """Operations of the subject “books”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_closes(self) -> ClosedList:
        """Closed periods. The newest first."""
        return cast("ClosedList", self._transport.call("GET", "/v1/books/closes"))

    def close(self, *, idempotency_key: str | None = None, **body: Unpack[Close]) -> Closed:
        """Close a period. Everything up to the end of a day is frozen; what is corrected later falls into the open
        period."""
        return cast(
            "Closed", self._transport.call("POST", "/v1/books/closes", body=body, idempotency_key=idempotency_key)
        )

    def get_close(self, public_id: str, /) -> ClosedWhole:
        """A closed period. Its figures as they were frozen, and whatever is no longer as it was then: the entries
        are counted anew."""
        return cast("ClosedWhole", self._transport.call("GET", f"/v1/books/closes/{quote(public_id, safe='')}"))

    def liability(
        self,
        *,
        as_of: str | None = None,
        currency: str | None = None,
        merchant: str | None = None,
        from_: str | None = None,
    ) -> Liability:
        """What is owed to members. Units outstanding, those expected to be redeemed, deferred revenue, ageing, and
        how it moved since `from`."""
        return cast(
            "Liability",
            self._transport.call(
                "GET",
                "/v1/books/liability",
                query={"as_of": as_of, "currency": currency, "merchant": merchant, "from": from_},
            ),
        )

    def liability_sheet(
        self,
        *,
        as_of: str | None = None,
        currency: str | None = None,
        merchant: str | None = None,
        from_: str | None = None,
    ) -> str:
        """What is owed to members as CSV. One line a figure."""
        return cast(
            "str",
            self._transport.call(
                "GET",
                "/v1/books/liability.csv",
                query={"as_of": as_of, "currency": currency, "merchant": merchant, "from": from_},
            ),
        )

    def trial_balance(
        self, *, as_of: str | None = None, currency: str | None = None, merchant: str | None = None
    ) -> TrialBalance:
        """Trial balance. What stood on every kind of account of your account's programmes; each currency adds up to
        zero."""
        return cast(
            "TrialBalance",
            self._transport.call(
                "GET", "/v1/books/trial-balance", query={"as_of": as_of, "currency": currency, "merchant": merchant}
            ),
        )

    def trial_balance_sheet(
        self, *, as_of: str | None = None, currency: str | None = None, merchant: str | None = None
    ) -> str:
        """Trial balance as CSV. One line an account."""
        return cast(
            "str",
            self._transport.call(
                "GET", "/v1/books/trial-balance.csv", query={"as_of": as_of, "currency": currency, "merchant": merchant}
            ),
        )


class PeopleOperations:
    """Operations of the subject “people”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def take_over(self, *, idempotency_key: str | None = None, **body: Unpack[CardFile]) -> Import:
        """Take over a file of old cards. Its lines are worked from now on, a few at a time: `done` says when all
        are. Every sound number works at the till then. The same file again changes nothing."""
        return cast(
            "Import", self._transport.call("POST", "/v1/card-imports", body=body, idempotency_key=idempotency_key)
        )

    def preview(self, *, idempotency_key: str | None = None, **body: Unpack[CardFile]) -> FilePreview:
        """Look at a file of old cards. Which column is what, how many lines would become what, and the first lines
        that cannot be read. Nothing is stored."""
        return cast(
            "FilePreview",
            self._transport.call("POST", "/v1/card-imports/preview", body=body, idempotency_key=idempotency_key),
        )

    def get_import(self, public_id: str, /) -> Import:
        """What became of a file. Its lines by state: `made` (a new member), `linked` (to one who was certain),
        `doubtful`, `dirty`, `known`."""
        return cast("Import", self._transport.call("GET", f"/v1/card-imports/{quote(public_id, safe='')}"))

    def import_lines(
        self,
        public_id: str,
        /,
        *,
        state: Literal["waiting", "made", "linked", "doubtful", "dirty", "known"] | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Lines:
        """Lines of a file. Those in one state, with what the file says of their holders and, of doubtful ones, who
        they may be."""
        return cast(
            "Lines",
            self._transport.call(
                "GET",
                f"/v1/card-imports/{quote(public_id, safe='')}/lines",
                query={"state": state, "after": after, "limit": limit},
            ),
        )

    def settle_line(
        self, public_id: str, line: str, /, *, idempotency_key: str | None = None, **body: Unpack[Settle]
    ) -> Settled:
        """Say whose a doubtful card is. One of the candidates: the two become one. Null: nobody else's."""
        return cast(
            "Settled",
            self._transport.call(
                "POST",
                f"/v1/card-imports/{quote(public_id, safe='')}/lines/{quote(line, safe='')}",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def contacts(self, public_id: str, /) -> Reach:
        """How a member is reached. The addresses that the member said, masked; a code goes only to those that were
        proved."""
        return cast("Reach", self._transport.call("GET", f"/v1/members/{quote(public_id, safe='')}/contacts"))

    def put_contacts(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Contacts]) -> Reach:
        """Say how a member is reached. A member without a name keeps card and balance. An address is the member's
        once its code was typed; until then others may name it too."""
        return cast(
            "Reach",
            self._transport.call(
                "PUT", f"/v1/members/{quote(public_id, safe='')}/contacts", body=body, idempotency_key=idempotency_key
            ),
        )

    def verify(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[TypedCode]) -> Proved:
        """Prove an address by its code. Good once, within ten minutes and five tries."""
        return cast(
            "Proved",
            self._transport.call(
                "POST",
                f"/v1/members/{quote(public_id, safe='')}/contacts/verify",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def merge(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Merge]) -> Merged:
        """Make one of two members. Every unit moves with its dates, both cards go on, both histories stay. It
        cannot be undone. Under the id of the one who was merged the other is found from now on."""
        return cast(
            "Merged",
            self._transport.call(
                "POST", f"/v1/members/{quote(public_id, safe='')}/merge", body=body, idempotency_key=idempotency_key
            ),
        )

    def link_plastic(self, *, idempotency_key: str | None = None, **body: Unpack[PlasticCard]) -> Linked:
        """Link a card of plastic at the counter. With both cards in hand: from now on the number of plastic is the
        same member's, with what was collected."""
        return cast(
            "Linked", self._transport.call("POST", "/v1/plastic-cards", body=body, idempotency_key=idempotency_key)
        )


class CashiersOperations:
    """Operations of the subject “cashiers”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def listed(self) -> CashierList:
        """Who may stand at this till? The people of the shop who sell, by name."""
        return cast("CashierList", self._transport.call("GET", "/v1/cashiers"))

    def end(self, *, idempotency_key: str | None = None) -> ShiftEnded:
        """Leave the till. Nobody stands at this till any more; doing it again changes nothing."""
        return cast("ShiftEnded", self._transport.call("DELETE", "/v1/cashiers/shift", idempotency_key=idempotency_key))

    def begin(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Pin]) -> ShiftBegun:
        """Take over the till. With the PIN; whoever stood there before stands there no more. A PIN that an owner
        chose is changed at once: send `new_pin` too. Wrong ones lead to longer and longer waits, of this person at
        this till alone."""
        return cast(
            "ShiftBegun",
            self._transport.call(
                "POST", f"/v1/cashiers/{quote(public_id, safe='')}/shift", body=body, idempotency_key=idempotency_key
            ),
        )


class CounterOperations:
    """Operations of the subject “counter”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def claim(self, *, idempotency_key: str | None = None, **body: Unpack[Claim]) -> Counted:
        """Claim a sale. A sale that was nobody's is this card's holder's: it earns as at its own time, by the
        version of the programme under which it was sold. Once; a wrong `claim` is counted, a mistyped one is
        not."""
        return cast("Counted", self._transport.call("POST", "/v1/claims", body=body, idempotency_key=idempotency_key))

    def end_claim(
        self, public_id: str, /, *, language: str | None = None, idempotency_key: str | None = None
    ) -> ClaimEnded:
        """End a claim. The goods came back before anybody claimed the sale: nobody can any more."""
        return cast(
            "ClaimEnded",
            self._transport.call(
                "DELETE",
                f"/v1/claims/{quote(public_id, safe='')}",
                query={"language": language},
                idempotency_key=idempotency_key,
            ),
        )

    def redeem(self, *, idempotency_key: str | None = None, **body: Unpack[Redemption]) -> Counted:
        """Give a reward, or spend points. Take the cost of a reward, or an amount, off the member's balance; never
        more than there is, whoever asks at the same time."""
        return cast(
            "Counted", self._transport.call("POST", "/v1/redemptions", body=body, idempotency_key=idempotency_key)
        )

    def reverse_redemption(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Reversal]
    ) -> Counted:
        """Reverse a redemption. Give back what a redemption took, to the lots it took it from. A paired device may
        do so for two minutes."""
        return cast(
            "Counted",
            self._transport.call(
                "POST",
                f"/v1/redemptions/{quote(public_id, safe='')}/reversal",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def sell(self, *, idempotency_key: str | None = None, **body: Unpack[AnySale]) -> Counted:
        """Count a sale. Store a sale as it was sold and award what the programme gives for it. Sending the same
        sale again (same till, business day and receipt number, or same Idempotency-Key) answers what was answered
        the first time, with `Idempotency-Replayed: true`; the same number or key for another sale is a 422. Without
        a `code` the sale is nobody's yet: it is kept, and the answer (202) has the code by which it is claimed."""
        return cast("Counted", self._transport.call("POST", "/v1/sales", body=body, idempotency_key=idempotency_key))

    def reverse_sale(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Reversal]
    ) -> Reversed:
        """Reverse a sale. Undo everything of this sale that did not come back before, by further entries that name
        what they reverse. A sale that booked nothing is reversed too: no figure counts it any more."""
        return cast(
            "Reversed",
            self._transport.call(
                "POST", f"/v1/sales/{quote(public_id, safe='')}/reversal", body=body, idempotency_key=idempotency_key
            ),
        )


class CouponUsesOperations:
    """Operations of the subject “coupon uses”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def use(self, *, idempotency_key: str | None = None, **body: Unpack[CouponUse]) -> CouponUsed:
        """Use a coupon. Take a coupon, once for ever: whoever asks at the same time, one till has it. The same
        request sent again (same till, business day and reference, or same Idempotency-Key) answers what was
        answered the first time."""
        return cast(
            "CouponUsed", self._transport.call("POST", "/v1/coupon-uses", body=body, idempotency_key=idempotency_key)
        )

    def undo(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Reversal]) -> CouponUsed:
        """Give a coupon back. The coupon can be used again. A paired device may do so for two minutes."""
        return cast(
            "CouponUsed",
            self._transport.call(
                "POST",
                f"/v1/coupon-uses/{quote(public_id, safe='')}/reversal",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )


class EventsOperations:
    """Operations of the subject “events”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def report(self, *, idempotency_key: str | None = None, **body: Unpack[Event]) -> EventKept:
        """Report what a member did. Keep an event (a workshop, a review, a referral) and award what the programme
        gives for it. It is refused when neither a rule nor a tier of the programme names it. The same request sent
        again with the same Idempotency-Key answers what was answered the first time."""
        return cast("EventKept", self._transport.call("POST", "/v1/events", body=body, idempotency_key=idempotency_key))

    def keep_birthday(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Birthday]
    ) -> BirthdayKept:
        """Keep a birthday. Day and month alone, for what the programme gives on birthdays; null forgets it."""
        return cast(
            "BirthdayKept",
            self._transport.call(
                "PUT", f"/v1/members/{quote(public_id, safe='')}/birthday", body=body, idempotency_key=idempotency_key
            ),
        )


class TillGesturesOperations:
    """Operations of the subject “till gestures”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give(self, *, idempotency_key: str | None = None, **body: Unpack[GestureWanted]) -> GestureGiven:
        """Say yes: give this member something. Within the budgets of the programme, by the cashier who stands at
        the till (X-Cashier). The member reads the reason on the card for a week. What a budget has no room for is
        refused and noted with the cashier's name."""
        return cast(
            "GestureGiven", self._transport.call("POST", "/v1/gestures", body=body, idempotency_key=idempotency_key)
        )

    def undo(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Reversal]) -> GestureGiven:
        """Take a gesture back. Within a minute; its budget has room again, and the card says nothing of it any
        more."""
        return cast(
            "GestureGiven",
            self._transport.call(
                "POST", f"/v1/gestures/{quote(public_id, safe='')}/undo", body=body, idempotency_key=idempotency_key
            ),
        )


class HoldsOperations:
    """Operations of the subject “holds”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def authorise(self, *, idempotency_key: str | None = None, **body: Unpack[Authorisation]) -> Held:
        """Put units aside. Units that nobody else can spend until they are used or given back, or until their time
        is over. The same request sent again answers what was answered the first time."""
        return cast("Held", self._transport.call("POST", "/v1/holds", body=body, idempotency_key=idempotency_key))

    def capture(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Capture]) -> Held:
        """Use what was put aside. All of it or a part, once: the rest is given back to the awards that it was taken
        from."""
        return cast(
            "Held",
            self._transport.call(
                "POST", f"/v1/holds/{quote(public_id, safe='')}/capture", body=body, idempotency_key=idempotency_key
            ),
        )

    def release(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Reversal]) -> Held:
        """Give back what was put aside. It can be spent again, as before."""
        return cast(
            "Held",
            self._transport.call(
                "POST", f"/v1/holds/{quote(public_id, safe='')}/release", body=body, idempotency_key=idempotency_key
            ),
        )


class KeysOperations:
    """Operations of the subject “keys”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def listed(self) -> KeyList:
        """Your keys. Those that work, with their scopes and when each was last used, to the minute."""
        return cast("KeyList", self._transport.call("GET", "/v1/keys"))

    def make(self, *, idempotency_key: str | None = None, **body: Unpack[NewKey]) -> KeyMade:
        """Make a key. For your own software; the key is in the first answer and nowhere else."""
        return cast("KeyMade", self._transport.call("POST", "/v1/keys", body=body, idempotency_key=idempotency_key))

    def rotate(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Rotation]) -> KeyMade:
        """Replace a key. A successor with the same scopes; both work for as long as you say, then the old one ends
        by itself."""
        return cast(
            "KeyMade",
            self._transport.call(
                "POST", f"/v1/keys/{quote(public_id, safe='')}/rotation", body=body, idempotency_key=idempotency_key
            ),
        )


class LookupsOperations:
    """Operations of the subject “lookups”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def look_up(self, *, idempotency_key: str | None = None, **body: Unpack[Lookup]) -> Holder:
        """Who holds this card? The member behind a scanned or typed code: tier, balances, and whether the card is
        the newest issue. Where the code is a coupon's, `coupon` says what it is good for. `privileges` are those of
        the tier; `vouchers` and `offers` what can be used now; `gestures` what the cashier who stands at the till
        (X-Cashier) may give this member now; and `prompt` the one thing to say or do first."""
        return cast("Holder", self._transport.call("POST", "/v1/lookups", body=body, idempotency_key=idempotency_key))


class GesturesOperations:
    """Operations of the subject “gestures”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Goodwill]) -> GoodwillGiven:
        """Make a gesture of goodwill. Units or a voucher for an annoyance. The member reads the reason on the card;
        it is erased when the member leaves, while the books keep what was given."""
        return cast(
            "GoodwillGiven",
            self._transport.call(
                "POST", f"/v1/members/{quote(public_id, safe='')}/goodwill", body=body, idempotency_key=idempotency_key
            ),
        )


class TiersOperations:
    """Operations of the subject “tiers”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def standing(self, public_id: str, /, *, language: str | None = None) -> Standing:
        """A member's tier and why. The figures that count, what is missing for the next tier, until when this one
        is kept, and what was given."""
        return cast(
            "Standing",
            self._transport.call(
                "GET", f"/v1/members/{quote(public_id, safe='')}/standing", query={"language": language}
            ),
        )

    def give_tier(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[GivenTier]
    ) -> TierGiven:
        """Give a tier. For a while, on trial or for good; when it ends the member has what they earned."""
        return cast(
            "TierGiven",
            self._transport.call(
                "POST", f"/v1/members/{quote(public_id, safe='')}/tier", body=body, idempotency_key=idempotency_key
            ),
        )

    def widget_token(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[WidgetFor]
    ) -> WidgetToken:
        """Show progress on a site. For one member and some minutes, on the sites that are named alone. Ask for one
        whenever your page is made."""
        return cast(
            "WidgetToken",
            self._transport.call(
                "POST",
                f"/v1/members/{quote(public_id, safe='')}/widget-token",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )

    def try_draft(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Draft]) -> DryRun:
        """What a draft would change. On all members, without writing anything: tiers up and down, units that would
        be stuck, what is owed."""
        return cast(
            "DryRun",
            self._transport.call(
                "POST",
                f"/v1/programmes/{quote(public_id, safe='')}/dry-run",
                body=body,
                idempotency_key=idempotency_key,
            ),
        )


class OfflineOperations:
    """Operations of the subject “offline”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def reserve(self, *, idempotency_key: str | None = None, **body: Unpack[Reserve]) -> Allowance:
        """Reserve units to burn offline. Units that this till may burn without a network, until `until`. Asked
        again, it has this much from then on."""
        return cast(
            "Allowance",
            self._transport.call("POST", "/v1/offline/allowances", body=body, idempotency_key=idempotency_key),
        )

    def give_back(self, *, idempotency_key: str | None = None) -> GivenBack:
        """Give back what was reserved. What this till did not burn can be reserved again. Send what it burned
        before."""
        return cast(
            "GivenBack", self._transport.call("DELETE", "/v1/offline/allowances", idempotency_key=idempotency_key)
        )

    def conflicts(self, *, language: str | None = None) -> Cases:
        """What is for a person. What tills did without a network and what could not be counted by itself, the
        oldest first."""
        return cast("Cases", self._transport.call("GET", "/v1/offline/conflicts", query={"language": language}))

    def settle(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Settle]) -> Case:
        """Settle one. Have it booked after all, refuse it, or write a note. Who and when stands in the journal; the
        same decision again changes nothing."""
        return cast(
            "Case",
            self._transport.call(
                "POST", f"/v1/offline/conflicts/{quote(public_id, safe='')}", body=body, idempotency_key=idempotency_key
            ),
        )

    def register(self, *, idempotency_key: str | None = None, **body: Unpack[DeviceKey]) -> Device:
        """Register a key to sign with. What this till brings from a time without a network is signed with the other
        half of this key. The same key again changes nothing; another one replaces it."""
        return cast(
            "Device", self._transport.call("PUT", "/v1/offline/device", body=body, idempotency_key=idempotency_key)
        )

    def events(self, *, idempotency_key: str | None = None, **body: Unpack[Events]) -> Synced:
        """Bring what was done offline. Texts that this device signed, and an empty list as a sign of life. Sending
        any of them again does no harm, and tells how it stands by now."""
        return cast(
            "Synced", self._transport.call("POST", "/v1/offline/events", body=body, idempotency_key=idempotency_key)
        )

    def pack(self) -> Pack:
        """What a till needs offline. Public keys of the codes on cards, the programmes, what may be promised, and
        what this device has reserved."""
        return cast("Pack", self._transport.call("GET", "/v1/offline/pack"))


class QuotesOperations:
    """Operations of the subject “quotes”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def hints(self, public_id: str, /) -> HintDays:
        """How often was one more bought? Of each deal and day of the last three months: how often a till was told
        that one more piece is free, and how often it was bought then."""
        return cast("HintDays", self._transport.call("GET", f"/v1/programmes/{quote(public_id, safe='')}/hints"))

    def quote(self, *, idempotency_key: str | None = None, **body: Unpack[Quote]) -> Quoted:
        """What would this basket come to? Discounts of each line, what is to be paid, what it would earn, and which
        vouchers and rewards could be used now. Nothing is changed. Where one piece more would be free, `hints` says
        so and names the article."""
        return cast("Quoted", self._transport.call("POST", "/v1/quotes", body=body, idempotency_key=idempotency_key))


class SecondProofsOperations:
    """Operations of the subject “second proofs”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, *, idempotency_key: str | None = None, **body: Unpack[Lookup]) -> ProofSent:
        """Send a one-time code. Six digits to an address of the member that they confirmed. What was refused with
        `second-proof-needed` is sent again with `proof`: {"kind": "code", "value": …}."""
        return cast("ProofSent", self._transport.call("POST", "/v1/proofs", body=body, idempotency_key=idempotency_key))


class RefundsOperations:
    """Operations of the subject “refunds”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def refund(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Refund]) -> Refunded:
        """Take goods back. Some lines of a sale come back, or an amount of it: the sale is rated anew over what is
        left, by the rules and the state of its day, and the difference is taken back. The same request sent again
        (same till, business day and reference, or same Idempotency-Key) answers what was answered the first
        time."""
        return cast(
            "Refunded",
            self._transport.call(
                "POST", f"/v1/sales/{quote(public_id, safe='')}/refunds", body=body, idempotency_key=idempotency_key
            ),
        )


class WebhooksOperations:
    """Operations of the subject “webhooks”."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_webhooks(self) -> WebhookList:
        """Your webhooks. With how their addresses answer."""
        return cast("WebhookList", self._transport.call("GET", "/v1/webhooks"))

    def add_webhook(self, *, idempotency_key: str | None = None, **body: Unpack[NewWebhook]) -> WebhookMade:
        """Add a webhook. Its secret is in the first answer and nowhere else."""
        return cast(
            "WebhookMade", self._transport.call("POST", "/v1/webhooks", body=body, idempotency_key=idempotency_key)
        )

    def get_webhook(self, public_id: str, /) -> Webhook:
        """A webhook. With how its address answers."""
        return cast("Webhook", self._transport.call("GET", f"/v1/webhooks/{quote(public_id, safe='')}"))

    def delete_webhook(self, public_id: str, /, *, idempotency_key: str | None = None) -> WebhookGone:
        """Delete a webhook. Nothing more is sent there."""
        return cast(
            "WebhookGone",
            self._transport.call(
                "DELETE", f"/v1/webhooks/{quote(public_id, safe='')}", idempotency_key=idempotency_key
            ),
        )

    def change_webhook(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[WebhookChange]
    ) -> WebhookNamed:
        """Change a webhook. Its address, its events, off or on; what is left out stays."""
        return cast(
            "WebhookNamed",
            self._transport.call(
                "PATCH", f"/v1/webhooks/{quote(public_id, safe='')}", body=body, idempotency_key=idempotency_key
            ),
        )

    def list_deliveries(
        self,
        public_id: str,
        /,
        *,
        state: Literal["waiting", "delivered", "dead"] | None = None,
        event: str | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> DeliveryList:
        """What was sent. The newest first, with the last tries of each; `state=dead` lists what was given up."""
        return cast(
            "DeliveryList",
            self._transport.call(
                "GET",
                f"/v1/webhooks/{quote(public_id, safe='')}/deliveries",
                query={"state": state, "event": event, "before": before, "limit": limit},
            ),
        )

    def replay(self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[Replay]) -> Replayed:
        """Send again. One delivery, or what was given up since a time, or everything since then; under the same ids
        as before."""
        return cast(
            "Replayed",
            self._transport.call(
                "POST", f"/v1/webhooks/{quote(public_id, safe='')}/replays", body=body, idempotency_key=idempotency_key
            ),
        )

    def new_secret(
        self, public_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[NewSecret]
    ) -> WebhookMade:
        """A new secret. Messages are signed under both for as long as you say."""
        return cast(
            "WebhookMade",
            self._transport.call(
                "POST", f"/v1/webhooks/{quote(public_id, safe='')}/secret", body=body, idempotency_key=idempotency_key
            ),
        )

    def send_test(self, public_id: str, /, *, idempotency_key: str | None = None) -> WebhookTested:
        """Send a test event. `webhook.test`, whatever the webhook asked to be told; look at the delivery for what
        became of it."""
        return cast(
            "WebhookTested",
            self._transport.call(
                "POST", f"/v1/webhooks/{quote(public_id, safe='')}/tests", idempotency_key=idempotency_key
            ),
        )


class Client(Transport):
    """Everything that a key may do, by subject. Raises `Problem` and `Unreachable`."""

    def __init__(
        self,
        base: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: SSLContext | None = None,
        tries: int = 4,
        seconds: float = 10.0,
    ) -> None:
        super().__init__(base, key, headers=headers, tls=tls, tries=tries, seconds=seconds)

        self.sandbox_clock = SandboxClockOperations(self)

        self.back_office = BackOfficeOperations(self)

        self.books = BooksOperations(self)

        self.people = PeopleOperations(self)

        self.cashiers = CashiersOperations(self)

        self.counter = CounterOperations(self)

        self.coupon_uses = CouponUsesOperations(self)

        self.events = EventsOperations(self)

        self.till_gestures = TillGesturesOperations(self)

        self.holds = HoldsOperations(self)

        self.keys = KeysOperations(self)

        self.lookups = LookupsOperations(self)

        self.gestures = GesturesOperations(self)

        self.tiers = TiersOperations(self)

        self.offline = OfflineOperations(self)

        self.quotes = QuotesOperations(self)

        self.second_proofs = SecondProofsOperations(self)

        self.refunds = RefundsOperations(self)

        self.webhooks = WebhooksOperations(self)
