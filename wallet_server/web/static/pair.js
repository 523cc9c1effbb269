// Makes this device a till. The secret stands after the # and leaves the address at once; the device's own random text
// is kept until it has its key, so that a lost answer is asked for again and gives the same key.
const place = document.querySelector("[data-pair]");
const words = JSON.parse(place.dataset.pair);
const root = place.dataset.root;
const at = (id) => document.getElementById(id);
const WAIT = 10000;
const SECRET = /^[A-Za-z0-9_-]{40,100}$/;

function say(text, kind = "lead") {
  at("says").className = kind;
  at("says").textContent = text;
  at("says").hidden = !text;
}

async function ask(path, body) {
  const answer = await fetch(root + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(WAIT),
  });
  return { ok: answer.ok, facts: await answer.json() };
}

const random = () =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_", "=": "" })[c]);

function kept() {
  return JSON.parse(sessionStorage.getItem("pairing") ?? "null");
}

function refuse(facts) {
  say(words.problems[facts.code] ?? words.problems.other, "fault");
  at("pair").hidden = true;
  sessionStorage.removeItem("pairing");
}

function lost() {
  say(words.silent, "warn");
  at("again").hidden = false;
  at("again").querySelector("button").focus();
}

async function greet() {
  at("again").hidden = true;
  say(words.looking);
  try {
    const { ok, facts } = await ask("/pair/greeting", { secret: kept().secret });
    if (!ok) return refuse(facts);
    say("");
    const till = /^\d+$/.test(facts.till) ? words.numbered.replace("{number}", facts.till) : facts.till;
    at("place").textContent = words.place.replace("{merchant}", facts.merchant).replace("{store}", facts.store).replace("{till}", till);
    at("pair").hidden = false;
    at("name").focus();
  } catch {
    lost();
  }
}

async function pair() {
  const name = at("name").value.trim();
  if (!name) return at("name").focus();
  sessionStorage.setItem("pairing", JSON.stringify({ ...kept(), name }));
  at("again").hidden = true;
  at("pair").hidden = true;
  say(words.pairing);
  try {
    const { ok, facts } = await ask("/pair/key", kept());
    if (!ok) return refuse(facts);
    localStorage.setItem("till-key", JSON.stringify(facts.key));
    localStorage.setItem("till-device", JSON.stringify(facts.name));
    const before = Object.keys(localStorage).filter((one) => /^till-(pending|last|sale|sales|spend|shift|locked)$/.test(one));
    for (const old of before) localStorage.removeItem(old);
    sessionStorage.removeItem("pairing");
    navigator.storage?.persist?.(); // or a browser may forget the key of a till that was closed for a while
    say(words.done, "good big-good");
    at("go").hidden = false;
    at("go").querySelector("a").focus();
  } catch {
    lost();
  }
}

// The link that leads past the top of the page carries no secret.
const carried = () => (location.hash === "#main" ? "" : location.hash.slice(1));

// Another link to this page, followed while it is open.
addEventListener("hashchange", () => carried() && location.reload());
at("asleep").hidden = true;
const secret = carried();
if (secret) {
  sessionStorage.setItem("pairing", JSON.stringify({ secret, device: random() }));
  history.replaceState(null, "", location.pathname + location.search);
}
at("pair").addEventListener("submit", (event) => {
  event.preventDefault();
  pair();
});
at("again").addEventListener("click", () => (kept()?.name ? pair() : greet()));
if (!SECRET.test(kept()?.secret ?? "")) say(words.problems["pairing-unknown"], "fault");
else if (kept().name) pair();
else greet();
