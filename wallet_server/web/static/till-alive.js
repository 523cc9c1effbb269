// The page on a home screen: it opens without a network, and a newer version takes over between two customers.
import { at } from "./till-draw.js";
import { desk, drawer, page, root } from "./till-stage.js";

const EVERY = 3600 * 1000;

let newer = false;

// Nothing is lost by starting anew: no card lies there, no answer is awaited, nobody is typing or asked.
const idle = () => !desk.holder && !desk.working && !drawer.get("pending") && !at("code").value && !document.querySelector("dialog[open]");

export function renew() {
  if (newer && idle()) location.reload();
}

export async function stayAlive() {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return;
  let kept = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    newer ||= kept;
    kept = true;
    page.dataset.shell = "kept";
    renew();
  });
  try {
    const options = { scope: `${root}/till`, updateViaCache: "none" };
    const registered = await navigator.serviceWorker.register(`${root}/till/worker.js`, options);
    if (kept) page.dataset.shell = "kept";
    setInterval(() => registered.update().catch(() => {}), EVERY);
    addEventListener("online", () => registered.update().catch(() => {}));
  } catch {
    // Without it the page is one that needs its network to open; all else works.
  }
}
