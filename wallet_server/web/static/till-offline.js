// A till without a network goes on: it reads cards by itself, says plainly what it may promise, keeps what is done, and
// brings it when the network is back.
import { at, clock, counted, element, fill, money, signal, total } from "./till-draw.js";
import { prove, read } from "./till-code.js";
import { Queue } from "./till-queue.js";
import { acts, busy, desk, drawer, focus, headers, loud, page, root, say, words } from "./till-stage.js";
import { call } from "./till-wire.js";
import { Vault } from "./till-vault.js";

const EVERY = 20 * 1000;
const PACK_EVERY = 5 * 60 * 1000;
const CARDS_KEPT = 2000;
const FEW_CARDS = 5;
const WITHOUT_NETWORK = ["sale", "redemption"];

let queue = null;
let pack = null;
let packed = 0;
let asking = 0;
let told = 0;
let down = !navigator.onLine;

export const works = () => queue !== null && pack !== null;
export const isDown = () => down && queue !== null && pack !== null;

// The service, without whoever serves and never for practice: these are the device's own words.
const ask = (path, options) => call(root + path, { Authorization: headers().Authorization }, options);

const possible = () => drawer.paired && window.isSecureContext && "indexedDB" in window && "locks" in navigator && Boolean(crypto.subtle);

// ------------------------------------------------------------------ beginning, and what is handed out while there is a network

// What was handed out before, for a page that opens without a network; null where there is nothing.
export async function begin() {
  if (!possible()) return null;
  const name = `till-${drawer.get("key").split(".")[0]}`;
  try {
    const vault = await Vault.open(name);
    queue = new Queue(vault, name, ask);
    pack = (await vault.get("facts", "pack")) ?? null;
    // A window that was closed between the two left its number to a deed that is kept.
    const taken = new Set((await queue.events()).map((one) => one.receipt));
    while (taken.has(drawer.receipt())) drawer.nextReceipt();
    return (await vault.get("facts", "counter")) ?? null;
  } catch {
    queue = null; // a window in private mode, a disk that is full: the till needs its network then
    return null;
  }
}

export async function opened(counter) {
  if (!queue) return;
  await know(counter);
  await up();
  stayAwake();
}

export function openedWithout() {
  turn(true);
  stayAwake();
  paint();
}

function stayAwake() {
  setInterval(beat, EVERY);
  addEventListener("online", beat);
  addEventListener("focus", paint);
}

// Where the till stands, for when it opens without a network.
export async function know(counter) {
  if (queue) await queue.vault.keep("facts", counter, "counter");
}

async function fetchPack() {
  if (Date.now() - packed < PACK_EVERY) return;
  const turn = (asking += 1);
  const ahead = await queue.ahead();
  const { status, facts } = await ask("/v1/offline/pack");
  if (status !== 200) return;
  const allowance = (await reserve(facts)) ?? facts.allowance;
  if (turn < told) return; // whoever asked later knows it better
  told = turn;
  pack = { ...facts, allowance, ahead };
  packed = Date.now();
  await queue.vault.keep("facts", pack, "pack");
}

// What this till may give away while it has no network is put aside while it has one, anew at the half of its time.
async function reserve({ policies, allowance }) {
  const found = Object.entries(policies).find(([, one]) => one.burn_units_per_card && one.allowance_units);
  if (!found) return null;
  const [programme, policy] = found;
  const left = allowance ? Date.parse(allowance.until) - Date.now() : 0;
  if (left > policy.window_minutes * 30000) return null;
  const wish = Math.min(policy.burn_units_per_card * FEW_CARDS, policy.allowance_units);
  const first = await ask("/v1/offline/allowances", { body: { programme, units: wish } });
  if (first.status === 200) return first.facts;
  const { code, available } = first.facts;
  if (code !== "allowance-spent" || !available) return null;
  const second = await ask("/v1/offline/allowances", { body: { programme, units: available } });
  return second.status === 200 ? second.facts : null;
}

// ------------------------------------------------------------------ the network goes and comes

function turn(yes) {
  const before = down;
  down = yes;
  if (down !== before) acts.line();
}

export function lost() {
  if (!queue) return;
  turn(true);
  paint();
}

async function up() {
  const before = down;
  try {
    await queue.register();
    await queue.sync();
    await fetchPack();
    turn(false);
  } catch {
    turn(true);
  }
  await paint();
  if (!before || down) return;
  if (desk.holder?.offline) acts.clear();
  acts.back();
}

async function beat() {
  if (!queue || (down && !navigator.onLine)) return paint();
  await up();
}

// How much would be lost with this device's key.
export async function unsent() {
  return queue ? (await queue.events()).filter((one) => one.state === "kept").length : 0;
}

