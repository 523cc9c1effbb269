// Keeps the scan page at hand without a network: its pages and files, all of one version, and nothing else. What the
// service answers is never kept. The service writes `SHELL` above this: { version, page, files: { path: address } }.
/* global SHELL */
const CACHE = `till-${SHELL.version}`;
const LANGUAGES = ["fr", "en"];
const pageIn = (language) => `${SHELL.page}?lang=${language}`;

self.addEventListener("install", (event) => event.waitUntil(fill()));
self.addEventListener("activate", (event) => event.waitUntil(replace()));

async function fill() {
  const cache = await caches.open(CACHE);
  const wanted = [...LANGUAGES.map(pageIn), ...Object.values(SHELL.files)];
  await cache.addAll(wanted.map((address) => new Request(address, { cache: "reload" })));
  await self.skipWaiting();
}

async function replace() {
  const old = (await caches.keys()).filter((name) => name.startsWith("till-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

function spoken(address) {
  const asked = address.searchParams.get("lang");
  if (LANGUAGES.includes(asked)) return asked;
  const liked = navigator.languages.map((one) => one.slice(0, 2).toLowerCase());
  return liked.find((one) => LANGUAGES.includes(one)) ?? "en";
}

// The address under which it is kept; undefined for whatever is none of this.
function kept(request) {
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return undefined;
  if (request.mode === "navigate") return address.pathname === SHELL.page ? pageIn(spoken(address)) : undefined;
  const known = SHELL.files[address.pathname];
  // By the fingerprint of another version: that one is the network's.
  return known && (!address.search || known.endsWith(address.pathname + address.search)) ? known : undefined;
}

self.addEventListener("fetch", (event) => {
  const address = kept(event.request);
  if (!address) return;
  const found = caches.match(address, { cacheName: CACHE, ignoreVary: true });
  event.respondWith(found.then((answer) => answer ?? fetch(event.request)));
});
