// Whatever changes something goes through here: it is kept until it is answered, sent again under the same key, and what
// came of it is told.
import { at, fill, signal, total } from "./till-draw.js";
import { acts, desk, drawer, busy, focus, headers, keyboard, language, loud, refuseBy, root, say, words } from "./till-stage.js";
import { refresh } from "./till-card.js";
import { persist, uuid } from "./till-wire.js";

const UNDO_SECONDS = 60;
const SALES_KEPT = 30;
const SOME_TRIES = 2;
const NUMBERED = ["sale", "redemption", "coupon", "goods", "gesture"];
const BACK = ["goods", "refund"];
const SPENT = { redemption: "redemptions", coupon: "coupon-uses", gesture: "gestures" };

let given = "";

export function number(value) {
  given = value;
  at("receipt").value = value;
}

// What somebody typed there is theirs, also a number of this page's own.
function typed() {
  const shown = at("receipt").value.trim();
  return Boolean(shown) && shown !== given;
}

// The number on the page, unless another window of this device took it meanwhile.
export const receipt = () => (typed() ? at("receipt").value.trim() : drawer.receipt());

export function write(kind, path, body, code, more = {}) {
  if (desk.working || drawer.get("pending")) return;
  const deed = { kind, path, body: { ...body, language }, code, key: uuid(), training: desk.training, typed: typed(), ...more };
  if (acts.down() && !deed.training) return acts.take(deed);
  drawer.keep("pending", deed);
  send();
}

export async function send() {
  const deed = drawer.get("pending");
  busy(true);
  at("stuck").hidden = true;
  const held = await acts.held(deed);
  if (held) {
    busy(false);
    return kept(deed, held);
  }
  if (acts.barred()) {
    busy(false);
    return acts.lock(send);
  }
  // While nobody serves, nothing goes to the service in anybody's name.
  const tries = desk.alone ? 0 : acts.works() ? SOME_TRIES : undefined;
  const answer = await persist(root + deed.path, headers(deed), deed, (round) => say("wait", round ? words.again : words.sending), tries);
  busy(false);
  if (["shift-over", "cashier-needed"].includes(answer?.facts.code) && !deed.body.proof) return acts.lock(send);
  if (answer) {
    drawer.drop("pending");
    return answered(deed, answer);
  }
  acts.lost();
  // Whether it was counted is for the service to say: it knows the key, whichever way the deed comes to it. What this
  // device cannot keep or may not promise stays as it is, and is sent again.
  if (acts.works() && (await acts.take({ ...deed, sent: true }))) return;
  say("unclear", words.silent);
  at("stuck").hidden = false;
  at("retry").focus();
}

// It is on this device's disk, and counted when the network is back. Only now is it no longer to be sent from here.
export function kept(deed, event) {
  if (drawer.get("pending")?.key === deed.key) drawer.drop("pending");
  for (const id of ["amount", "units", "code"]) at(id).value = "";
  number(drawer.receipt());
  acts.clear();
  say("kept", `${event.what} · ${deed.kind === "sale" ? words.kept_earns : words.kept_spends}`, words.kept);
  signal("ok", loud());
  at("next").hidden = false;
  at("next").classList.add("primary");
  focus(keyboard ? at("code") : at("next"));
}

async function answered(deed, answer) {
  if (answer.status !== 200) return refused(deed, answer.facts);
  const { facts, replayed } = answer;
  if (!deed.training) remember(deed, facts);
  if (NUMBERED.includes(deed.kind) && !deed.training) number(drawer.nextReceipt());
  for (const id of ["amount", "units", "code", "plastic-number"]) at(id).value = "";
  await refresh(deed.code);
  if (deed.kind === "sale" && desk.holder) desk.holder.served = true;
  const { sentence, entries = [], instructions = [] } = facts;
  const nothing = deed.kind === "sale" && !entries.length;
  const again = replayed && NUMBERED.includes(deed.kind);
  const title = deed.training ? words.practice : again ? words.again_title : nothing ? words.nothing_given : words.ok;
  const owed = BACK.includes(deed.kind) ? acts.owed(facts) : "";
  say(again ? "again" : "ok", [owed, sentence, ...instructions].filter(Boolean).join(" · "), title);
  signal(again ? "again" : "ok", loud());
  offer();
  at("next").classList.add("primary");
  focus(keyboard ? at("code") : at("next"));
}

