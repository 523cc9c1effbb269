// The scan page: a card is scanned, shown, stamped or sold to, and the next one comes. Here its parts are put together.
import { renew, stayAlive } from "./till-alive.js";
import * as back from "./till-back.js";
import * as bill from "./till-basket.js";
import { clear, firstThingToDo, next, show } from "./till-card.js";
import { at, fill, product, signal } from "./till-draw.js";
import { drawGestures, drawOpen, drawPrivileges } from "./till-gestures.js";
import * as offline from "./till-offline.js";
import * as proof from "./till-proof.js";
import * as people from "./till-people.js";
import { give, linkOld, redeem, sell, spend, use } from "./till-sale.js";
import { camera, scanned, watch } from "./till-scan.js";
import { acts, ask, asked, desk, drawer, loud, page, refuse, refuseBy, say, sure, touch, words } from "./till-stage.js";
import { listen } from "./till-wedge.js";
import { kept, leave, number, offer, send, undo } from "./till-write.js";

// The codes on cards: the written form, and the digits that laser scanners read.
const CODE = /^(?:[A-Za-z]\d{1,3}\.|\d{24}$)/;

const RECOUNT_EVERY = 5 * 60 * 1000;
const RECOUNT_AT_MOST = 60 * 1000;

Object.assign(acts, { redeem, use, watch, locked, lock: people.lock, barred: people.barred, line: people.line, privileges: drawPrivileges, gestures: drawGestures, open: drawOpen });
Object.assign(acts, { proof: proof.ask, clear, show, kept, first: firstThingToDo, down: offline.isDown, lost: offline.lost, network: offline.paint });
Object.assign(acts, { offer, recount, recountSoon, back: awake, works: offline.works, serve: offline.serve, take: offline.take, held: offline.held, seen: offline.remember });

// ------------------------------------------------------------------ opening and closing

async function open() {
  const before = await offline.begin();
  const found = await ask("/till/counter", null, words.opening);
  if (found.silent && before) {
    offline.openedWithout();
    return begin(before);
  }
  const opened = Boolean(found.facts?.store);
  if (found.refused) refuseBy(found.refused);
  else if (found.facts && !opened) say("refused", words.problems["needs-till"]);
  else if (found.silent) say("unclear", words.silent);
  at("stuck").hidden = !found.silent;
  at("leave").hidden = Boolean(found.silent);
  at("open").hidden = opened || Boolean(found.silent);
  at("desk").hidden = at("bar").hidden = !opened;
  if (!opened) return (found.silent ? at("retry") : at("open").querySelector("summary")).focus();
  begin(found.facts);
  offline.opened(found.facts);
}

function begin(counter) {
  desk.counter = counter;
  told = Date.now();
  at("open").hidden = at("stuck").hidden = true;
  at("desk").hidden = at("bar").hidden = false;
  const names = new Set(Object.values(counter.programmes).map((one) => one.organisation));
  at("where").textContent = [...new Set([...names, counter.store])].join(" · ");
  const till = /^\d+$/.test(counter.till) ? fill(words.numbered, { number: counter.till }) : counter.till;
  at("which").textContent = [till, drawer.get("device")].filter(Boolean).join(" · ");
  number(drawer.receipt());
  next();
  offer();
  if (!window.isSecureContext) camera.start();
  else if (localStorage.getItem("till-camera") === "on") camera.start();
  people.arrive();
  if (drawer.get("pending")) send();
}

// A programme may get another version while the page stands open; what it says of itself is asked anew.
let told = 0;

async function recount() {
  if (!desk.counter || document.hidden || acts.down()) return;
  told = Date.now();
  try {
    const { status, facts } = await asked("/till/counter");
    if (status !== 200 || !facts.store) return;
    desk.counter = facts;
    if (desk.holder && !desk.holder.offline) desk.holder.programme = facts.programmes[desk.holder.named] ?? desk.holder.programme;
    await offline.know(facts);
  } catch {
    // It says nothing new, or nothing at all: what was known goes on.
  }
}

function recountSoon() {
  if (Date.now() - told > RECOUNT_AT_MOST) recount();
}

// The network is back: what only the service knows comes again, without a reload.
function awake() {
  recount();
  people.know();
  if (drawer.get("pending") && !at("stuck").hidden) send();
}

function locked() {
  at("desk").hidden = at("bar").hidden = true;
  at("open").hidden = false;
  camera.stop();
}

function again() {
  return drawer.get("pending") ? send() : open();
}

