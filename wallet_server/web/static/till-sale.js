// What a cashier does with a card: count a sale or a stamp, give a reward, spend units, take a coupon.
import { at, counted, fill, minor, total } from "./till-draw.js";
import { desk, focus, refuse, say, sure, words } from "./till-stage.js";
import { firstThingToDo } from "./till-card.js";
import { basket, billed, count, plausible } from "./till-basket.js";
import { misplaced } from "./till-scan.js";
import { receipt, write } from "./till-write.js";

export async function sell() {
  if (misplaced(at("amount"))) return;
  // What was quoted is what is counted: there is no second way beside it.
  if (billed()) return count();
  const { holder } = desk;
  if (!holder) return say("refused", words.no_card);
  const goods = basket(holder.programme);
  if (!goods || !(await plausible(total(goods), holder.programme))) return;
  const deals = Object.keys(holder.programme.deals).length ? { apply_deals: true } : {};
  write("sale", "/v1/sales", { code: holder.code, receipt: receipt(), currency: holder.programme.iso, ...goods, ...deals }, holder.code);
}

export function give(quantity) {
  if (!desk.holder || desk.working) return;
  const { code, programme } = desk.holder;
  const line = { ...programme.line, quantity, unit_amount_minor: 0 };
  write("sale", "/v1/sales", { code, receipt: receipt(), currency: programme.iso, lines: [line] }, code);
}

export async function redeem(reward) {
  const { code } = desk.holder;
  if (!(await sure(fill(words.confirm_reward, { reward: reward.name })))) return focus(firstThingToDo());
  write("redemption", "/v1/redemptions", { code, reward: reward.code, reference: receipt() }, code);
}

export async function use(code, coupon) {
  if (!(await sure(fill(words.confirm_coupon, { title: coupon.title })))) return at("use").focus();
  write("coupon", "/v1/coupon-uses", { code, reference: receipt() }, code);
}

// The number of an old card of plastic becomes this member's, with what was collected under it.
export async function linkOld() {
  const { holder } = desk;
  const number = at("plastic-number").value.trim();
  if (!holder) return say("refused", words.no_card);
  if (number.length < 4) return refuse(at("plastic-number"), words.problems["bad-number"]);
  if (!(await sure(fill(words.confirm_plastic, { number })))) return at("plastic-number").focus();
  write("plastic", "/v1/plastic-cards", { code: holder.code, number }, holder.code);
}

export async function spend() {
  if (misplaced(at("units"))) return;
  if (!desk.holder) return say("refused", words.no_card);
  const units = minor(at("units").value, 0);
  if (units === null) return refuse(at("units"), words.bad_units);
  const { code, programme } = desk.holder;
  if (!(await sure(fill(words.confirm_redeem, { units: counted(units, programme) })))) return at("units").focus();
  write("redemption", "/v1/redemptions", { code, amount: units, reference: receipt() }, code);
}