async function refused(deed, problem) {
  if (["second-proof-needed", "wrong-proof"].includes(problem.code)) return acts.proof(deed, problem, sendAnew);
  refuseBy(problem);
  if (["key-reused", "redemption-undone", "sale-undone", "gesture-undone"].includes(problem.code)) number(drawer.nextReceipt());
  return refresh(deed.code);
}

// The same wish with something more in it, which is another request.
function sendAnew(deed) {
  drawer.keep("pending", { ...deed, key: uuid() });
  send();
}

// What may be wanted back is kept on this device.
function remember(deed, facts) {
  const { id, sentence, entries = [], counted_before: again } = facts;
  const made = { kind: deed.kind, id, sentence, code: deed.code, member: facts.member, at: Date.now() };
  const sold = drawer.get("sales") ?? [];
  // One that was counted before keeps its place.
  if (deed.kind === "sale" && !sold.some((one) => one.id === id)) {
    drawer.keep("sale", last(made, again && !entries.length));
    const { receipt, lines = [] } = deed.body;
    const sale = { ...made, receipt, lines, amount: total(deed.body), programme: facts.programme };
    drawer.keep("sales", [sale, ...sold].slice(0, SALES_KEPT));
  }
  if (deed.kind in SPENT) drawer.keep("spend", made);
  if (deed.kind === "refund") refunded();
  if (deed.kind === "undo") drawer.drop("spend");
}

// The last sale, which can be refunded. A second touch for the same visit gives nothing: it hides no stamp behind it, and
// comes after that one.
function last(made, nothing) {
  const before = drawer.get("sale");
  return nothing && before?.code === made.code ? { ...before, then: made } : made;
}

function refunded() {
  const { id, then } = drawer.get("sale") ?? {};
  drawer.keep("sales", (drawer.get("sales") ?? []).filter((one) => one.id !== id));
  if (then) drawer.keep("sale", then);
  else drawer.drop("sale");
}

export function undo() {
  const spent = drawer.get("spend");
  if (!spent) return;
  const way = spent.kind === "gesture" ? "undo" : "reversal";
  write("undo", `/v1/${SPENT[spent.kind]}/${spent.id}/${way}`, {}, spent.code);
}

function another(spent) {
  const { holder, slip } = desk;
  if (holder) return holder.code !== spent.code && holder.member !== spent.member;
  return Boolean(slip) && slip !== spent.code;
}

// What may be taken back: the last reward for a minute, the sales of this device from a list, the last one at once.
export function offer() {
  at("refund").hidden = !drawer.get("sale");
  at("goods-back").hidden = !drawer.get("sales")?.length;
  const spent = drawer.get("spend");
  const left = spent ? Math.ceil(UNDO_SECONDS - (Date.now() - spent.at) / 1000) : 0;
  const open = left > 0 && left <= UNDO_SECONDS;
  if (spent && !open) drawer.drop("spend");
  // Whose it is, nobody could tell beside the card of another.
  at("undo").hidden = !open || another(spent);
  if (!open) return;
  at("undo-what").textContent = spent.sentence;
  at("undo-left").textContent = fill(words.seconds, { seconds: left });
  clearTimeout(offer.next);
  offer.next = setTimeout(offer, 1000);
}

// Whether it was counted, nobody knows: what comes next has another number.
export function leave() {
  const { kind, training } = drawer.get("pending") ?? {};
  if (NUMBERED.includes(kind) && !training) number(drawer.nextReceipt());
  drawer.drop("pending");
  busy(false);
  at("stuck").hidden = true;
  say("unclear", words.left);
  focus(at("code"));
}
