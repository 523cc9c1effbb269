// A card that is not up to date collects without a word; to spend with it one thing more is asked for: the card anew from
// the phone, a code that the customer is sent, or the word of the cashier.
import { at } from "./till-draw.js";
import { asked, language, say, signalled, told, words } from "./till-stage.js";

let deed = null;
let again = null;

// Asks for the second proof of a deed that was refused without it; `send(deed)` sends it with the proof.
export function ask(refused, problem, send) {
  deed = refused;
  again = send;
  const ways = problem.proofs ?? [];
  const wrong = problem.code === "wrong-proof";
  say("proof", words.problems[problem.code], words.proof_needed);
  signalled("proof");
  at("proof-says").textContent = wrong ? words.problems["wrong-proof"] : "";
  if (!wrong) {
    at("proof-send").hidden = !ways.includes("code");
    at("proof-code").hidden = true;
    at("proof-vouch").hidden = !ways.includes("cashier");
  }
  at("proof-value").value = "";
  at("proof").showModal();
  if (wrong) at("proof-value").focus();
}

export async function sendCode() {
  at("proof-says").textContent = words.sending;
  try {
    const { status, facts } = await asked("/v1/proofs", { body: { code: deed.code, language } });
    at("proof-says").textContent = status === 200 ? facts.sentence : told(facts);
    if (status !== 200) return;
    at("proof-code").hidden = false;
    at("proof-value").focus();
  } catch {
    at("proof-says").textContent = words.no_network;
  }
}

function prove(proof) {
  at("proof").close();
  again({ ...deed, body: { ...deed.body, proof } });
}

export function typed() {
  const value = at("proof-value").value.replace(/\s/g, "");
  if (!/^\d{6}$/.test(value)) {
    at("proof-says").textContent = words.six_digits;
    return at("proof-value").focus();
  }
  prove({ kind: "code", value });
}

export const vouch = () => prove({ kind: "cashier" });
