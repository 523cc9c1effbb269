// Draws one phone: made once from the templates, then brought up to date piece by piece, so that what did not change
// stays put for the eye, the keyboard focus and the screen reader.
export const find = (root, selector) => root.querySelector(selector);
const language = document.documentElement.lang;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setImage(element, address) {
  element.hidden = !address;
  if (address && element.getAttribute("src") !== address) element.src = address;
}

function time(date, withSeconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(withSeconds && { second: "2-digit" }) };
  return new Date(date).toLocaleTimeString(language, options);
}

export function makePhone(phone, owner, deeds) {
  const element = fromTemplate("phone-template");
  element.setAttribute("aria-label", owner);
  find(element, ".owner").textContent = owner;
  find(element, ".screen").style.setProperty("--hue", String(170 + parseInt(phone.id.slice(0, 4), 16) % 150));
  for (const button of element.querySelectorAll("[data-deed]")) {
    button.addEventListener("click", () => deeds.deed(button.dataset.deed, button));
  }
  const form = find(element, "form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await deeds.open(form.url.value, find(form, "button"))) form.url.value = "";
  });
  element.deeds = deeds;
  element.cards = new Map();
  element.seen = new Set();
  return element;
}

export function drawPhone(element, phone, words) {
  const network = find(element, ".network");
  setText(network, phone.online ? words.networked : words.unnetworked);
  network.dataset.online = String(phone.online);
  find(element, '[data-deed="offline"]').hidden = !phone.online;
  find(element, '[data-deed="online"]').hidden = phone.online;
  tick(element);
  drawCards(element, phone, words);
  drawAlerts(element, phone);
  drawEvents(element, phone);
}

export function tick(element) {
  const now = time(Date.now());
  setText(find(element, ".clock"), now);
  setText(find(element, ".clock-small"), now);
}
setInterval(() => document.querySelectorAll(".phone").forEach(tick), 10000);

// Only new alerts are added, at the top: a screen reader reads these and nothing twice.
export function drawAlerts(element, phone) {
  const list = find(element, ".alerts");
  const icons = new Map(phone.passes.map((pass) => [pass.id, pass.images?.icon]));
  for (const alert of [...phone.lock_screen].reverse()) {
    const name = `${alert.at} ${alert.card}`;
    if (element.seen.has(name)) continue;
    element.seen.add(name);
    const item = make("li");
    const icon = icons.get(alert.card) ? make("img") : make("span", "blank");
    if (icons.get(alert.card)) {
      icon.alt = "";
      icon.src = icons.get(alert.card);
    }
    item.append(icon, make("strong", "", alert.title), make("time", "", time(alert.at)), make("p", "", alert.text));
    list.prepend(item);
  }
  while (list.children.length > 4) list.lastElementChild.remove();
}

export function drawEvents(element, phone) {
  const items = phone.events.map((event) => {
    const item = make("li");
    item.append(make("time", "", time(event.at, true)), make("span", "", `${event.kind}: ${event.text}`));
    return item;
  });
  find(element, ".events").replaceChildren(...items);
}

function drawCards(element, phone, words) {
  find(element, ".no-cards").hidden = phone.passes.length > 0;
  const ids = new Set(phone.passes.map((pass) => pass.id));
  for (const [id, card] of element.cards) {
    if (!ids.has(id)) {
      card.remove();
      element.cards.delete(id);
    }
  }
  for (const pass of phone.passes) {
    let card = element.cards.get(pass.id);
    if (!card) {
      card = makeCard(pass, element.deeds);
      element.cards.set(pass.id, card);
      find(element, ".cards").append(card);
    }
    drawCard(card, pass, words);
  }
}

function makeCard(pass, deeds) {
  const card = fromTemplate("card-template");
  const flip = find(card, ".flip");
  flip.addEventListener("click", () => {
    const turned = card.classList.toggle("turned");
    find(card, ".front").hidden = turned;
    find(card, ".back").hidden = !turned;
    flip.setAttribute("aria-pressed", String(turned));
    flip.textContent = turned ? flip.dataset.front : flip.dataset.flip;
  });
  for (const button of card.querySelectorAll("[data-card]")) {
    button.addEventListener("click", () => deeds.card(pass.id, button.dataset.card, button));
  }
  for (const box of card.querySelectorAll("input")) {
    box.addEventListener("change", () => deeds.setting(pass.id, box.name, box));
  }
  return card;
}

