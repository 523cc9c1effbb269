// The cashier's page. Every write is named by an Idempotency-Key that is kept until it is answered, so that whatever
// the network does, sending it again is safe. The till's key lives in this tab only and never stands in an address.
const KEPT = { key: "till-key", pending: "till-pending", last: "till-last", series: "till-series", receipt: "till-receipt" };
const TRIES = 5;
const WAIT = 10000;
const LONGEST = 10000;
const CODE = /^[A-Za-z]\d+\./;

const page = document.querySelector("[data-till]");
const words = JSON.parse(page.dataset.till);
const root = page.dataset.root;
const language = document.documentElement.lang;
const at = (id) => document.getElementById(id);
const kept = (name) => JSON.parse(sessionStorage.getItem(KEPT[name]) ?? "null");
const keep = (name, value) => sessionStorage.setItem(KEPT[name], JSON.stringify(value));
const drop = (name) => sessionStorage.removeItem(KEPT[name]);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Not crypto.randomUUID: browsers offer that over https alone, and a till may be tried over plain http on a local network.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

let counter = null;
let holder = null;
let working = false;
let typed = -Infinity;

// ------------------------------------------------------------------ telling

function say(kind, text, title = words[kind]) {
  const answer = at("answer");
  answer.className = `answer ${kind}`;
  answer.children[0].textContent = title;
  answer.children[1].textContent = text;
  answer.hidden = false;
}

function told(problem) {
  return words.problems[problem.code] ?? problem.title ?? words.refused;
}

function busy(yes) {
  working = yes;
  for (const button of page.querySelectorAll("form:not([method]) button, #reverse")) button.disabled = yes;
}

// ------------------------------------------------------------------ the wire

async function call(path, body, key) {
  const headers = { Authorization: `Bearer ${kept("key")}`, "Content-Type": "application/json", Accept: "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  const method = body ? "POST" : "GET";
  const answer = await fetch(root + path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(WAIT),
  });
  const facts = await answer.json();
  return { status: answer.status, facts, rest: Number(answer.headers.get("Retry-After")) || 0 };
}

async function ask(path, body, text) {
  say("wait", text);
  busy(true);
  try {
    const answer = await call(path, body);
    if (answer.status === 200) return answer.facts;
    say("refused", told(answer.facts));
  } catch {
    say("unclear", words.silent);
  } finally {
    busy(false);
  }
  return null;
}

// Sends what is pending until it is answered; gives up for now, but forgets nothing, when nobody answers.
async function send() {
  const deed = kept("pending");
  busy(true);
  at("stuck").hidden = true;
  let rest = 0;
  for (let round = 0; round < TRIES; round += 1) {
    say("wait", round ? words.again : words.sending);
    if (round) await pause(Math.min(Math.max(rest * 1000, 400 * 2 ** round), LONGEST));
    try {
      const answer = await call(deed.path, deed.body, deed.key);
      rest = answer.rest;
      if (answer.status < 500 && answer.status !== 429) {
        busy(false);
        drop("pending");
        return answered(deed, answer);
      }
    } catch {
      rest = 0;
    }
  }
  say("unclear", words.silent);
  at("stuck").hidden = false;
  at("retry").focus();
}

function write(kind, path, body, code) {
  if (working || kept("pending")) return;
  keep("pending", { kind, path, body: { ...body, language }, code, key: uuid() });
  send();
}

async function answered(deed, answer) {
  if (answer.status !== 200) {
    say("refused", told(answer.facts));
    if (answer.facts.code === "key-reused") nextReceipt();
    return;
  }
  const sentence = answer.facts.sentence;
  if (deed.kind === "reverse") drop("last");
  else keep("last", { kind: deed.kind, id: answer.facts.id, sentence, code: deed.code });
  if (deed.kind !== "reverse") nextReceipt();
  for (const id of ["amount", "units", "code"]) at(id).value = "";
  at("reverse").hidden = !kept("last");
  await refresh(deed.code);
  say("ok", sentence);
  at("code").focus();
}

// ------------------------------------------------------------------ the card at the till

async function refresh(code) {
  try {
    const answer = await call("/v1/lookups", { code, language });
    if (answer.status === 200) show(code, answer.facts);
  } catch {
    at("holder").hidden = true;
    holder = null;
  }
}

async function lookUp(code) {
  at("holder").hidden = true;
  holder = null;
  const facts = await ask("/v1/lookups", { code, language }, words.looking);
  if (!facts) return at("code").select();
  show(code, facts);
  say("ok", [facts.tier_name, facts.sentence].filter(Boolean).join(" · "), words.found);
  at("amount").focus();
}

function show(code, facts) {
  const programme = counter.programmes[facts.programme];
  holder = { code, programme };
  at("tier").textContent = facts.tier_name ?? "";
  at("balance").textContent = facts.sentence;
  at("older").textContent = words.older;
  at("older").hidden = facts.card_current;
  at("holder-code").textContent = code;
  at("amount-label").textContent = fill(words.money, { iso: programme.iso });
  at("holder").hidden = false;
}

// ------------------------------------------------------------------ numbers

