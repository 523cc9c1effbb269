// The page that shows a pairing code: counts down, and says when a device took it. Asks for no longer than the code lives.
const place = document.querySelector("[data-pairing]");
const words = JSON.parse(place.dataset.words);
const part = (name) => place.querySelector(`[data-${name}]`);
const ends = performance.now() + Number(place.dataset.ends) * 1000;
const EVERY = 2000;
let over = false;

function finish(shown, text) {
  over = true;
  part("code").hidden = true;
  part("left").hidden = true;
  part("here").hidden = true;
  part(shown).hidden = false;
  if (text) part(shown).textContent = text;
  part("says").textContent = part(shown).textContent;
}

function count() {
  if (over) return;
  const left = Math.max(0, Math.round((ends - performance.now()) / 1000));
  part("left").textContent = words.left.replace("{time}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
  if (!left) return finish("over");
  setTimeout(count, 1000);
}

async function look() {
  if (over) return;
  try {
    const answer = await fetch(place.dataset.pairing, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (answer.ok && answer.headers.get("Content-Type")?.includes("json")) {
      const found = await answer.json();
      if (found.state === "used") return finish("used", words.used.replace("{device}", found.device ?? ""));
      if (found.state === "expired") return finish("over");
    }
  } catch {
    // The next look may be answered.
  }
  setTimeout(look, EVERY);
}

count();
look();
