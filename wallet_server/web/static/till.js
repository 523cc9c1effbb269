// The scan page: a card is scanned, shown, stamped or sold to, and the next one comes.
import { Camera } from "./till-camera.js";
import { at, counted, drawRewards, drawStamps, fill, minor, money, product, signal } from "./till-draw.js";
import { drawCoupon } from "./till-coupon.js";
import { listen } from "./till-wedge.js";
import { call, Drawer, persist, uuid } from "./till-wire.js";

const CODE = /^[A-Za-z]\d{1,3}\./;
const UNDO_SECONDS = 60;
const SAME_CARD = 4000;

const page = document.querySelector("[data-till]");
const words = JSON.parse(page.dataset.till);
const root = page.dataset.root;
const language = document.documentElement.lang;
const touch = matchMedia("(pointer: coarse)").matches || (navigator.maxTouchPoints > 0 && innerWidth < 800);
const keyboard = !touch;

const address = new URLSearchParams(location.hash.slice(1));
const given = address.get("key");
if (location.hash) history.replaceState(null, "", location.pathname + location.search);
const drawer = new Drawer(given);

let counter = null;
let holder = null;
let working = false;
let typed = -Infinity;
let seen = { text: "", at: -Infinity };

const asked = (path, body, key) => call(root, drawer.get("key"), path, body, key);
const loud = () => localStorage.getItem("till-sound") === "on";

// ------------------------------------------------------------------ telling

function say(kind, text, title = words[kind]) {
  const answer = at("answer");
  answer.className = `answer ${kind}`;
  answer.children[0].textContent = title;
  answer.children[1].textContent = text;
  answer.hidden = false;
  if (kind === "refused") signal("refused", loud());
}

function told(problem) {
  return words.problems[problem.code] ?? problem.title ?? words.refused;
}

function busy(yes) {
  working = yes;
  page.classList.toggle("working", yes);
  for (const button of page.querySelectorAll("#card button, #slip button, #scan button, #refund, #undo button")) button.disabled = yes || button.dataset.never === "";
}

function focus(element) {
  // On a phone the focus of a field would bring up its keyboard, over the camera.
  (keyboard || !element.matches("input") ? element : at("answer")).focus();
}

async function ask(path, body, text) {
  say("wait", text);
  busy(true);
  try {
    const answer = await asked(path, body);
    if (answer.status === 200) return { facts: answer.facts };
    return { refused: answer.facts };
  } catch {
    return { silent: true };
  } finally {
    busy(false);
  }
}

// ------------------------------------------------------------------ writing, once

async function send() {
  const deed = drawer.get("pending");
  busy(true);
  at("stuck").hidden = true;
  const answer = await persist(root, drawer.get("key"), deed, (round) => say("wait", round ? words.again : words.sending));
  busy(false);
  if (answer) {
    drawer.drop("pending");
    return answered(deed, answer);
  }
  say("unclear", words.silent);
  at("stuck").hidden = false;
  at("retry").focus();
}

function write(kind, path, body, code) {
  if (working || drawer.get("pending")) return;
  drawer.keep("pending", { kind, path, body: { ...body, language }, code, key: uuid() });
  send();
}

async function answered(deed, answer) {
  if (answer.status !== 200) {
    say("refused", told(answer.facts));
    if (["key-reused", "redemption-undone"].includes(answer.facts.code)) at("receipt").value = drawer.nextReceipt();
    return refresh(deed.code);
  }
  const { id, sentence, entries = [], instructions = [], counted_before: again } = answer.facts;
  const made = { kind: deed.kind, id, sentence, code: deed.code, at: Date.now() };
  if (deed.kind === "sale") drawer.keep("sale", last(made, again && !entries.length));
  if (["redemption", "coupon"].includes(deed.kind)) drawer.keep("spend", made);
  if (deed.kind === "refund") refunded();
  if (deed.kind === "undo") drawer.drop("spend");
  if (["sale", "redemption", "coupon"].includes(deed.kind)) at("receipt").value = drawer.nextReceipt();
  for (const id of ["amount", "units", "code"]) at(id).value = "";
  await refresh(deed.code);
  say("ok", [sentence, ...instructions].join(" · "), deed.kind === "sale" && !entries.length ? words.nothing_given : words.ok);
  signal("ok", loud());
  offer();
  at("next").classList.add("primary");
  focus(keyboard ? at("code") : at("next"));
}

