// The card, or the coupon, that lies at the till: looked up, shown, and taken from the page again.
import { drawCoupon } from "./till-coupon.js";
import { at, drawRewards, drawStamps, fill, money, product, signal, unit } from "./till-draw.js";
import { acts, ask, asked, desk, focus, keyboard, language, loud, page, refuseBy, say, words } from "./till-stage.js";

export async function refresh(code) {
  if (!code) return;
  if (acts.down()) return clear();
  try {
    const answer = await asked("/v1/lookups", { body: { code, language } });
    if (answer.status === 200) return showSeen(code, answer.facts);
  } catch {
    // Said where it matters: by the next thing that is asked.
  }
  clear();
}

// The readings of one scan, likelier first: a scanner that is set to another keyboard garbles the first.
export async function lookUp(texts) {
  const article = texts.find(product);
  if (article && acts.article(article)) return;
  const before = desk.holder;
  if (!acts.billed()) clear();
  at("code").value = texts[0];
  let found = {};
  for (const code of texts) {
    found = acts.down() ? { silent: true } : await ask("/v1/lookups", { code, language }, words.looking);
    if (found.facts) {
      if (!desk.counter.programmes[found.facts.programme]) await acts.recount();
      if (found.facts.coupon && before?.member === found.facts.member && acts.slip(code, found.facts.coupon)) return;
      return seen(code, found.facts);
    }
    if (found.refused?.code !== "unreadable-code") break;
  }
  clear();
  if (found.silent) acts.lost();
  if (found.silent && (await acts.serve(texts))) return acts.watch(!desk.holder);
  if (found.refused?.code === "unreadable-code" && article) say("refused", words.product, words.no_loyalty, "product");
  else if (found.refused) refuseBy(found.refused);
  else say("unclear", words.no_network);
  acts.watch(true);
  if (found.refused?.code === "unauthenticated") return acts.locked();
  if (keyboard) at("code").select();
}

function seen(code, facts) {
  acts.recountSoon();
  at("code").value = code;
  showSeen(code, facts);
  if (facts.coupon) return slipFound(facts.coupon);
  say("ok", [facts.tier_name, facts.sentence].filter(Boolean).join(" · "), words.found);
  signal("ok", loud());
  return focus(firstThingToDo());
}

export function clear() {
  desk.holder = desk.slip = null;
  at("card").hidden = at("slip").hidden = true;
  at("next").hidden = true;
  acts.billGone();
}

function showSeen(code, facts) {
  acts.seen(code, facts);
  show(code, facts);
}

// `more` is what else is known of a card that this device read by itself.
export function show(code, facts, more = {}) {
  at("promise").hidden = true;
  at("card").hidden = Boolean(facts.coupon);
  at("slip").hidden = !facts.coupon;
  at("next").hidden = false;
  at("next").classList.remove("primary");
  acts.watch(false);
  acts.billGone();
  if (!facts.coupon) return showCard(code, facts, more);
  desk.holder = null;
  desk.slip = code;
  acts.offer();
  drawCoupon(facts.coupon, desk.counter.programmes[facts.programme], words);
  at("use").onclick = () => acts.use(code, facts.coupon);
}

// Green for one that is good; red for any other, so that nobody has to read what it is first.
function slipFound(coupon) {
  const good = coupon.state === "issued" && coupon.current;
  const why = good || coupon.state !== "issued" ? coupon.sentence : words.problems["coupon-replaced"];
  say(good ? "ok" : "refused", why, good ? words.coupon : words.coupon_bad);
  if (good) signal("ok", loud());
  focus(at(at("use").hidden ? "next" : "use"));
}

function showCard(code, facts, more) {
  const programme = desk.counter.programmes[facts.programme];
  desk.slip = null;
  desk.holder = { code, programme, named: facts.programme, member: facts.member, current: facts.card_spends, balances: facts.balances, ...more };
  acts.offer();
  acts.privileges(facts.privileges);
  acts.gestures(code, facts.gestures);
  acts.open(facts, programme);
  at("tier").textContent = facts.tier_name ?? "";
  at("balance").textContent = facts.sentence;
  drawStamps(at("stamps"), facts.stamps, words);
  at("progress").textContent = facts.progress ?? "";
  at("news").hidden = facts.promotions === null;
  at("quote").hidden = Boolean(more.offline);
  at("news").textContent = facts.promotions ? words.promotions : words.no_promotions;
  at("news").className = facts.promotions ? "mark yes" : "mark no";
  at("older").hidden = facts.card_spends;
  at("holder-code").textContent = code;
  at("amount-label").textContent = fill(words.money, { iso: programme.iso });
  at("minimum").hidden = !programme.minimum_minor;
  at("minimum").textContent = fill(words.minimum, { amount: money(programme.minimum_minor, programme) });
  // A stamp card's own sentence says what is missing for its reward.
  const rewards = facts.rewards.filter((reward) => reward.ready || !facts.progress);
  drawRewards(at("rewards"), rewards, programme, words, facts.card_spends, (reward) => acts.redeem(reward));
  const stamped = programme.gives === "item" || (programme.gives === "visit" && !programme.minimum_minor);
  at("sale").hidden = stamped;
  at("give").hidden = !stamped;
  at("several").hidden = programme.gives !== "item";
  at("spend").hidden = !programme.spendable || !facts.card_spends;
  at("comma").hidden = programme.exponent === 0;
  const several = unit(programme, 2);
  at("units-label").textContent = fill(words.to_spend, { units: several.charAt(0).toLocaleUpperCase(language) + several.slice(1) });
  at("plastic").hidden = Boolean(more.offline);
}

export function firstThingToDo() {
  return at(at("sale").hidden ? "one" : "amount");
}

export function next() {
  clear();
  at("code").value = "";
  acts.watch(true, true);
  say("ok", words.open, words.ready);
  focus(at("code"));
}