function drawCard(card, pass, words) {
  card.setAttribute("aria-label", pass.description);
  card.classList.toggle("is-voided", pass.voided);
  for (const [part, colour] of Object.entries(pass.colours)) {
    if (colour) card.style.setProperty(`--${part}`, colour);
  }
  const poster = pass.style === "posterGeneric";
  card.dataset.style = pass.style;
  setImage(find(card, ".logo"), (poster && pass.images.primaryLogo) || pass.images.logo);
  setText(find(card, ".logo-text"), pass.logo_text);
  const behind = poster ? (pass.images.artwork ?? pass.images.background) : pass.images.background;
  setImage(find(card, ".poster"), behind);
  setImage(find(card, ".strip > img"), poster ? "" : pass.images.strip);
  setImage(find(card, ".thumbnail"), poster ? "" : pass.images.thumbnail);
  find(card, ".strip").classList.toggle("bare", poster || !pass.images.strip);
  drawFields(find(card, ".header"), pass.fields.header);
  drawFields(find(card, ".first"), pass.fields.primary);
  drawFields(find(card, ".rest"), [...pass.fields.secondary, ...pass.fields.auxiliary]);
  drawFields(find(card, ".foot"), pass.fields.footer.slice(0, 1));
  find(card, ".strip").hidden = !pass.fields.primary.length && !pass.images.strip;
  drawActions(find(card, ".actions"), pass, words);
  find(card, ".voided").hidden = !pass.voided;
  drawCode(find(card, ".code"), pass, words);
  drawBack(card, pass, words);
}

function drawFields(row, fields) {
  const known = new Map([...row.children].map((box) => [box.dataset.key, box]));
  const boxes = fields.map((field) => {
    const box = known.get(field.key) ?? make("div");
    if (!box.dataset.key) {
      box.dataset.key = field.key;
      box.append(make("span", "label"), make("span", "value"));
    }
    setText(find(box, ".label"), field.label);
    const value = find(box, ".value");
    if (value.textContent && value.textContent !== field.value) highlight(box);
    setText(value, field.value);
    box.dataset.length = field.value.length > 20 ? "long" : field.value.length > 9 ? "middle" : "short";
    return box;
  });
  if (boxes.length !== row.children.length || boxes.some((box, place) => row.children[place] !== box)) {
    row.replaceChildren(...boxes);
  }
}

// Phones with iOS 27 have these under the card; a tap leads where the card says.
function drawActions(row, pass, words) {
  row.hidden = !pass.actions.length;
  const signature = JSON.stringify(pass.actions);
  if (row.dataset.drawn === signature) return;
  row.dataset.drawn = signature;
  row.replaceChildren(
    ...pass.actions.map((action) => {
      const button = make("a", "action", words.actions[action.kind] ?? action.kind);
      if (action.href) {
        button.href = action.href;
        button.rel = "noreferrer noopener";
        button.target = "_blank";
      }
      return button;
    }),
  );
}

function highlight(box) {
  box.classList.remove("changed");
  void box.offsetWidth; // starts the animation anew
  box.classList.add("changed");
}

function drawCode(figure, pass, words) {
  figure.hidden = !pass.code || pass.voided;
  if (figure.hidden) return;
  const image = find(figure, "img");
  setImage(image, pass.code.image);
  image.alt = words.code.replace("{message}", pass.code.message);
  setText(find(figure, "figcaption"), pass.code.image ? pass.code.alt : `${pass.code.format}: ${pass.code.message}`);
}

function drawBack(card, pass, words) {
  const back = find(card, ".back");
  setText(find(back, "h4"), pass.organisation);
  const facts = [...pass.fields.back, ...pass.fields.more].map((field) => [field.label, field.parts]);
  facts.push([words.serial, [{ text: pass.serial }]]);
  if (pass.updatable) facts.push([words.registered, [{ text: pass.registered ? words.yes : words.no }]]);
  const signature = JSON.stringify(facts);
  if (back.dataset.facts !== signature) {
    back.dataset.facts = signature;
    find(back, ".facts").replaceChildren(...facts.map(drawFact));
  }
  for (const box of back.querySelectorAll("input")) {
    if (!box.disabled) box.checked = pass[box.name];
  }
}

function drawFact([label, parts]) {
  const fact = make("div");
  const value = make("dd");
  for (const part of parts) {
    if (part.href) {
      const link = make("a", "", part.text);
      link.href = part.href;
      link.rel = "noreferrer noopener";
      link.target = "_blank";
      value.append(link);
    } else {
      value.append(part.text);
    }
  }
  fact.append(make("dt", "", label), value);
  return fact;
}