// The last sale, which can be refunded. A second touch for the same visit gives nothing: it hides no stamp behind it, and
// comes after that one.
function last(made, nothing) {
  const before = drawer.get("sale");
  return nothing && before?.code === made.code ? { ...before, then: made } : made;
}

function refunded() {
  const { then } = drawer.get("sale") ?? {};
  if (then) drawer.keep("sale", then);
  else drawer.drop("sale");
}

// ------------------------------------------------------------------ the card at the till

async function refresh(code) {
  if (!code) return;
  try {
    const answer = await asked("/v1/lookups", { code, language });
    if (answer.status === 200) return show(code, answer.facts);
  } catch {
    // Said where it matters: by the next thing that is asked.
  }
  clear();
}

// The readings of one scan, likelier first: a scanner that is set to another keyboard garbles the first.
async function lookUp(texts) {
  clear();
  at("code").value = texts[0];
  let found = {};
  for (const code of texts) {
    found = await ask("/v1/lookups", { code, language }, words.looking);
    if (found.facts) {
      at("code").value = code;
      show(code, found.facts);
      if (found.facts.coupon) return slipFound(found.facts.coupon);
      say("ok", [found.facts.tier_name, found.facts.sentence].filter(Boolean).join(" · "), words.found);
      signal("ok", loud());
      return focus(firstThingToDo());
    }
    if (found.refused?.code !== "unreadable-code") break;
  }
  if (found.refused?.code === "unreadable-code" && texts.some(product)) say("refused", words.product, words.no_loyalty);
  else if (found.refused) say("refused", told(found.refused));
  else say("unclear", words.no_network);
  watch(true);
  if (found.refused?.code === "unauthenticated") return locked();
  if (keyboard) at("code").select();
}

function clear() {
  holder = null;
  at("card").hidden = at("slip").hidden = true;
  at("next").hidden = true;
}

function show(code, facts) {
  at("card").hidden = Boolean(facts.coupon);
  at("slip").hidden = !facts.coupon;
  at("next").hidden = false;
  at("next").classList.remove("primary");
  watch(false);
  if (!facts.coupon) return showCard(code, facts);
  holder = null;
  drawCoupon(facts.coupon, words);
  at("use").onclick = () => use(code, facts.coupon);
}

// Green for one that is good; red for any other, so that nobody has to read what it is first.
function slipFound(coupon) {
  const good = coupon.state === "issued" && coupon.current;
  say(good ? "ok" : "refused", good || coupon.state !== "issued" ? coupon.sentence : words.problems["coupon-replaced"], good ? words.coupon : words.coupon_bad);
  if (good) signal("ok", loud());
  focus(at(good ? "use" : "next"));
}

function showCard(code, facts) {
  const programme = counter.programmes[facts.programme];
  holder = { code, programme, current: facts.card_current };
  at("tier").textContent = facts.tier_name ?? "";
  at("balance").textContent = facts.sentence;
  drawStamps(at("stamps"), facts.stamps, words);
  at("progress").textContent = facts.progress ?? "";
  at("news").textContent = facts.promotions ? words.promotions : words.no_promotions;
  at("news").className = facts.promotions ? "mark yes" : "mark no";
  at("older").hidden = facts.card_current;
  at("holder-code").textContent = code;
  at("amount-label").textContent = fill(words.money, { iso: programme.iso });
  at("minimum").hidden = !programme.minimum_minor;
  at("minimum").textContent = fill(words.minimum, { amount: money(programme.minimum_minor, programme) });
  // A stamp card's own sentence says what is missing for its reward.
  const rewards = facts.rewards.filter((reward) => reward.ready || !facts.progress);
  drawRewards(at("rewards"), rewards, programme, words, facts.card_current, redeem);
  const stamped = programme.gives === "item" || (programme.gives === "visit" && !programme.minimum_minor);
  at("sale").hidden = stamped;
  at("give").hidden = !stamped;
  at("several").hidden = programme.gives !== "item";
  at("spend").hidden = !programme.spendable || !facts.card_current;
  at("comma").hidden = programme.exponent === 0;
}

function firstThingToDo() {
  return at(at("sale").hidden ? "one" : "amount");
}

