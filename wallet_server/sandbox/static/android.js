// The Android phones of the sandbox page: their passes come as fragments of HTML, drawn by the sandbox itself.
import { drawAlerts, drawEvents, find, fromTemplate, setText, tick } from "./phone.js";

const PAGE = 12;
const TURN_MILLISECONDS = 5000;
const byId = (id) => document.getElementById(id);

export function androids({ ask, during, say, toast, words }) {
  const drawn = new Map();
  let wanted = PAGE;
  let total = 0;
  let seen = -1;
  let listing = false;
  let again = false;

  function make(phone, owner) {
    const element = fromTemplate("android-template");
    element.setAttribute("aria-label", owner);
    find(element, ".owner").textContent = owner;
    find(element, ".screen").style.setProperty("--hue", String(20 + parseInt(phone.id.slice(0, 4), 16) % 150));
    element.seen = new Set();
    element.html = new Map();
    for (const button of element.querySelectorAll(".buttons [data-deed]")) {
      button.addEventListener("click", () => during(button, async () => {
        if (button.dataset.deed === "discard") await ask("DELETE", `/androids/${phone.id}`);
        else await ask("POST", `/androids/${phone.id}/${button.dataset.deed}`);
        await list();
      }));
    }
    const form = find(element, "form");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await open(phone.id, form.url.value, find(form, "button"))) form.url.value = "";
    });
    return element;
  }

  function open(id, url, button) {
    return during(button, async () => {
      await ask("POST", `/androids/${id}/open`, { url });
      toast(words.opened);
      await list();
      return true;
    });
  }

  function draw(element, phone) {
    const network = find(element, ".network");
    setText(network, phone.online ? words.networked : words.unnetworked);
    network.dataset.online = String(phone.online);
    find(element, '[data-deed="offline"]').hidden = !phone.online;
    find(element, '[data-deed="online"]').hidden = phone.online;
    tick(element);
    find(element, ".no-cards").hidden = phone.passes.length > 0;
    const ids = new Set(phone.passes.map((pass) => pass.id));
    for (const card of element.querySelectorAll(".gcard")) {
      if (!ids.has(card.dataset.card)) {
        card.remove();
        element.html.delete(card.dataset.card);
      }
    }
    for (const pass of phone.passes) drawCard(element, phone.id, pass);
    drawAlerts(element, phone);
    drawEvents(element, phone);
  }

  // A fragment takes the place of the one before only when something on it changed; what was open stays open.
  function drawCard(element, phone, pass) {
    if (element.html.get(pass.id) === pass.html) return;
    element.html.set(pass.id, pass.html);
    const holder = document.createElement("template");
    holder.innerHTML = pass.html;
    const card = holder.content.firstElementChild;
    card.style.setProperty("--background", card.dataset.background);
    const before = find(element, `.gcard[data-card="${pass.id}"]`);
    if (before) {
      find(card, "details").open = find(before, "details").open;
      const values = new Map([...before.querySelectorAll("[data-key]")].map((box) => [box.dataset.key, box.textContent]));
      for (const box of card.querySelectorAll("[data-key]")) {
        if (values.has(box.dataset.key) && values.get(box.dataset.key) !== box.textContent) box.classList.add("changed");
      }
      before.replaceWith(card);
    } else {
      find(element, ".cards").append(card);
    }
    const place = `/androids/${phone}/cards/${pass.id}`;
    const remove = find(card, '[data-deed="remove"]');
    remove.addEventListener("click", () => during(remove, async () => {
      await ask("POST", `${place}/remove`);
      await list();
    }));
    const box = find(card, "input");
    box.addEventListener("change", () => during(box, () => ask("POST", `${place}/settings`, { notifications: box.checked })));
  }

  async function list() {
    if (listing) {
      again = true;
      return;
    }
    listing = true;
    try {
      const found = await ask("GET", `/androids?limit=${wanted}`);
      total = found.total;
      const ids = found.phones.map((phone) => phone.id);
      for (const [id, element] of drawn) {
        if (!ids.includes(id)) {
          element.remove();
          drawn.delete(id);
        }
      }
      found.phones.forEach((phone, place) => {
        if (!drawn.has(phone.id)) drawn.set(phone.id, make(phone, phone.name || say(words.android_nameless, { number: total - place })));
        const shelf = byId("android-shelf");
        const element = drawn.get(phone.id);
        if (shelf.children[place] !== element) shelf.insertBefore(element, shelf.children[place] ?? null);
      });
      byId("no-androids").hidden = total > 0;
      byId("more-androids").hidden = total <= ids.length;
      setText(byId("androids-count"), total ? say(words.androids, { shown: ids.length, total }) : "");
      for (const id of ids) draw(drawn.get(id), await ask("GET", `/androids/${id}`));
    } catch {
      // A phone was thrown away meanwhile, or the sandbox is gone: the next state tells.
    } finally {
      listing = false;
    }
    if (again) {
      again = false;
      await list();
    }
  }

  // Redraw when something happened since the last time.
  async function follow(state) {
    const select = byId("google");
    if (document.activeElement !== select) select.value = state.mode;
    setText(byId("google-counts"), say(words.google_counts, state));
    if (state.changes === seen && state.phones === total) return;
    seen = state.changes;
    await list();
  }

  // A link that was handed over goes onto the newest phone; where there is none, onto a new one.
  async function take(url) {
    try {
      let { phones: [phone] } = await ask("GET", "/androids?limit=1");
      phone ??= await ask("POST", "/androids", { language: document.documentElement.lang });
      await ask("POST", `/androids/${phone.id}/open`, { url });
      await list();
      toast(words.opened);
      drawn.get(phone.id)?.scrollIntoView({ block: "start" });
    } catch (error) {
      toast(say(words.failed, { reason: error.message }));
    }
  }

  byId("add-android").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    during(form.querySelector("button"), async () => {
      await ask("POST", "/androids", { name: form.name.value.trim(), language: form.language.value });
      form.name.value = "";
      await list();
    });
  });
  byId("more-androids").addEventListener("click", (event) => during(event.target, async () => {
    wanted = Math.min(wanted + PAGE, 100);
    await list();
  }));
  byId("google").addEventListener("change", (event) => during(event.target, () => ask("POST", "/google", { mode: event.target.value })));
  setInterval(() => {
    for (const image of document.querySelectorAll("img[data-rotates]")) {
      const address = new URL(image.src);
      address.searchParams.set("at", String(Date.now()));
      image.src = address.href;
    }
  }, TURN_MILLISECONDS);

  return { list, follow, take };
}
