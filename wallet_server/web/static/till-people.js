// Who serves: a name and a PIN take the till over, and a till that nobody touches for a while asks again. Practice, which
// counts nothing, is switched here too. Without a network no PIN can be checked: a locked till goes on with nobody then.
import { at, element, fill, moment } from "./till-draw.js";
import { acts, asked, desk, drawer, focus, page, say, told, words } from "./till-stage.js";
import { next, refresh } from "./till-card.js";

const LOCK_AFTER = 5 * 60 * 1000;
const PRACTICE = "till-practice";

let chosen = null;
let changing = false;
let touched = Date.now();
let afterwards = null;

// ------------------------------------------------------------------ the shift

function keep(shift) {
  desk.cashier = shift;
  if (shift) drawer.keep("shift", shift);
  else drawer.drop("shift");
  at("who-name").textContent = shift ? shift.name : words.who;
}

// After the till opened: whoever stood here before a reload stands here still, while the shift lasts.
export async function arrive() {
  const kept = drawer.get("shift");
  keep(kept && Date.parse(kept.until) > Date.now() ? kept : null);
  if (drawer.get("alone") && acts.down()) goOn();
  else if (drawer.get("locked") && !desk.cashier) lock();
  await know();
}

// Whom the service knows to serve here; asked anew when the network is back.
export async function know() {
  try {
    const { status, facts } = await asked("/v1/cashiers");
    desk.cashiers = status === 200 ? facts.cashiers : [];
  } catch {
    // Whoever was known goes on being known.
  }
  at("who").hidden = !desk.cashiers?.length && !desk.cashier;
  if (at("shift").open && !chosen) list();
}

// Nothing of the till is reached before a PIN; `then` is what waited for it.
export function lock(then = null) {
  afterwards = then;
  keep(null);
  drawer.keep("locked", true);
  alone(false);
  choose();
}

// Whether nothing is asked of the service before somebody has entered a PIN.
export const barred = () => Boolean(drawer.get("locked")) && !desk.cashier && !desk.alone;

function alone(yes) {
  desk.alone = yes;
  if (yes) drawer.keep("alone", true);
  else drawer.drop("alone");
}

// The network went or came: with it the lock is back.
export function line() {
  if (desk.alone && !acts.down()) {
    next();
    lock();
  }
  if (!at("shift").open) return;
  if (chosen) withoutNetwork(); // who is typing a PIN goes on typing it
  else list();
}

// Nobody stands at the till: it earns, and does nothing else.
export function goOn() {
  if (!acts.down()) return list();
  alone(true);
  at("shift").close();
  const then = afterwards;
  afterwards = null;
  next();
  say("ok", words.alone, words.ready);
  acts.network();
  if (then) then();
}

export function choose() {
  if (at("shift").open) return;
  list();
  at("shift").showModal();
}

function withoutNetwork() {
  const cut = acts.down();
  at("alone").hidden = !cut || !drawer.get("locked");
  at("shift-says").textContent = cut ? words.pins_wait : "";
  return cut;
}

function list() {
  chosen = null;
  const names = (desk.cashiers ?? []).map((one) =>
    element("li", {}, element("button", { type: "button", class: "big", disabled: !one.has_pin, click: () => pick(one) }, one.name, one.has_pin ? "" : element("span", { class: "hint" }, ` ${words.no_pin}`))),
  );
  at("cashiers").replaceChildren(...names);
  at("pin-form").hidden = true;
  at("cashiers").hidden = withoutNetwork();
  if (!acts.down() && desk.cashiers?.length === 0) at("shift-says").textContent = words.no_cashiers;
  at("shift-close").hidden = Boolean(drawer.get("locked"));
  at("leave-till").hidden = !desk.cashier;
}

function pick(one) {
  chosen = one;
  changing = false;
  at("cashiers").hidden = true;
  at("pin-form").hidden = false;
  at("new-pin-field").hidden = true;
  at("pin-label").textContent = fill(words.pin_of, { name: one.name });
  at("pin").value = at("new-pin").value = "";
  at("shift-says").textContent = "";
  at("pin").focus();
}

export async function enter() {
  const body = { pin: at("pin").value.trim(), ...(changing && { new_pin: at("new-pin").value.trim() }) };
  if (!chosen || !body.pin) return at("pin").focus();
  at("shift-says").textContent = words.looking_pin;
  let answer;
  try {
    answer = await asked(`/v1/cashiers/${chosen.id}/shift`, { body });
  } catch {
    acts.lost();
    list();
    at("shift-says").textContent = words.no_pin_offline;
    return;
  }
  if (answer.status === 200) return entered(answer.facts);
  at("shift-says").textContent = fill(told(answer.facts), { time: moment(Date.now() + answer.rest * 1000) });
  changing ||= answer.facts.code === "pin-change-needed";
  at("new-pin-field").hidden = !changing;
  if (!changing) at("pin").value = "";
  (changing ? at("new-pin") : at("pin")).focus();
}

function entered(shift) {
  keep(shift);
  drawer.drop("locked");
  alone(false);
  touched = Date.now();
  at("who").hidden = false;
  at("shift").close();
  const then = afterwards;
  afterwards = null;
  if (then) return then();
  if (!desk.holder) next();
  else refresh(desk.holder.code); // what this cashier may say yes to
  say("ok", fill(words.greeting, { name: shift.name }), words.ready);
  focus(at("code"));
}

export async function leaveTill() {
  at("shift").close();
  try {
    if (!acts.down()) await asked("/v1/cashiers/shift", { method: "DELETE" });
  } catch {
    // It ends by itself; this device forgets it now.
  }
  next();
  lock();
}

// A till that nobody touches is nobody's till.
function idle() {
  if (desk.cashier && !desk.working && !drawer.get("pending") && Date.now() - touched >= LOCK_AFTER) leaveTill();
}

export function guard() {
  const touch = () => {
    idle(); // the first touch after a long while finds the till locked
    touched = Date.now();
  };
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, touch, true);
  setInterval(idle, 5000);
  at("shift").addEventListener("cancel", (event) => drawer.get("locked") && event.preventDefault());
  at("shift").addEventListener("close", () => barred() && choose()); // a browser closes it at a second Escape, unasked
}

// ------------------------------------------------------------------ practice

export function practise(yes) {
  if (drawer.get("pending")) return;
  sessionStorage.setItem(PRACTICE, yes ? "on" : "off");
  paint();
  next();
}

export function paint() {
  desk.training = sessionStorage.getItem(PRACTICE) === "on";
  at("practice").hidden = !desk.training;
  at("training").setAttribute("aria-pressed", String(desk.training));
  page.classList.toggle("practising", desk.training);
}