export async function paint() {
  if (!queue) return;
  const events = await queue.events();
  const open = events.filter((one) => ["kept", "waiting"].includes(one.state)).length;
  const hard = events.filter((one) => ["conflict", "refused"].includes(one.state) && !one.seen).length;
  page.dataset.network = down ? "down" : "up";
  at("offline").hidden = !down;
  at("offline-says").textContent = desk.alone ? words.alone : pack ? words.works_without : words.not_ready;
  at("waits").hidden = !open && !hard && !down;
  at("waits").textContent = fill(hard ? words.waits_hard : words.waits, { n: open, hard });
  at("waits").classList.toggle("alert", hard > 0);
  if (at("waiting").open) drawWaiting(events);
}

// ------------------------------------------------------------------ a card without a network

// What was seen of a card while there was a network, for when there is none.
export async function remember(code, facts) {
  const found = queue && pack && !desk.training && read(code, pack.issuer);
  if (!found || facts.coupon) return;
  const { programme, balances, tier_name, sentence, rewards, privileges, card_spends: current } = facts;
  const card = { stem: found.stem, at: Date.now(), programme, balances, tier_name, sentence, rewards, privileges, current };
  await queue.vault.keep("cards", card);
  const all = await queue.vault.all("cards");
  if (all.length <= CARDS_KEPT) return;
  const old = all.sort((one, other) => one.at - other.at).slice(0, all.length - CARDS_KEPT);
  await queue.vault.change(["cards"], (place) => old.forEach((one) => place.delete(one.stem)));
}

// Shows what can be known of these readings; true when it did, or said why not.
export async function serve(texts) {
  if (!queue || !pack) return false;
  const found = texts.map((text) => [text, read(text, pack.issuer)]).find(([, one]) => one);
  if (!found) {
    say("refused", words.problems["unreadable-code"], `${words.refused} · ${words.refusals["unreadable-code"]}`, "unreadable-code");
    return true;
  }
  const [text, code] = found;
  if (code.refusal) {
    say("refused", words.problems[code.refusal], `${words.refused} · ${words.refusals[code.refusal]}`, code.refusal);
    return true;
  }
  const state = await prove(code, pack.keys);
  const card = await queue.vault.get("cards", code.stem);
  show(text, code, state, card, await spendable(code, state, card));
  return true;
}

// How many units this card may spend here now, with what that rests on; 0 where nothing may be, and where nobody serves who
// would answer for it.
async function spendable(code, state, card) {
  const { allowance, policies, ahead = { from: 0 } } = pack;
  if (desk.alone) return 0;
  if (state !== "genuine" || !card?.current || !allowance || Date.parse(allowance.until) <= Date.now()) return 0;
  if (card.programme !== allowance.programme) return 0;
  const mine = (await queue.events()).filter((one) => one.allowance === allowance.id);
  const of = (events) => events.reduce((sum, one) => sum + (one.units ?? 0), 0);
  const later = mine.filter((one) => one.stem === code.stem && Date.parse(one.at) > card.at);
  const here = mine.filter((one) => one.stem === code.stem);
  // Those that the service had not booked when it said what is left.
  const since = mine.filter((one) => one.sequence >= ahead.from || ahead.open.includes(one.sequence));
  return Math.max(
    0,
    Math.min(
      allowance.left - of(since),
      policies[card.programme].burn_units_per_card - of(here),
      (card.balances[allowance.currency] ?? 0) - of(later),
    ),
  );
}

// What may be given here now, as often as the limit allows.
function affordable(rewards, most) {
  const currency = pack.allowance?.currency;
  return rewards
    .filter((one) => one.ready && one.stock === null && one.cost.currency === currency && one.cost.amount <= most)
    .map((one) => ({ ...one, ready: Math.min(one.ready, one.cost.amount ? Math.floor(most / one.cost.amount) : one.ready) }));
}

function show(text, code, state, card, most) {
  const name = card?.programme ?? Object.keys(pack.programmes)[0];
  const programme = pack.programmes[name];
  const { earn } = pack.policies[name];
  const facts = {
    programme: name,
    balances: card?.balances ?? {},
    tier_name: card?.tier_name ?? "",
    sentence: card?.sentence ?? "",
    rewards: affordable(card?.rewards ?? [], most),
    privileges: card?.privileges ?? [],
    gestures: [],
    vouchers: [],
    offers: [],
    prompt: null,
    stamps: null,
    progress: null,
    promotions: null,
    card_spends: true,
  };
  acts.show(text, facts, { offline: true, stem: code.stem, most });
  at("may-earn").textContent = earn ? words.may_earn : words.may_not_earn;
  at("may-spend").textContent = most ? fill(words.may_spend, { units: counted(most, programme) }) : words.may_not_spend;
  at("not-known").textContent = { genuine: words.not_known, unproven: words.not_proven, forged: words.not_genuine }[state];
  at("promise").hidden = false;
  at("sale").hidden ||= !earn;
  at("give").hidden ||= !earn;
  at("spend").hidden = !most;
  const standing = card ? fill(words.as_of, { what: card.sentence, time: clock(card.at) }) : words.balance_unknown;
  say(state === "genuine" ? "ok" : "unclear", standing, { genuine: words.genuine, unproven: words.unproven, forged: words.forged }[state]);
  if (state === "genuine") signal("ok", loud());
  focus(acts.first());
}