async function forget() {
  if (drawer.get("pending")) return at("stuck").hidden || at("retry").focus();
  if (await offline.unsent()) return say("unclear", words.send_before);
  if (drawer.paired && !(await sure(words.confirm_forget))) return;
  drawer.empty();
  location.reload();
}

// ------------------------------------------------------------------ wiring

function on(id, act) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    for (const field of page.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    act();
  });
}

function click(id, act) {
  at(id).addEventListener("click", act);
}

function toggle(id, name, act = () => {}) {
  const button = at(id);
  const paint = () => button.setAttribute("aria-pressed", String(localStorage.getItem(name) === "on"));
  button.addEventListener("click", () => {
    localStorage.setItem(name, localStorage.getItem(name) === "on" ? "off" : "on");
    paint();
    act();
  });
  paint();
}

on("open", () => {
  const key = at("key").value.trim();
  if (!/^[\x21-\x7e]{8,300}$/.test(key)) return refuse(at("key"), words.bad_key);
  drawer.keep("key", key);
  at("key").value = "";
  open();
});
on("scan", () => scanned([at("code").value]));
on("sale", () => desk.working || sell());
on("spend", () => desk.working || spend());
on("plastic", () => desk.working || linkOld());
on("bill", bill.count);
click("quote", bill.quote);
click("add-line", () => bill.addLine());
click("pot-all", () => bill.fromPot(true));
click("pot-use", () => bill.fromPot(false));
click("pot-none", bill.potNone);
at("amount").addEventListener("input", () => bill.billGone(true));
click("one", () => give(1));
for (const button of at("several").querySelectorAll("button")) button.addEventListener("click", () => give(Number(button.value)));
for (const key of at("pad").querySelectorAll("button")) {
  key.addEventListener("click", () => {
    const field = at("amount");
    if (field.readOnly) return;
    field.value = key.value === "back" ? field.value.slice(0, -1) : (field.value + key.value).slice(0, 13);
    bill.billGone(true);
  });
}
click("next", () => {
  next();
  renew();
});
click("refund", () => desk.working || back.refund());
click("goods-back", back.open);
at("back-sale").addEventListener("change", back.draw);
at("back").querySelector("form").addEventListener("submit", back.take);
click("undo-it", () => desk.working || undo());
click("retry", again);
click("leave", leave);
click("forget", forget);
click("camera-on", () => {
  localStorage.setItem("till-camera", "on");
  camera.start();
});
click("camera-off", () => {
  localStorage.setItem("till-camera", "off");
  camera.stop();
});
click("proof-send", proof.sendCode);
click("proof-vouch", proof.vouch);
click("proof-leave", () => at("proof").close());
on("proof-code", proof.typed);
click("waits", offline.openWaiting);
click("sync", offline.sync);
click("who", people.choose);
click("leave-till", people.leaveTill);
click("go-alone", people.goOn);
click("shift-close", () => at("shift").close());
on("pin-form", people.enter);
for (const key of at("pin-pad").querySelectorAll("button")) {
  key.addEventListener("click", () => {
    const field = at("new-pin-field").hidden ? at("pin") : at("new-pin");
    field.value = key.value === "back" ? field.value.slice(0, -1) : (field.value + key.value).slice(0, 8);
  });
}
click("training", () => people.practise(!desk.training));
toggle("sound", "till-sound", () => signal("ok", loud()));
click("how", () => at("help").showModal());
page.classList.toggle("touch", touch);
if (touch) at("amount").inputMode = "none";

// While a card is served, a product's barcode belongs to its basket, wherever the focus is.
listen(document, (text) => CODE.test(text) || (desk.holder !== null && document.activeElement !== at("plastic-number") && product(text)), scanned);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || at("desk").hidden) return;
  if (event.key === "?" && !event.target.matches("input")) at("help").showModal();
  if (event.key !== "Escape") return;
  at("code").focus();
  at("code").select();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) camera.stop();
  else if (desk.counter && localStorage.getItem("till-camera") === "on") camera.start();
  if (!document.hidden) recount();
});
setInterval(recountSoon, RECOUNT_EVERY);
function line() {
  at("offline").hidden = navigator.onLine;
}
addEventListener("offline", () => {
  line();
  offline.lost();
});
addEventListener("online", () => {
  line();
  if (!at("stuck").hidden) again();
});

// Another till's link, followed while this one is open; the link that leads past the top of the page is none.
addEventListener("hashchange", () => new URLSearchParams(location.hash.slice(1)).has("key") && location.reload());
people.guard();
people.paint();
line();
stayAlive();
at("asleep").hidden = true;
if (drawer.get("key")) open();
else at("open").hidden = false;
