// Goods that come back: the last sale whole, or lines or an amount of any sale that this device remembers.
import { at, clock, element, fill, minor, money } from "./till-draw.js";
import { acts, desk, drawer, refuse, sure, words } from "./till-stage.js";
import { receipt, write } from "./till-write.js";

export async function refund() {
  const last = drawer.get("sale");
  if (!last || !(await sure(fill(words.confirm_refund, { what: last.sentence })))) return at("refund").focus();
  write("refund", `/v1/sales/${last.id}/reversal`, {}, last.code);
}

const programmeOf = (sale) => desk.counter.programmes[sale.programme];
const sales = () => (drawer.get("sales") ?? []).filter(programmeOf);
const chosen = () => sales().find((sale) => sale.id === at("back-sale").value);

export function open() {
  const found = sales();
  if (!found.length || desk.working) return;
  at("back-sale").replaceChildren(...found.map((sale) => element("option", { value: sale.id }, `${clock(sale.at)} · ${sale.receipt} · ${sale.sentence}`)));
  draw();
  at("back").returnValue = "no";
  at("back").showModal();
}

// Of a sale with lines, how many of each come back; of any, an amount instead.
export function draw() {
  const sale = chosen();
  const lines = sale.lines.filter((line) => line.unit_amount_minor);
  at("back-lines").replaceChildren(
    ...lines.map((line) => {
      const n = sale.lines.indexOf(line) + 1;
      const name = line.sku ?? fill(words.line_number, { n });
      const left = fill(words.pieces_sold, { quantity: line.quantity, price: money(line.unit_amount_minor, programmeOf(sale)) });
      const input = element("input", { inputmode: "decimal", autocomplete: "off", maxlength: 10, value: "0", "data-line": n, "aria-label": fill(words.pieces_back, { name }) });
      return element("li", {}, element("span", {}, element("strong", {}, name), ` ${left}`), input);
    }),
  );
  at("back-lines").hidden = !lines.length;
  at("back-amount").value = "";
  at("back-amount-label").textContent = fill(lines.length ? words.or_amount : words.money, { iso: programmeOf(sale).iso });
}

export function take(event) {
  if (event.submitter?.value === "no") return;
  event.preventDefault();
  const sale = chosen();
  const lines = [];
  for (const input of at("back-lines").querySelectorAll("input")) {
    const quantity = Number(input.value.trim().replace(",", "."));
    if (!(quantity >= 0)) return refuse(input, words.bad_quantity);
    if (quantity) lines.push({ number: Number(input.dataset.line), quantity });
  }
  const amount = at("back-amount").value.trim() ? minor(at("back-amount").value, programmeOf(sale).exponent) : null;
  if (!lines.length && amount === null) return refuse(at("back-amount"), words.bad_amount);
  at("back").close("yes");
  const what = lines.length ? { lines } : { amount_minor: amount };
  write("goods", `/v1/sales/${sale.id}/refunds`, { reference: receipt(), ...what }, sale.code);
}

// What the customer gets in hand, and what of it went back to where it was paid from.
function owed({ amount_minor: amount, pot_minor: pot = 0, programme: id }) {
  const programme = desk.counter.programmes[id];
  if (!amount || !programme) return "";
  const said = { amount: money(amount - pot, programme), pot: money(pot, programme) };
  if (!pot) return fill(words.give_back, said);
  return fill(amount > pot ? words.give_back_both : words.give_back_pot, said);
}

Object.assign(acts, { owed });