// ------------------------------------------------------------------ what is done without a network

// A deed that was taken over before, by a window that was closed before it could say so.
export async function held(deed) {
  return queue && !deed.training ? queue.keyed(deed.key).catch(() => null) : null;
}

// Takes a deed over, if that can be promised: true once it is on the disk. One that was never sent is told why not; one that
// was may be counted already, and nothing is said of it here.
export async function take(deed) {
  if (!queue || !pack || deed.training) return false;
  const { alone } = desk; // the network may come back while this waits for its turn
  let kept = null;
  busy(true);
  try {
    // Tried online before: the service knows by its key whether it was counted, on whichever day this is brought.
    kept = await queue.add(deed.sent ? deed.key : undefined, () => worded(deed, alone), () => drawer.nextReceipt());
  } catch (fault) {
    if (!deed.sent) say(fault.kind ?? "unclear", fault.refused ?? words.not_kept);
  }
  busy(false);
  if (!kept) return false;
  acts.kept(deed, kept);
  await paint();
  return true;
}

// The deed in its turn: another window may have spent what was left, or taken the receipt's number.
async function worded({ kind, body, code, sent, typed }, alone) {
  if (!WITHOUT_NETWORK.includes(kind)) throw refusal(words.needs_network, "unclear");
  if (alone && kind !== "sale") throw refusal(words.may_not_spend);
  const own = { ...body };
  const field = kind === "sale" ? "receipt" : "reference";
  if (!sent && !typed && own[field].startsWith(`${drawer.get("series")}-`)) own[field] = drawer.receipt();
  const holder = read(code, pack.issuer);
  const cashier = desk.cashier?.id;
  const card = await queue.vault.get("cards", holder?.stem ?? "");
  const reward = card?.rewards.find((one) => one.code === own.reward);
  const more = { stem: holder?.stem, code, receipt: own[field], what: said(kind, body, reward) };
  if (kind === "sale") {
    if (own.vouchers?.length || own.rewards?.length || own.pot) throw refusal(words.needs_network);
    return { kind, body: own, cashier, more };
  }
  const units = own.amount ?? reward?.cost.amount ?? Infinity;
  const most = holder ? await spendable(holder, await prove(holder, pack.keys), card) : 0;
  if (units > most) throw refusal(most ? fill(words.may_spend, { units: counted(most, desk.holder?.programme ?? pack.programmes[card.programme]) }) : words.may_not_spend);
  return { kind, body: own, allowance: pack.allowance.id, cashier, more: { ...more, units } };
}

const refusal = (text, kind = "refused") => Object.assign(new Error(text), { refused: text, kind });

function said(kind, body, reward) {
  const programme = desk.holder?.programme ?? Object.values(pack.programmes)[0];
  if (kind === "redemption") return body.amount ? fill(words.spent_kept, { units: counted(body.amount, programme) }) : fill(words.given_kept, { reward: reward?.name ?? body.reward });
  const amount = total(body);
  return amount ? fill(words.sale_kept, { amount: money(amount, programme) }) : words.stamp_kept;
}

// ------------------------------------------------------------------ the list of what waits

export async function openWaiting() {
  drawWaiting(await queue.events());
  at("waiting").showModal();
  const seen = (await queue.events()).filter((one) => ["conflict", "refused"].includes(one.state) && !one.seen);
  if (seen.length) await queue.vault.change(["events"], (place) => seen.forEach((one) => place.put({ ...one, seen: true })));
  paint();
}

function drawWaiting(events) {
  const order = ["conflict", "refused", "kept", "waiting", "applied"];
  const sorted = [...events].sort((one, other) => order.indexOf(one.state) - order.indexOf(other.state) || other.sequence - one.sequence);
  at("waiting-list").replaceChildren(...sorted.slice(0, 200).map(entry));
  at("waiting-none").hidden = events.length > 0;
  const { allowance } = pack ?? {};
  const programme = allowance && pack.programmes[allowance.programme];
  at("reserved").textContent = programme ? fill(words.reserved, { units: counted(allowance.left, programme), time: clock(allowance.until) }) : words.nothing_reserved;
}

function entry(one) {
  const state = { kept: words.state_kept, waiting: words.state_waiting, applied: words.state_applied, conflict: words.state_conflict, refused: words.state_refused }[one.state];
  const head = element("strong", {}, `${clock(one.at)} · ${one.what}`);
  const badge = element("span", { class: `badge ${{ applied: "on", conflict: "off", refused: "off" }[one.state] ?? "held"}` }, state);
  return element("li", {}, head, badge, element("span", { class: "hint" }, [one.receipt, one.sentence].filter(Boolean).join(" · ")));
}

export async function sync() {
  at("sync").disabled = true;
  packed = 0;
  await up();
  at("sync").disabled = false;
}