// "12,50", "12.5" and "1 234.50" in the smallest unit; null for what is no amount.
function minor(text, exponent) {
  const found = /^(\d{1,10})(?:[.,](\d+))?$/.exec(text.replace(/[\s\u00a0\u202f']/g, ""));
  if (!found || (found[2]?.length ?? 0) > exponent) return null;
  const amount = Number(found[1] + (found[2] ?? "").padEnd(exponent, "0"));
  return amount > 0 ? amount : null;
}

// "1 point", "20 points", in the page's language where the programme speaks it.
function counted(units, programme) {
  const spoken = programme.unit[language] ? language : Object.keys(programme.unit)[0];
  const [one, several] = programme.unit[spoken];
  const single = new Intl.PluralRules(spoken).select(units) === "one";
  return `${units.toLocaleString(spoken)} ${single ? one : several}`;
}

// Receipt numbers start from a random series, so that a reopened page never repeats one of today's.
function nextReceipt() {
  const number = (kept("receipt") ?? 0) + 1;
  keep("receipt", number);
  at("receipt").value = `${kept("series")}-${number}`;
}

function startSeries() {
  if (!kept("series")) {
    const letters = crypto.getRandomValues(new Uint8Array(5));
    keep("series", [...letters].map((one) => "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[one % 32]).join(""));
  }
  if (kept("receipt")) at("receipt").value = `${kept("series")}-${kept("receipt")}`;
  else nextReceipt();
}

// ------------------------------------------------------------------ what the cashier does

async function open() {
  const found = await ask("/till/counter", null, words.opening);
  const opened = Boolean(found?.store);
  if (found && !opened) say("refused", words.problems["needs-till"]);
  const silent = !found && at("answer").classList.contains("unclear");
  at("stuck").hidden = !silent;
  at("leave").hidden = silent;
  at("open").hidden = opened || silent;
  at("desk").hidden = at("forget").hidden = !opened;
  if (!opened) return at(silent ? "retry" : "key").focus();
  counter = found;
  at("where").textContent = [...new Set(Object.values(found.programmes).map((one) => one.organisation)), found.store].join(" · ");
  startSeries();
  at("reverse").hidden = !kept("last");
  say("ok", words.open);
  at("code").focus();
  if (kept("pending")) send();
}

function again() {
  return kept("pending") ? send() : open();
}

function scanned(text) {
  const code = text.trim();
  if (!code || working || kept("pending")) return;
  at("code").value = code;
  lookUp(code);
}

// A scanner types into whatever field has the focus: a code is a code wherever it lands.
function misplaced(field) {
  const text = field.value.trim();
  if (!CODE.test(text)) return false;
  field.value = "";
  scanned(text);
  return true;
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

function refuse(field, text) {
  say("refused", text);
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

function sell() {
  const field = at("amount");
  if (misplaced(field)) return;
  if (!holder) return say("refused", words.no_card);
  const amount = minor(field.value, holder.programme.exponent);
  if (amount === null) return refuse(field, words.bad_amount);
  const receipt = at("receipt").value.trim();
  if (!receipt) return refuse(at("receipt"), words.bad_receipt);
  const body = { code: holder.code, receipt, currency: holder.programme.iso, amount_minor: amount };
  write("sale", "/v1/sales", body, holder.code);
}

async function redeem() {
  const field = at("units");
  if (misplaced(field)) return;
  if (!holder) return say("refused", words.no_card);
  const units = minor(field.value, 0);
  if (units === null) return refuse(field, words.bad_units);
  const { code, programme } = holder;
  if (!(await sure(fill(words.confirm_redeem, { units: counted(units, programme) })))) return field.focus();
  write("redemption", "/v1/redemptions", { code, amount: units, reference: at("receipt").value.trim() || uuid() }, code);
}

async function reverse() {
  const last = kept("last");
  if (!last) return say("refused", words.nothing);
  if (!(await sure(fill(words.confirm_reverse, { what: last.sentence })))) return at("reverse").focus();
  const kind = last.kind === "sale" ? "sales" : "redemptions";
  write("reverse", `/v1/${kind}/${last.id}/reversal`, {}, last.code);
}

function on(id, act) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    for (const field of page.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    act();
  });
}

on("open", () => {
  const key = at("key").value.trim();
  if (!/^[\x21-\x7e]{8,300}$/.test(key)) return refuse(at("key"), words.bad_key);
  keep("key", key);
  at("key").value = "";
  open();
});
on("scan", () => scanned(at("code").value));
on("sale", () => working || sell());
on("spend", () => working || redeem());
at("reverse").addEventListener("click", () => working || reverse());
at("retry").addEventListener("click", again);
at("leave").addEventListener("click", () => {
  drop("pending");
  busy(false);
  at("stuck").hidden = true;
  say("unclear", words.left);
  at("code").focus();
});
at("forget").addEventListener("click", () => {
  if (kept("pending")) return at("stuck").hidden || at("retry").focus();
  for (const name of Object.keys(KEPT)) drop(name);
  location.reload();
});
page.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || at("sure").open || at("desk").hidden) return;
  at("code").focus();
  at("code").select();
});
addEventListener("online", () => at("stuck").hidden || again());

at("asleep").hidden = true;
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  keep("key", given);
  history.replaceState(null, "", location.pathname + location.search);
}
if (kept("key")) open();
else {
  at("open").hidden = false;
  at("key").focus();
}
