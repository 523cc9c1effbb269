// Where codes come from: the camera, a scanner that types, a scanner that typed behind what stood in a field.
import { Camera } from "./till-camera.js";
import { at } from "./till-draw.js";
import { desk, drawer, page, words } from "./till-stage.js";
import { lookUp } from "./till-card.js";

const SAME_CARD = 4000;

let seen = { text: "", at: -Infinity };

// Whether it was taken: nothing is while an answer is awaited, or a question stands.
export function scanned(texts) {
  if (!desk.counter || desk.working || drawer.get("pending") || document.querySelector("dialog[open]")) return false;
  const codes = texts.map((text) => text.trim().slice(0, 200)).filter(Boolean);
  if (codes.length) lookUp(codes);
  return codes.length > 0;
}

export function misplaced(field) {
  // A slow scanner, behind what stood there already.
  const found = /[A-Za-z]\d{1,3}\.[\w.]{10,}$/.exec(field.value.trim());
  if (!found) return false;
  field.value = field.value.slice(0, found.index);
  scanned([found[0]]);
  return true;
}

export const camera = new Camera(
  at("video"),
  { script: page.dataset.reader, wasm: page.dataset.wasm },
  (text) => {
    // The card that was just served may still lie before the camera.
    const again = text === seen.text && performance.now() - seen.at < SAME_CARD;
    // One that came while nothing is taken is read anew as soon as something is.
    if (again || scanned([text])) seen = { text, at: performance.now() };
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

// Whether the camera looks for codes; `fresh` when the card before it was served this moment.
export function watch(yes, fresh = false) {
  if (fresh) seen.at = performance.now();
  camera.watching = yes;
  page.classList.toggle("serving", !yes);
}
