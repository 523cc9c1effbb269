// Keeps what is shown as the books have it, and tells the page around how high it stands and what it is called.
const EVERY = 15000;
const WAIT = 10000;

const shown = document.querySelector("main");
let timer = 0;

function tell() {
  // To whoever frames it: a height and a title are no secret.
  const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
  parent.postMessage({ widget: "size", height, title: document.title }, "*");
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(WAIT) });
    if (answer.status === 404) return; // its time is over: what was shown stays
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // without a network what was shown stays, and is asked for again
  }
  timer = setTimeout(look, EVERY);
}

function swap(page) {
  const fresh = page.querySelector("main");
  if (fresh.innerHTML === shown.innerHTML && fresh.className === shown.className) return;
  for (const sheet of page.querySelectorAll("link[rel=stylesheet]")) {
    const address = sheet.getAttribute("href");
    if (!document.querySelector(`link[href="${address}"]`)) document.head.append(document.importNode(sheet));
  }
  shown.className = fresh.className;
  shown.replaceChildren(...fresh.childNodes);
}

new ResizeObserver(tell).observe(document.documentElement);
tell();
if (shown.className) {
  document.addEventListener("visibilitychange", look);
  timer = setTimeout(look, EVERY);
}
