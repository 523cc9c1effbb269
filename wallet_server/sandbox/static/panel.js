// The sandbox page: follows the sandbox by server-sent events and draws each phone that is on the page.
import { androids } from "./android.js";
import { letters } from "./letters.js";
import { drawPhone, makePhone } from "./phone.js";

const words = JSON.parse(document.body.dataset.words);
const byId = (id) => document.getElementById(id);
const PAGE = 12;
const drawn = new Map();
const waiting = new Map(); // phones being asked for, and whether they changed meanwhile
let wanted = PAGE;
let total = 0;
let toastTimer = 0;

function say(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function toast(text) {
  byId("toast").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { byId("toast").textContent = ""; }, 6000);
}

async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch(path, options);
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error ?? answer.statusText);
  return content;
}

// Does something for a button: it is disabled meanwhile, and a failure is told in words.
async function during(button, work) {
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast(say(words.failed, { reason: error.message }));
    return undefined;
  } finally {
    button.disabled = false;
  }
}

async function redraw(id) {
  const known = drawn.get(id);
  if (!known) return;
  if (waiting.has(id)) {
    waiting.set(id, true);
    return;
  }
  waiting.set(id, false);
  try {
    const phone = await ask("GET", `/phones/${id}`);
    drawPhone(known, phone, words);
  } catch {
    // The phone was thrown away, or the sandbox is gone: the list and the connection tell.
  }
  const again = waiting.get(id);
  waiting.delete(id);
  if (again) redraw(id);
}

async function list() {
  const found = await ask("GET", `/phones?limit=${wanted}`);
  total = found.total;
  const ids = found.phones.map((phone) => phone.id);
  for (const [id, element] of drawn) {
    if (!ids.includes(id)) {
      element.remove();
      drawn.delete(id);
    }
  }
  found.phones.forEach((phone, place) => {
    if (!drawn.has(phone.id)) {
      const number = total - place;
      const element = makePhone(phone, phone.name || say(words.nameless, { number }), deeds(phone.id));
      drawn.set(phone.id, element);
    }
    const shelf = byId("shelf");
    const element = drawn.get(phone.id);
    if (shelf.children[place] !== element) shelf.insertBefore(element, shelf.children[place] ?? null);
  });
  byId("empty").hidden = total > 0;
  byId("more").hidden = total <= ids.length;
  byId("phones-count").textContent = total ? say(words.phones, { shown: ids.length, total }) : "";
  await Promise.all(ids.map(redraw));
}

// What the buttons of one phone do.
function deeds(id) {
  return {
    deed: (name, button) => during(button, async () => {
      if (name === "discard") {
        await ask("DELETE", `/phones/${id}`);
        await list();
      } else {
        await ask("POST", `/phones/${id}/${name}`);
      }
    }),
    open: (url, button) => during(button, async () => {
      await ask("POST", `/phones/${id}/open`, { url });
      toast(words.opened);
      return true;
    }),
    card: (card, name, button) => during(button, () => ask("POST", `/phones/${id}/cards/${card}/${name}`)),
    setting: (card, name, box) => during(box, () => ask("POST", `/phones/${id}/cards/${card}/settings`, { [name]: box.checked })),
  };
}

function showState(state) {
  for (const [name, value] of Object.entries(state.counters)) {
    const place = document.querySelector(`[data-counter="${CSS.escape(name)}"]`);
    if (place) place.textContent = value.toLocaleString(document.documentElement.lang);
  }
  if (state.server && byId("server-state")) {
    const pill = byId("server-state");
    const text = words.states[state.server.state] ?? state.server.state;
    if (pill.textContent !== text) pill.textContent = text;
    pill.dataset.state = state.server.state;
    byId("server-starts").textContent = say(words.starts, state.server);
  }
  if (state.apns && byId("apns") && document.activeElement !== byId("apns")) byId("apns").value = state.apns;
  if (state.phones !== total) list();
  if (state.android) rooms.follow(state.android);
  if (state.letters) boxes?.follow(state.letters);
}

function follow() {
  const stream = new EventSource("/events");
  let broken = false;
  stream.addEventListener("state", (event) => showState(JSON.parse(event.data)));
  stream.addEventListener("phones", (event) => {
    const { ids, lost } = JSON.parse(event.data);
    (lost ? [...drawn.keys()] : ids).forEach((id) => setTimeout(redraw, 30, id));
  });
  stream.onerror = () => {
    if (!broken) toast(words.lost);
    broken = true;
  };
  stream.onopen = () => {
    if (broken) toast(words.back);
    broken = false;
    list();
    rooms?.list();
  };
}

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  during(form.querySelector("button"), async () => {
    await ask("POST", "/phones", { name: form.name.value.trim(), language: form.language.value });
    form.name.value = "";
    await list();
  });
});
byId("more").addEventListener("click", (event) => during(event.target, async () => {
  wanted = Math.min(wanted + PAGE, 100);
  await list();
}));
byId("plug")?.addEventListener("click", (event) => during(event.target, async () => {
  await ask("POST", "/plug");
  toast(words.plugged);
}));
byId("apns")?.addEventListener("change", (event) => during(event.target, () => ask("POST", "/apns", { mode: event.target.value })));
byId("goodbye")?.addEventListener("click", (event) => during(event.target, () => ask("POST", "/apns", { mode: "goodbye" })));

const boxes = byId("letters") ? letters({ ask, during, words }) : null;
const rooms = byId("androids") ? androids({ ask, during, say, toast, words }) : null;

// The product's card page hands its card over in the address (`?card=`): it goes onto the newest phone, and out of the
// address. Only the product itself is believed, else a page elsewhere could make the phones fetch whatever it names.
async function handed() {
  if (rooms && location.pathname.startsWith("/gp/v/save/")) {
    const link = location.href;
    history.replaceState(null, "", "/");
    await rooms.take(link);
    return;
  }
  const asked = new URLSearchParams(location.search);
  const card = asked.get("card");
  if (!card) return;
  history.replaceState(null, "", location.pathname);
  try {
    const { links } = await ask("GET", "/state");
    if (new URL(card).origin !== new URL(links.base_url).origin) throw new Error(words.foreign);
    if (rooms && asked.get("wallet") === "google") {
      await rooms.take(card);
      return;
    }
    let { phones: [phone] } = await ask("GET", "/phones?limit=1");
    phone ??= await ask("POST", "/phones", { language: document.documentElement.lang });
    await ask("POST", `/phones/${phone.id}/open`, { url: card });
    await list();
    toast(words.opened);
    drawn.get(phone.id)?.scrollIntoView({ block: "start" });
  } catch (error) {
    toast(say(words.failed, { reason: error.message }));
  }
}

follow();
handed();
