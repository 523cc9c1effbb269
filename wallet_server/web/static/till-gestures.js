// What this cashier may say yes to for this customer, one touch each, and what the customer's level gives at the till.
import { at, element, fill } from "./till-draw.js";
import { desk, words } from "./till-stage.js";
import { receipt, write } from "./till-write.js";

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

export function drawPrompts(code, prompts = []) {
  at("prompts").replaceChildren(
    ...prompts.map((one) => {
      const left = Number.isInteger(one.left) ? ` ${fill(words.gestures_left, { left: one.left })}` : "";
      const why = reasons(one);
      const give = () => desk.working || write("gesture", "/v1/gestures", { code, gesture: one.gesture, ...(why && { reason: why.value }), reference: receipt() }, code);
      const button = element("button", { type: "button", class: "yes", click: give }, fill(words.say_yes, { title: one.title }));
      return element("li", {}, button, ...(why ? [why] : []), element("span", { class: "hint" }, `${one.sentence ?? ""}${left}`));
    }),
  );
  at("prompts").hidden = !prompts.length;
}

// One touch takes the first reason; another is chosen before.
function reasons({ title, reasons: known = [] }) {
  if (known.length < 2) return null;
  return element("select", { "aria-label": fill(words.reason_for, { title }) }, ...known.map((one) => element("option", { value: one.id }, one.name)));
}
