// A till in forty lines, for Node 20 and newer: node till.mjs https://loyalty.example.com key_….… EUR
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline/promises";

const [base, key, currency] = process.argv.slice(2);
const keyboard = createInterface({ input: process.stdin, output: process.stdout });
const lines = keyboard[Symbol.asyncIterator]();

async function type(prompt) {
  process.stdout.write(prompt);
  return ((await lines.next()).value ?? "").trim();
}

// The same key for every try: whatever was lost on the way, the server does it once.
async function call(path, body, idempotency = randomUUID()) {
  for (let tried = 1; ; tried++) {
    try {
      const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json", "Idempotency-Key": idempotency };
      const signal = AbortSignal.timeout(10_000);
      const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body), signal });
      if (tried === 4 || ![429, 502, 503, 504].includes(answer.status)) return [answer.ok, await answer.json()];
    } catch (fault) {
      if (tried === 4) return [false, { title: `No answer (${fault.message}). Write down ${JSON.stringify(body)}.` }];
    }
    await new Promise((wake) => setTimeout(wake, 250 * 2 ** tried));
  }
}

for (let number = 1, code; (code = await type("card> ")); number++) {
  const [known, holder] = await call("/v1/lookups", { code });
  console.log(known ? `${holder.tier_name ?? ""} ${holder.sentence}` : holder.title);
  if (!known) continue;
  for (const reward of holder.rewards) console.log(` * ${reward.name}`, reward.ready ? "ready" : `(${reward.missing} more)`);
  let cents;
  while (!/^\d*$/.test((cents = await type("cents> ")))) console.log("Type whole cents: 1250 for 12.50.");
  const occurred_at = new Date().toISOString();
  const [sold, counted] = await call("/v1/sales", { code, receipt: `${occurred_at}-${number}`, currency, amount_minor: Number(cents), occurred_at });
  console.log(sold ? counted.sentence : counted.title);
}
keyboard.close();
