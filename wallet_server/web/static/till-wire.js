// What the till keeps, and how it speaks to the service. Every write is named by an Idempotency-Key that is kept until
// it is answered, so that whatever the network does, sending it again is safe. The key never stands in an address.
const KEPT = {
  key: "till-key",
  device: "till-device",
  pending: "till-pending",
  sale: "till-sale",
  sales: "till-sales",
  spend: "till-spend",
  series: "till-series",
  receipt: "till-receipt",
  shift: "till-shift",
  locked: "till-locked",
  alone: "till-alone",
};
const TRIES = 5;
const WAIT = 10000;
const LONGEST = 10000;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// A paired device keeps its till for good; a key that was typed or followed is forgotten with its window.
export class Drawer {
  constructor(given) {
    this.paired = !given && !sessionStorage.getItem(KEPT.key) && Boolean(localStorage.getItem(KEPT.key));
    this.place = this.paired ? localStorage : sessionStorage;
    if (given) this.keep("key", given);
  }

  get(name) {
    try {
      return JSON.parse(this.place.getItem(KEPT[name]) ?? "null");
    } catch {
      return null;
    }
  }

  keep(name, value) {
    this.place.setItem(KEPT[name], JSON.stringify(value));
  }

  drop(name) {
    this.place.removeItem(KEPT[name]);
  }

  empty() {
    for (const name of Object.keys(KEPT)) this.drop(name);
  }

  // Receipt numbers start from a random series, so that a reopened page never repeats one of today's.
  receipt() {
    if (!this.get("series")) {
      const letters = crypto.getRandomValues(new Uint8Array(5));
      this.keep("series", [...letters].map((one) => "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[one % 32]).join(""));
    }
    if (!this.get("receipt")) this.keep("receipt", 1);
    return `${this.get("series")}-${this.get("receipt")}`;
  }

  nextReceipt() {
    this.keep("receipt", (this.get("receipt") ?? 0) + 1);
    return this.receipt();
  }
}

// Not crypto.randomUUID: browsers offer that over https alone, and a till may be tried over plain http.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// Who asks and how: `headers` say the till, who stands there, and whether it is for practice alone.
export async function call(address, headers, { body, key, method, wait = WAIT } = {}) {
  const sent = { ...headers, "Content-Type": "application/json", Accept: "application/json" };
  if (key) sent["Idempotency-Key"] = key;
  const answer = await fetch(address, {
    method: method ?? (body ? "POST" : "GET"),
    headers: sent,
    body: body && JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(wait),
  });
  const text = await answer.text();
  const rest = Number(answer.headers.get("Retry-After")) || 0;
  const replayed = answer.headers.get("Idempotency-Replayed") === "true";
  return { status: answer.status, facts: text ? JSON.parse(text) : {}, rest, replayed };
}

// Sends a deed until it is answered: the answer, or null when nobody answered for now. `trying(round)` is told of each.
export async function persist(address, headers, deed, trying, tries = TRIES) {
  let rest = 0;
  for (let round = 0; round < tries; round += 1) {
    trying(round);
    if (round) await pause(Math.min(Math.max(rest * 1000, 400 * 2 ** round), LONGEST));
    try {
      const answer = await call(address, headers, deed);
      rest = answer.rest;
      if (answer.status < 500 && answer.status !== 429) return answer;
    } catch {
      rest = 0;
    }
  }
  return null;
}
