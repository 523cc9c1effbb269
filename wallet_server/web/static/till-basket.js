// The basket before it is sold: an amount or goods line by line, what it would come to, and what could be used with it.
import { at, counted, element, fill, minor, money, total } from "./till-draw.js";
import { acts, ask, desk, drawer, keyboard, language, focus, refuse, refuseBy, reveal, say, sure, words } from "./till-stage.js";
import { receipt, write } from "./till-write.js";

const MOST_LINES = 200;
const TIMES = 10;
const UNITS = 1000;
const LEAST_MINOR = 100000;
const QUANTITY = /^\d{1,6}(?:[.,]\d{1,3})?$/;

let goods = [];
let using = null;

// ------------------------------------------------------------------ goods, line by line

function row(line) {
  const label = (name) => fill(words.line_of[name], { n: goods.indexOf(line) + 1 });
  const field = (name, more) => {
    const made = element("input", { ...more, autocomplete: "off", spellcheck: "false", "aria-label": label(name), value: line[name] });
    made.addEventListener("input", () => {
      line[name] = made.value;
      sum();
    });
    line.fields = { ...line.fields, [name]: made };
    return made;
  };
  return element(
    "li",
    {},
    field("article", { maxlength: 80, placeholder: words.line.article, class: "article" }),
    field("quantity", { inputmode: "decimal", maxlength: 10, placeholder: "1" }),
    element("span", { "aria-hidden": "true" }, "×"),
    field("price", { inputmode: "decimal", maxlength: 14, placeholder: words.line.price }),
    element("button", { type: "button", "aria-label": label("remove"), click: () => drop(line) }, "✕"),
  );
}

function draw() {
  at("lines").replaceChildren(...goods.map(row));
  at("amount").readOnly = goods.length > 0;
  sum();
}

function drop(line) {
  goods = goods.filter((one) => one !== line);
  draw();
  focus(at("add-line"));
}

export function addLine(article = "") {
  if (goods.length >= MOST_LINES) return;
  const line = { article, quantity: "1", price: "" };
  goods.push(line);
  at("goods").open = true;
  draw();
  line.fields[article ? "price" : "article"].focus();
}

// A product that is scanned while a card is served goes into its basket. Once its sale was counted, the number may be that of
// the next customer's old card.
export function article(number) {
  if (!desk.holder || desk.holder.served || at("sale").hidden) return false;
  // A scanner that typed into a field left it as it was, without a word to anybody.
  for (const line of goods) for (const [name, field] of Object.entries(line.fields)) line[name] = field.value;
  const known = goods.find((line) => line.article === number);
  if (!known) addLine(number);
  else {
    known.quantity = String((Number(known.quantity) || 0) + 1);
    draw();
  }
  return true;
}

function sum() {
  billGone(true);
  if (!goods.length || !desk.holder) return;
  const { exponent } = desk.holder.programme;
  const total = goods.reduce((whole, line) => whole + Math.round((Number(line.quantity.replace(",", ".")) || 0) * (minor(line.price, exponent) ?? 0)), 0);
  at("amount").value = (total / 10 ** exponent).toFixed(exponent);
}

// The basket as the service takes it; null after it was said what is wrong with it.
export function basket(programme) {
  if (!goods.length) {
    const amount = minor(at("amount").value, programme.exponent);
    return amount === null ? refuse(at("amount"), words.bad_amount) ?? null : { amount_minor: amount };
  }
  const lines = [];
  for (const line of goods) {
    const price = minor(line.price, programme.exponent);
    if (!QUANTITY.test(line.quantity.trim())) return refuse(line.fields.quantity, words.bad_quantity) ?? null;
    if (price === null) return refuse(line.fields.price, words.bad_amount) ?? null;
    const sku = line.article.trim();
    lines.push({ ...(sku && { sku }), quantity: Number(line.quantity.replace(",", ".")), unit_amount_minor: price });
  }
  return { lines };
}

// Asks once about an amount far above what this till sells: a barcode or a slip of the finger is no price.
export async function plausible(amount, programme) {
  const largest = Math.max(0, ...(drawer.get("sales") ?? []).map((sale) => sale.amount ?? 0));
  const bound = Math.max(TIMES * largest, UNITS * 10 ** programme.exponent, LEAST_MINOR);
  if (amount <= bound) return true;
  const { holder } = desk;
  const yes = await sure(fill(words.confirm_amount, { amount: money(amount, programme) }));
  if (!yes) at("amount").focus();
  return yes && desk.holder === holder;
}

// ------------------------------------------------------------------ the bill

export async function quote() {
  const { holder } = desk;
  if (!holder || desk.working) return;
  const sold = basket(holder.programme);
  if (!sold) return;
  using = { code: holder.code, sold, vouchers: [], rewards: [], pot: null };
  await price();
}

const lines = (sold) => sold.lines ?? [{ unit_amount_minor: sold.amount_minor }];

function uses() {
  const { vouchers, rewards, pot } = using;
  return { apply_deals: true, vouchers: vouchers.map((one) => one.id ?? one), rewards, ...(pot && { pot }) };
}