// ------------------------------------------------------------------ what the cashier does

function refuse(field, text) {
  say("refused", text);
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

function receipt() {
  return at("receipt").value.trim() || drawer.receipt();
}

function sell() {
  if (misplaced(at("amount"))) return;
  if (!holder) return say("refused", words.no_card);
  const amount = minor(at("amount").value, holder.programme.exponent);
  if (amount === null) return refuse(at("amount"), words.bad_amount);
  write("sale", "/v1/sales", { code: holder.code, receipt: receipt(), currency: holder.programme.iso, amount_minor: amount }, holder.code);
}

function give(quantity) {
  if (!holder || working) return;
  const { code, programme } = holder;
  const line = { ...programme.line, quantity, unit_amount_minor: 0 };
  write("sale", "/v1/sales", { code, receipt: receipt(), currency: programme.iso, lines: [line] }, code);
}

async function redeem(reward) {
  const { code } = holder;
  if (!(await sure(fill(words.confirm_reward, { reward: reward.name })))) return focus(firstThingToDo());
  write("redemption", "/v1/redemptions", { code, reward: reward.code, reference: receipt() }, code);
}

async function use(code, coupon) {
  if (!(await sure(fill(words.confirm_coupon, { title: coupon.title })))) return at("use").focus();
  write("coupon", "/v1/coupon-uses", { code, reference: receipt() }, code);
}

async function spend() {
  if (misplaced(at("units"))) return;
  if (!holder) return say("refused", words.no_card);
  const units = minor(at("units").value, 0);
  if (units === null) return refuse(at("units"), words.bad_units);
  const { code, programme } = holder;
  if (!(await sure(fill(words.confirm_redeem, { units: counted(units, programme) })))) return at("units").focus();
  write("redemption", "/v1/redemptions", { code, amount: units, reference: receipt() }, code);
}

async function refund() {
  const last = drawer.get("sale");
  if (!last || !(await sure(fill(words.confirm_refund, { what: last.sentence })))) return at("refund").focus();
  write("refund", `/v1/sales/${last.id}/reversal`, {}, last.code);
}

function undo() {
  const last = drawer.get("spend");
  const deeds = last?.kind === "coupon" ? "coupon-uses" : "redemptions";
  if (last) write("undo", `/v1/${deeds}/${last.id}/reversal`, {}, last.code);
}

// What may be taken back: the last reward for a minute, the last sale until the next one.
function offer() {
  at("refund").hidden = !drawer.get("sale");
  const last = drawer.get("spend");
  const left = last ? Math.ceil(UNDO_SECONDS - (Date.now() - last.at) / 1000) : 0;
  const open = left > 0 && left <= UNDO_SECONDS;
  if (last && !open) drawer.drop("spend");
  at("undo").hidden = !open;
  if (!open) return;
  at("undo-what").textContent = last.sentence;
  at("undo-left").textContent = fill(words.seconds, { seconds: left });
  clearTimeout(offer.next);
  offer.next = setTimeout(offer, 1000);
}

// A card that is scanned while a question stands must not answer it: a scanner's Enter comes at once after its letters.
at("sure").addEventListener("keydown", (event) => {
  if (event.key.length === 1 && event.key !== " ") typed = event.timeStamp;
  if (event.key === "Enter" && event.timeStamp - typed < 500) event.preventDefault();
});

function sure(question) {
  at("question").textContent = question;
  at("sure").returnValue = "no";
  typed = -Infinity;
  at("sure").showModal();
  return new Promise((done) => at("sure").addEventListener("close", () => done(at("sure").returnValue === "yes"), { once: true }));
}

// ------------------------------------------------------------------ scanning

function scanned(texts) {
  if (!counter || working || drawer.get("pending") || document.querySelector("dialog[open]")) return;
  const codes = texts.map((text) => text.trim().slice(0, 200)).filter(Boolean);
  if (codes.length) lookUp(codes);
}

function misplaced(field) {
  // A slow scanner, behind what stood there already.
  const found = /[A-Za-z]\d{1,3}\.[\w.]{10,}$/.exec(field.value.trim());
  if (!found) return false;
  field.value = field.value.slice(0, found.index);
  scanned([found[0]]);
  return true;
}

const camera = new Camera(
  at("video"),
  { script: page.dataset.reader, wasm: page.dataset.wasm },
  (text) => {
    // The card that was just served may still lie before the camera.
    const again = text === seen.text && performance.now() - seen.at < SAME_CARD;
    seen = { text, at: performance.now() };
    if (!again) scanned([text]);
  },
  (state) => {
    const on = state === "on";
    page.dataset.camera = state;
    at("view").hidden = !on;
    at("camera-on").hidden = on || state === "starting" || state === "insecure";
    at("camera-off").hidden = !on;
    at("why").textContent = { insecure: words.insecure, denied: words.denied, missing: words.no_camera, broken: words.broken_camera }[state] ?? "";
    at("why").hidden = !at("why").textContent;
    at("secure").hidden = state !== "insecure";
  },
);

function watch(yes) {
  camera.watching = yes;
  page.classList.toggle("serving", !yes);
}

function next() {
  clear();
  at("code").value = "";
  seen.at = performance.now();
  watch(true);
  say("ok", words.open, words.ready);
  focus(at("code"));
}

// ------------------------------------------------------------------ opening and closing

async function open() {
  const found = await ask("/till/counter", null, words.opening);
  const opened = Boolean(found.facts?.store);
  if (found.refused) say("refused", told(found.refused));
  else if (found.facts && !opened) say("refused", words.problems["needs-till"]);
  else if (found.silent) say("unclear", words.silent);
  at("stuck").hidden = !found.silent;
  at("leave").hidden = Boolean(found.silent);
  at("open").hidden = opened || Boolean(found.silent);
  at("desk").hidden = at("bar").hidden = !opened;
  if (!opened) return (found.silent ? at("retry") : at("open").querySelector("summary")).focus();
  counter = found.facts;
  const names = new Set(Object.values(counter.programmes).map((one) => one.organisation));
  at("where").textContent = [...new Set([...names, counter.store])].join(" · ");
  const till = /^\d+$/.test(counter.till) ? fill(words.numbered, { number: counter.till }) : counter.till;
  at("which").textContent = [till, drawer.get("device")].filter(Boolean).join(" · ");
  at("receipt").value = drawer.receipt();
  next();
  offer();
  if (!window.isSecureContext) camera.start();
  else if (localStorage.getItem("till-camera") === "on") camera.start();
  if (drawer.get("pending")) send();
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
on("sale", () => working || sell());
on("spend", () => working || spend());
click("one", () => give(1));
for (const button of at("several").querySelectorAll("button")) button.addEventListener("click", () => give(Number(button.value)));
for (const key of at("pad").querySelectorAll("button")) {
  key.addEventListener("click", () => {
    const field = at("amount");
    field.value = key.value === "back" ? field.value.slice(0, -1) : (field.value + key.value).slice(0, 13);
  });
}
click("next", next);
click("refund", () => working || refund());
click("undo-it", () => working || undo());
click("retry", again);
click("leave", () => {
  drawer.drop("pending");
  busy(false);
  at("stuck").hidden = true;
  say("unclear", words.left);
  focus(at("code"));
});
click("forget", forget);
click("camera-on", () => {
  localStorage.setItem("till-camera", "on");
  camera.start();
});
click("camera-off", () => {
  localStorage.setItem("till-camera", "off");
  camera.stop();
});
toggle("sound", "till-sound", () => signal("ok", loud()));
click("how", () => at("help").showModal());
page.classList.toggle("touch", touch);
if (touch) at("amount").inputMode = "none";

listen(document, (text) => CODE.test(text), scanned);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || at("desk").hidden) return;
  if (event.key === "?" && !event.target.matches("input")) at("help").showModal();
  if (event.key !== "Escape") return;
  at("code").focus();
  at("code").select();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) camera.stop();
  else if (counter && localStorage.getItem("till-camera") === "on") camera.start();
});
function line() {
  at("offline").hidden = navigator.onLine;
}
addEventListener("offline", line);
addEventListener("online", () => {
  line();
  if (!at("stuck").hidden) again();
});

// Another till's link, followed while this one is open; the link that leads past the top of the page is none.
addEventListener("hashchange", () => new URLSearchParams(location.hash.slice(1)).has("key") && location.reload());
line();
at("asleep").hidden = true;
if (drawer.get("key")) open();
else at("open").hidden = false;
