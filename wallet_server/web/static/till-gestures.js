// What is open to this customer at the till: the one thing to say first, what their level gives, what this cashier may say
// yes to with one touch, and the vouchers and offers that can be used now.
import { at, element, fill, money } from "./till-draw.js";
import { desk, language, words } from "./till-stage.js";
import { receipt, write } from "./till-write.js";

const MOST = 6;

// Black or white, whichever is read better on this colour (WCAG's relative luminance).
function ink(colour) {
  const [r, g, b] = [1, 3, 5].map((place) => {
    const part = parseInt(colour.slice(place, place + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

export function drawPrivileges(privileges = []) {
  at("privileges").replaceChildren(
    ...privileges.map(({ name, colour }) => {
      const made = element("li", {}, name);
      if (/^#[0-9a-f]{6}$/i.test(colour ?? "")) {
        made.style.backgroundColor = colour;
        made.style.color = ink(colour);
      }
      return made;
    }),
  );
  at("privileges").hidden = !privileges.length;
}

export function drawGestures(code, gestures = []) {
  at("gestures").replaceChildren(
    ...gestures.map((one) => {
      const left = Number.isInteger(one.left) ? ` ${fill(words.gestures_left, { left: one.left })}` : "";
      const why = reasons(one);
      const give = () => desk.working || write("gesture", "/v1/gestures", { code, gesture: one.gesture, ...(why && { reason: why.value }), reference: receipt() }, code);
      const button = element("button", { type: "button", class: "yes", click: give }, fill(words.say_yes, { title: one.title }));
      return element("li", {}, button, ...(why ? [why] : []), element("span", { class: "hint" }, `${one.sentence ?? ""}${left}`));
    }),
  );
  at("gestures").hidden = !gestures.length;
}

// One touch takes the first reason; another is chosen before.
function reasons({ title, reasons: known = [] }) {
  if (known.length < 2) return null;
  return element("select", { "aria-label": fill(words.reason_for, { title }) }, ...known.map((one) => element("option", { value: one.id }, one.name)));
}

export function drawOpen({ card_spends: spends, prompt, vouchers = [], offers = [] }, programme) {
  at("prompt").hidden = !prompt;
  at("prompt").textContent = prompt?.sentence ?? "";
  list("vouchers", spends ? alike(vouchers) : [], ([one, many]) => [element("strong", {}, many > 1 ? `${many} × ${one.title}` : one.title), details(one, programme)]);
  list("offers", offers, (one) => [element("strong", {}, one.title), ...(one.until ? [hint(until(one.until))] : [])]);
}

function list(id, items, parts) {
  const shown = items.slice(0, MOST).map((one) => element("li", {}, ...parts(one)));
  if (items.length > MOST) shown.push(element("li", { class: "hint" }, fill(words.more_of_them, { count: items.length - MOST })));
  at(id).replaceChildren(...shown);
  at(id).hidden = !shown.length;
}

// Vouchers that nobody could tell apart are one line.
function alike(vouchers) {
  const found = new Map();
  for (const one of vouchers) {
    const shown = JSON.stringify({ ...one, id: null });
    found.set(shown, [one, (found.get(shown)?.[1] ?? 0) + 1]);
  }
  return [...found.values()];
}

const hint = (text) => element("span", { class: "hint" }, text);
const until = (instant) => fill(words.until, { day: new Date(instant).toLocaleDateString(language, { dateStyle: "long" }) });

function details(one, programme) {
  const least = one.minimum_minor ? [fill(words.from_amount, { amount: money(one.minimum_minor, programme) })] : [];
  return hint([one.terms, ...least, ...(one.valid_to ? [until(one.valid_to)] : [])].join(" · "));
}
