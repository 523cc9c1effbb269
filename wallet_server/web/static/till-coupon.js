// Draws a coupon at the till: what it is good for, until when, and the one button, where it is still good.
import { at, fill, money } from "./till-draw.js";

// Day before month, as on the card.
const language = { en: "en-GB" }[document.documentElement.lang] ?? document.documentElement.lang;

// One that asks for a basket is used in the sale: nobody types here what that comes to.
export function drawCoupon(coupon, programme, words) {
  const good = coupon.state === "issued" && coupon.current;
  const asks = good && coupon.minimum_minor > 0;
  at("slip-title").textContent = coupon.title;
  at("slip-terms").textContent = coupon.terms;
  const day = coupon.valid_to && new Date(coupon.valid_to).toLocaleDateString(language, { dateStyle: "long" });
  at("slip-until").textContent = day ? fill(words.until, { day }) : words.no_end;
  at("slip-bad").hidden = good && !asks;
  at("slip-bad").textContent = asks ? fill(words.in_basket, { amount: money(coupon.minimum_minor, programme) }) : coupon.state === "issued" ? words.problems["coupon-replaced"] : words.problems[`coupon-${coupon.state}`];
  at("use").hidden = !good || asks;
}
