// Keeps the card on the page as the books have it: asks whether it changed and swaps in what did.
const EVERY = 2000;
const HIDDEN = 30000;
const LONGEST = 60000;
const WAIT = 10000;

const page = document.querySelector("[data-card]");
const says = document.getElementById("says");
const linkState = document.getElementById("link-state");
const shown = new Map();
let tag = "";
let mark = page.dataset.mark;
let failures = 0;
let timer = 0;
let looking = false;

async function sheet(address) {
  const known = [...document.styleSheets].some((one) => one.href && new URL(one.href).pathname === address);
  if (known) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = address;
  await new Promise((done) => {
    link.onload = link.onerror = done;
    document.head.append(link);
  });
}

async function swap(card) {
  await sheet(card.palette);
  for (const [name, html] of Object.entries(card.parts)) {
    const place = document.getElementById(name);
    // Only what differs, so that a link that has the focus stays.
    if (shown.has(name) ? shown.get(name) !== html : card.mark !== mark) place.innerHTML = html;
    shown.set(name, html);
  }
  if (card.mark !== mark) {
    says.textContent = card.says;
    document.getElementById("front").firstElementChild?.classList.add("changed");
  }
  mark = card.mark;
  if (card.in_wallet) {
    const held = document.getElementById("held");
    // Said once, and not at the next change of the card.
    if (page.dataset.held === "no") says.textContent = held.textContent;
    if (page.dataset.held === "no") settled();
    page.dataset.held = "yes";
    held.hidden = false;
  }
}

// Nothing is left to do: what asked for it is said otherwise, and the ways to a phone are those to another one.
function settled() {
  const lead = document.getElementById("lead");
  if (lead) lead.textContent = lead.dataset.held;
  document.getElementById("gift")?.remove();
  const ways = document.getElementById("ways");
  const another = document.getElementById("another");
  if (!ways || !another) return;
  another.append(...ways.childNodes);
  ways.remove();
  another.hidden = false;
}

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(timer);
  if (await ask()) {
    const pause = document.hidden ? HIDDEN : Math.min(EVERY * 2 ** Math.min(failures, 6), LONGEST);
    timer = setTimeout(look, pause);
  }
  looking = false;
}

// Whether it is worth asking again: not when the link is no longer valid.
async function ask() {
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch(page.dataset.card, { headers, cache: "no-store", signal: AbortSignal.timeout(WAIT) });
    if (answer.status === 404) return false;
    if (answer.status === 200) {
      await swap(await answer.json());
      tag = answer.headers.get("ETag") ?? "";
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    failures = 0;
    linkState.textContent = page.dataset.live;
    linkState.className = "live";
  } catch {
    failures += 1;
    linkState.textContent = page.dataset.offline;
    linkState.className = "offline";
  }
  return true;
}

document.addEventListener("visibilitychange", () => document.hidden || look());
addEventListener("online", look);
look();
