// What all parts of the scan page stand on: its words, what it knows at the moment, the big answer, one question at a time.
import { at, signal } from "./till-draw.js";
import { call, Drawer } from "./till-wire.js";

export const page = document.querySelector("[data-till]");
export const words = JSON.parse(page.dataset.till);
export const root = page.dataset.root;
export const language = document.documentElement.lang;
export const touch = matchMedia("(pointer: coarse)").matches || (navigator.maxTouchPoints > 0 && innerWidth < 800);
export const keyboard = !touch;

const address = new URLSearchParams(location.hash.slice(1));
const given = address.get("key");
if (location.hash) history.replaceState(null, "", location.pathname + location.search);
export const drawer = new Drawer(given);

// Where it stands (`counter`), whose card is on the page (`holder`), whether an answer is awaited, who serves (`cashiers` are
// those who may, null while nobody knows), whether a locked till goes on with nobody, without a network (`alone`).
export const desk = { counter: null, holder: null, working: false, cashier: null, cashiers: null, alone: false, training: false };

// What buttons that are drawn later do; the entry of the page fills it in.
export const acts = {};

// Refusals that a cashier should know apart at a glance: each has its own picture, colour and sound.
const KNOWN = ["other-merchant", "revoked-card", "expired-card", "test-card", "unknown-card", "unreadable-code"];

let typed = -Infinity;

export const loud = () => localStorage.getItem("till-sound") === "on";

export function headers(deed = {}) {
  const said = { Authorization: `Bearer ${drawer.get("key")}` };
  if (desk.cashier) said["X-Cashier"] = desk.cashier.token;
  // A deed that was begun for practice stays practice, whenever it is sent.
  if (deed.training ?? desk.training) said["X-Training"] = "1";
  return said;
}

export const asked = (path, options = {}) => call(root + path, headers(), options);

export function say(kind, text, title = words[kind], mark = "") {
  const answer = at("answer");
  answer.className = `answer ${kind}${mark && ` of-${mark}`}`;
  at("answer-sign").setAttribute("href", `#sign-${mark || kind}`);
  at("answer-title").textContent = title;
  at("answer-text").textContent = text;
  answer.hidden = false;
  if (kind !== "wait") reveal(answer);
  if (kind === "refused") signal(mark || "refused", loud());
}

// On a phone what is above or below the screen is as good as not there.
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function reveal(element, block = "nearest") {
  element.scrollIntoView({ block, behavior: still.matches ? "auto" : "smooth" });
}

export const signalled = (kind) => signal(kind, loud());

export function told(problem) {
  return words.problems[problem.code] ?? problem.title ?? words.refused;
}

// A refusal as the cashier sees it, by its code.
export function refuseBy(problem) {
  const known = KNOWN.includes(problem.code);
  const title = known ? `${words.refused} · ${words.refusals[problem.code]}` : words.refused;
  say("refused", told(problem), title, known ? problem.code : "");
}

export function refuse(field, text) {
  say("refused", text);
  field.setAttribute("aria-invalid", "true");
  field.focus({ preventScroll: !keyboard });
}

export function busy(yes) {
  desk.working = yes;
  page.classList.toggle("working", yes);
  for (const button of page.querySelectorAll("#card button, #slip button, #scan button, #refund, #goods-back, #undo button")) {
    button.disabled = yes || button.dataset.never === "";
  }
}

export function focus(element) {
  // On a phone the focus of a field would bring up its keyboard, over the camera.
  (keyboard || !element.matches("input") ? element : at("answer")).focus();
}

// Asks and says that it asks: { facts } or { refused } or, where nobody answered, { silent }.
export async function ask(path, body, text) {
  say("wait", text);
  busy(true);
  try {
    const answer = await asked(path, { body });
    if (answer.status === 200) return { facts: answer.facts };
    if (answer.facts.code === "shift-over") acts.lock();
    return { refused: answer.facts };
  } catch {
    return { silent: true };
  } finally {
    busy(false);
  }
}

// A card that is scanned while a question stands must not answer it: a scanner's Enter comes at once after its letters.
at("sure").addEventListener("keydown", (event) => {
  if (event.key.length === 1 && event.key !== " ") typed = event.timeStamp;
  if (event.key === "Enter" && event.timeStamp - typed < 500) event.preventDefault();
});

export function sure(question) {
  at("question").textContent = question;
  at("sure").returnValue = "no";
  typed = -Infinity;
  at("sure").showModal();
  return new Promise((done) => at("sure").addEventListener("close", () => done(at("sure").returnValue === "yes"), { once: true }));
}
