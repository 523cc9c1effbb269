// What the till shows: answers, the card, numbers. No text of its own but what the page brings along.
export const at = (id) => document.getElementById(id);
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const language = document.documentElement.lang;

// Hours as the country writes them, not as another one of the same language does.
export const clock = (when) => new Date(when).toLocaleTimeString({ en: "en-GB" }[language] ?? language, { hour: "2-digit", minute: "2-digit" });

// The same to the second, for a wait that is shorter than a minute.
export const moment = (when) => new Date(when).toLocaleTimeString({ en: "en-GB" }[language] ?? language);

export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "click") made.addEventListener("click", value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...content);
  return made;
}

// "12,50", "12.5" and "1 234.50" in the smallest unit; null for what is no amount.
export function minor(text, exponent) {
  const found = /^(\d{1,10})(?:[.,](\d+))?$/.exec(text.replace(/[\s\u00a0\u202f']/g, ""));
  if (!found || (found[2]?.length ?? 0) > exponent) return null;
  const amount = Number(found[1] + (found[2] ?? "").padEnd(exponent, "0"));
  return amount > 0 ? amount : null;
}

export function money(amount, programme) {
  const digits = programme.exponent;
  const shown = { style: "currency", currency: programme.iso, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return (amount / 10 ** digits).toLocaleString(language, shown);
}

// What a basket comes to before anything comes off it.
const priced = (line) => Math.round((line.unit_amount_minor ?? 0) * (line.quantity ?? 1));
export const total = ({ amount_minor: amount, lines = [] }) => amount ?? lines.reduce((sum, line) => sum + priced(line), 0);

// The name of what is collected, of one or of several, in the page's language where the programme speaks it.
export function unit(programme, units) {
  const spoken = programme.unit[language] ? language : Object.keys(programme.unit)[0];
  const [one, several] = programme.unit[spoken];
  return new Intl.PluralRules(spoken).select(units) === "one" ? one : several;
}

// "1 point", "20 points", in the page's language where the programme speaks it.
export function counted(units, programme) {
  const spoken = programme.unit[language] ? language : Object.keys(programme.unit)[0];
  return `${units.toLocaleString(spoken)} ${unit(programme, units)}`;
}

export function drawStamps(place, boxes, words) {
  place.hidden = !boxes;
  if (!boxes) return;
  const { filled, total } = boxes;
  place.replaceChildren(...Array.from({ length: total }, (_, n) => element("i", { class: n < filled ? "full" : "" }, n < filled ? "✓" : "")));
  place.setAttribute("aria-label", fill(words.stamps_of, { full: filled, total }));
}

// `have(reward)` is asked when a reward that waits is touched.
export function drawRewards(place, rewards, programme, words, may, have) {
  place.replaceChildren(
    ...rewards.map((reward) => {
      const { name } = reward;
      if (reward.ready) {
        const label = fill(words.redeem_reward, { reward: name });
        const many = reward.ready > 1 ? element("span", { class: "times" }, ` × ${reward.ready}`) : "";
        return element("li", {}, element("button", { type: "button", class: "reward", disabled: !may, "data-never": !may, click: () => have(reward) }, label, many));
      }
      if (!reward.missing) return element("li", { class: "hint" }, fill(reward.until ? words.later : words.gone, { reward: name }));
      const missing = fill(words.missing, { reward: name, missing: counted(reward.missing, programme) });
      return element("li", { class: "hint" }, missing);
    }),
  );
  place.hidden = !rewards.length;
}

let audio = null;

// What each answer sounds like: tones in Hz, one after the other. Each refusal has its own, all of them low or falling.
const SOUNDS = {
  ok: [880],
  refused: [220],
  again: [660, 440],
  proof: [660, 660],
  "other-merchant": [330, 220],
  "revoked-card": [220, 165, 110],
  "expired-card": [440, 330, 220],
  "test-card": [523, 262, 523],
  "unknown-card": [262, 262],
  "unreadable-code": [180, 180, 180],
  product: [330, 330],
};
const TONE = 0.16;
const SHAKES = { ok: 60, proof: [60, 60, 60] };

// A short sound and, on phones, a touch.
export function signal(kind, loud) {
  // Before anybody touched the page, browsers refuse it and say so aloud.
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(SHAKES[kind] ?? [90, 70, 90]);
  if (!loud) return;
  try {
    audio ??= new AudioContext();
    (SOUNDS[kind] ?? SOUNDS.refused).forEach((pitch, n) => {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + n * TONE;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.15, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + TONE * 0.95);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + TONE);
    });
  } catch {
    // A device without sound.
  }
}

// The number of an article (EAN-8, UPC-A, EAN-13, GTIN-14): its check digit fits. To scan it again helps nobody.
export function product(text) {
  const digits = text.replace(/\s/g, "");
  if (![8, 12, 13, 14].includes(digits.length) || !/^[0-9]+$/.test(digits)) return false;
  return [...digits].reverse().reduce((sum, digit, place) => sum + digit * (place % 2 ? 3 : 1), 0) % 10 === 0;
}