// Asks anew; what cannot be used is taken back, so that the bill always stands.
async function price(before = null) {
  const { code, sold } = using;
  const named = lines(sold).map((line) => (line.sku ? { ...line, name: line.sku } : line));
  const body = { code, currency: desk.holder.programme.iso, lines: named, ...uses(), language };
  const found = await ask("/v1/quotes", body, words.pricing);
  if (!using || !desk.holder) return;
  if (found.facts) return show(found.facts);
  if (found.refused) refuseBy(found.refused);
  else say("unclear", words.no_network);
  if (before) using = before;
  else billGone();
}

function change(changes) {
  const before = using;
  using = { ...using, ...changes };
  price(before);
}

function show(facts) {
  const { programme } = desk.holder;
  const paid = money(facts.to_pay_minor, programme);
  at("bill").hidden = false;
  at("sell").hidden = true;
  at("to-pay").textContent = paid;
  at("hints").replaceChildren(...facts.hints.map((hint) => element("li", {}, hint.sentence)));
  at("hints").hidden = !facts.hints.length;
  at("discounts").replaceChildren(...facts.discounts.map((one) => discount(one, facts, programme)));
  at("discounts").hidden = !facts.discounts.length;
  at("usable").replaceChildren(...facts.vouchers.map((one) => voucher(one, programme)), ...rewards(facts));
  at("nothing-usable").hidden = at("usable").childElementCount > 0 || Boolean(programme.pot);
  drawPot(facts, programme);
  at("earns").textContent = facts.earns.length ? facts.earns.map((one) => one.sentence).join(" ") : words.earns_nothing;
  at("count").textContent = fill(words.count, { amount: paid });
  say("ok", facts.sentence, words.priced);
  at("count").focus({ preventScroll: true });
  if (!keyboard) reveal(at("bill"), "start");
}

function discount(one, facts, programme) {
  const [kind, id] = one.by.split(/:(.*)/s);
  const known = { voucher: facts.vouchers, reward: facts.rewards }[kind]?.find((item) => [item.id, item.code].includes(id));
  const name = known?.title ?? known?.name ?? programme.deals[id]?.[language] ?? words.deal;
  return element("li", {}, element("span", {}, fill(words.off_line, { n: one.line, name })), element("strong", {}, `−${money(one.off_minor, programme)}`));
}

function box(checked, disabled, changed, ...content) {
  const input = element("input", { type: "checkbox", checked, disabled });
  input.addEventListener("change", () => changed(input.checked));
  return element("label", { class: "choice" }, input, element("span", {}, ...content));
}

const without = (list, one) => list.filter((other) => other !== one);

function voucher(one, programme) {
  const used = using.vouchers.includes(one.id);
  const why = one.fits ? one.terms : fill(words.from_amount, { amount: money(one.minimum_minor, programme) });
  const changed = (yes) => change({ vouchers: yes ? [...using.vouchers, one.id] : without(using.vouchers, one.id) });
  return box(used, !one.fits && !used, changed, element("strong", {}, one.title), ` ${why}`);
}

function rewards(facts) {
  const units = (reward) => counted(reward.cost.amount, desk.holder.programme);
  return facts.rewards
    .filter((reward) => desk.holder.current && (reward.ready || using.rewards.includes(reward.code)))
    .map((reward) => {
      const changed = (yes) => change({ rewards: yes ? [...using.rewards, reward.code] : without(using.rewards, reward.code) });
      const cost = reward.cost.currency === desk.holder.programme.currency ? ` ${fill(words.costs, { units: units(reward) })}` : "";
      return box(using.rewards.includes(reward.code), false, changed, element("strong", {}, reward.name), cost);
    });
}

function drawPot(facts, programme) {
  const there = facts.balances[programme.pot] ?? 0;
  at("pot").hidden = !programme.pot || !(there || facts.pot_minor);
  at("pot-label").textContent = fill(words.pot, { amount: money(there, programme) });
  at("pot-part").value = facts.pot_minor ? (facts.pot_minor / 10 ** programme.exponent).toFixed(programme.exponent) : "";
  at("pot-none").hidden = !facts.pot_minor;
}

export function fromPot(all) {
  if (!using || desk.working) return;
  if (all) return change({ pot: {} });
  const part = minor(at("pot-part").value, desk.holder.programme.exponent);
  if (part === null) return refuse(at("pot-part"), words.bad_amount);
  change({ pot: { amount_minor: part } });
}

export const potNone = () => using && change({ pot: null });

// A coupon that is scanned while the bill stands is used with it.
export function slip(code, coupon) {
  if (!using || coupon.state !== "issued" || !coupon.current) return false;
  if (using.vouchers.includes(coupon.id)) return true;
  change({ vouchers: [...using.vouchers, coupon.id] });
  return true;
}

export const billed = () => using !== null;

export function billGone(kept = false) {
  using = null;
  at("bill").hidden = true;
  at("sell").hidden = false;
  if (kept) return;
  goods = [];
  at("goods").open = false;
  at("lines").replaceChildren();
  at("amount").readOnly = false;
}

export async function count() {
  const counting = using;
  if (!using || desk.working || !(await plausible(total(using.sold), desk.holder.programme)) || using !== counting) return;
  const { code, sold } = using;
  const body = { code, receipt: receipt(), currency: desk.holder.programme.iso, ...sold, ...uses() };
  write("sale", "/v1/sales", body, code);
}

Object.assign(acts, { article, slip, billed, billGone });
