// The queue of what this device did without a network: numbered without a gap, signed, kept until the service says what
// became of it. Two windows of one device share it: a lock of the browser gives the numbers, one after the other.
import { toBase64 } from "./till-code.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const AT_ONCE = 50;
const ROUNDS = 200;
const KEPT_MS = 7 * 24 * 3600 * 1000;
const BURNS_KEPT_MS = 31 * 24 * 3600 * 1000; // as long as a reservation may last, since it has a limit for each card
const OPEN = ["kept", "waiting"];

export class Queue {
  // `ask(path, options)` calls the service: { status, facts }.
  constructor(vault, name, ask) {
    Object.assign(this, { vault, name, ask });
  }

  // The device's own key is made here, once, and told to the service. Resolves to the device, or throws.
  async register() {
    return navigator.locks.request(`${this.name}-numbers`, async () => {
      const known = await this.vault.get("facts", "device");
      if (known) return known;
      let keys = await this.vault.get("facts", "keys");
      if (!keys) {
        keys = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
        await this.vault.keep("facts", keys, "keys");
      }
      const public_key = toBase64(await crypto.subtle.exportKey("raw", keys.publicKey));
      const { status, facts } = await this.ask("/v1/offline/device", { method: "PUT", body: { public_key } });
      if (status !== 200) throw new Error(facts.code);
      const device = { id: facts.device, till: facts.till };
      await this.vault.change(["facts"], (place) => {
        place.put(device, "device");
        place.put(facts.next_sequence, "next");
      });
      return device;
    });
  }

  // A service that was set back to a backup of before this device was known is told its name, and from which number on
  // everything is still here.
  async anew() {
    return navigator.locks.request(`${this.name}-numbers`, async () => {
      const [keys, device, next] = await Promise.all(["keys", "device", "next"].map((name) => this.vault.get("facts", name)));
      const public_key = toBase64(await crypto.subtle.exportKey("raw", keys.publicKey));
      const sequence = Math.min(next, ...(await this.events()).map((one) => one.sequence));
      const { status, facts } = await this.ask("/v1/offline/device", { method: "PUT", body: { public_key, device: device.id, sequence } });
      if (status !== 200) throw new Error(facts.code);
    });
  }

  // Signs and keeps one: `made()` gives { kind, body, allowance?, cashier?, more } once it is its turn, and `more` stays on this
  // device. Resolves to what was kept, once it is on the disk and `done()` was called; what has a `key` is kept once.
  async add(key, made, done) {
    return navigator.locks.request(`${this.name}-numbers`, async () => {
      const before = await this.keyed(key);
      if (before) return before;
      const [keys, device, sequence] = await Promise.all(["keys", "device", "next"].map((name) => this.vault.get("facts", name)));
      const { kind, body, allowance, cashier, more } = await made();
      const occurred_at = new Date().toISOString();
      const said = { till: device.till, device: device.id, sequence, kind, occurred_at, body, ...(allowance && { allowance }), ...(key && { key }), ...(cashier && { cashier }) };
      const text = JSON.stringify(said);
      const signature = toBase64(await crypto.subtle.sign(SIGNING, keys.privateKey, new TextEncoder().encode(text)));
      const event = { sequence, text, signature, kind, allowance, key, at: occurred_at, state: "kept", ...more };
      await this.vault.change(["events", "facts"], (events, facts) => {
        events.add(event);
        facts.put(sequence + 1, "next");
      });
      done();
      return event;
    });
  }

  // What was sent under this key before it came here.
  async keyed(key) {
    return key && (await this.events()).find((one) => one.key === key);
  }

  // What the service cannot know of yet, in what it says next: what is not booked now, and whatever comes from now on.
  async ahead() {
    const from = (await this.vault.get("facts", "next")) ?? 1;
    const open = (await this.events()).filter((one) => OPEN.includes(one.state)).map((one) => one.sequence);
    return { from, open };
  }

  async events() {
    return this.vault.all("events");
  }

  // Brings what is kept, and asks again after what waits; without any, a sign of life. Sending one twice does no harm, so
  // a network that goes in the middle, or an answer that is lost, leaves it for the next time. One window does it at once.
  async sync() {
    return navigator.locks.request(`${this.name}-sync`, { ifAvailable: true }, async (lock) => {
      if (!lock) return false;
      let asked = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const open = (await this.events()).filter((one) => OPEN.includes(one.state) && one.sequence > asked);
        const part = open.slice(0, AT_ONCE);
        if (part.length) asked = part.at(-1).sequence;
        await this.bring(part);
        if (open.length <= AT_ONCE) break;
      }
      await this.forget();
      return true;
    });
  }

  async bring(part, known = true) {
    const sequence = (await this.vault.get("facts", "next")) ?? 1;
    const language = document.documentElement.lang;
    const events = part.map(({ text, signature }) => ({ text, signature }));
    const body = { events, sequence, clock: new Date().toISOString(), language };
    const { status, facts } = await this.ask("/v1/offline/events", { body, wait: 30000 });
    if (facts.code === "no-device" && known) {
      await this.anew();
      return this.bring(part, false);
    }
    if (status !== 200) throw new Error(facts.code ?? String(status));
    await this.vault.change(["events"], (place) => {
      facts.results.forEach((result, n) => {
        const { state, sentence, booked } = result;
        place.put({ ...part[n], state, sentence, booked, told: Date.now() });
      });
    });
    // A service that was set back by a restore asks for what it has forgotten.
    const lost = (await this.events()).filter((one) => one.sequence >= facts.next_sequence && !OPEN.includes(one.state) && one.state !== "refused");
    if (lost.length) await this.vault.change(["events"], (place) => lost.forEach((one) => place.put({ ...one, state: "kept" })));
  }

  async forget() {
    const over = (one) => Date.now() - Date.parse(one.at) > (one.allowance ? BURNS_KEPT_MS : KEPT_MS);
    const old = (await this.events()).filter((one) => one.state === "applied" && over(one));
    if (old.length) await this.vault.change(["events"], (place) => old.forEach((one) => place.delete(one.sequence)));
  }
}
