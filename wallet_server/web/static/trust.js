// Says whether this device trusts the server's certificate by now: a request over https either arrives or does not.
const place = document.querySelector("[data-trust]");

async function look() {
  let trusted = true;
  try {
    await fetch(`${place.dataset.trust}/health`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(5000) });
  } catch {
    trusted = false;
  }
  place.querySelector("[data-trusted]").hidden = !trusted;
  place.querySelector("[data-untrusted]").hidden = trusted;
}

if (place) {
  look();
  // Back from the device's settings: look again.
  document.addEventListener("visibilitychange", () => document.hidden || look());
}
