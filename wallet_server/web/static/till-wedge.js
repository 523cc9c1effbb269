// Scanners that type: they strike their keys faster than any hand, end with Enter, and type into whatever has the focus.
// Many are set to an American keyboard whatever the computer's is; so each stroke is also read by its place on the
// keyboard, and the caller gets both readings.
const GAP = 100;
const FEWEST = 6;
const PLACES = { Period: ".>", Minus: "-_", Slash: "/?", Equal: "=+", Comma: ",<", Semicolon: ";:", Space: "  " };
const ABOVE = ")!@#$%^&*(";
const EDITABLE = "input:not([type=checkbox]), textarea, select";

// The character that an American keyboard has in the place of this key.
function american(event) {
  const { code, shiftKey, key } = event;
  if (/^Key[A-Z]$/.test(code)) return shiftKey || event.getModifierState("CapsLock") ? code[3] : code[3].toLowerCase();
  if (/^Digit\d$/.test(code)) return shiftKey ? ABOVE[Number(code[5])] : code[5];
  if (/^Numpad\d$/.test(code)) return code[6];
  return PLACES[code]?.[shiftKey ? 1 : 0] ?? key;
}

// `scanned(texts)` gets the readings, likelier first; `isCode(text)` tells our own codes from other quick typing.
export function listen(target, isCode, scanned) {
  let strokes = [];
  let last = -Infinity;
  let before = null;

  function start(field) {
    strokes = [];
    before = field && { field, value: field.value };
  }

  target.addEventListener(
    "keydown",
    (event) => {
      if (event.isComposing || event.metaKey || (event.ctrlKey && !event.getModifierState("AltGraph"))) return start(null);
      const late = event.timeStamp - last > GAP;
      last = event.timeStamp;
      const field = event.target.matches?.(EDITABLE) ? event.target : null;
      if (event.key.length === 1) {
        if (late || !strokes.length) start(field);
        strokes.push([event.key, american(event)]);
        return;
      }
      // Whoever goes on to the next thing on the page typed by hand, however quick.
      if (event.key === "Tab") return start(null);
      if (event.key !== "Enter") return;
      const quick = !late && strokes.length >= FEWEST;
      const readings = [0, 1].map((n) => strokes.map((stroke) => stroke[n]).join("").trim());
      const texts = [...new Set(readings)].sort((one, other) => Number(isCode(other)) - Number(isCode(one)));
      const typed = before;
      start(null);
      // What was typed into a field and is no code of ours is the field's own matter.
      if (!quick || (field && !isCode(texts[0]))) return;
      event.preventDefault();
      event.stopPropagation();
      if (typed) typed.field.value = typed.value;
      scanned(texts);
    },
    true,
  );
}
