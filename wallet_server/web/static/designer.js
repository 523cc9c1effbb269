// The live form: what is typed is kept as a draft, and the card beside it follows. Without this script the buttons of
// the form do the same.
const form = document.getElementById("designer");
const kept = document.getElementById("kept");
const says = document.getElementById("says");
const conflict = document.getElementById("conflict");
const shown = document.getElementById("shown");
const PAUSE = 450;
const SPOKEN_PAUSE = 1500;
const GIVE_UP = 15000;

let waiting = null;
let speaking = null;
let running = false;
let again = null;
let leaving = null;

document.documentElement.classList.add("scripted");

function field(name) {
  return form.querySelector(`input[type="hidden"][name="${name}"]`);
}

function body(action, picture) {
  const data = new FormData(form);
  if (!picture) data.delete("picture");
  data.set("do", action);
  return data;
}

async function send(action = "live", picture = false) {
  clearTimeout(waiting);
  if (running) {
    // What is typed while an answer is on its way goes with the next one; a picture or a button is never forgotten.
    if (!again || action !== "live") again = [action, picture];
    return;
  }
  running = true;
  shown.setAttribute("aria-busy", "true");
  kept.textContent = form.dataset.saving;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: body(action, picture),
      headers: { "X-Part": "live", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content, Accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(GIVE_UP),
    });
    if (!answer.headers.get("Content-Type")?.includes("json")) {
      kept.textContent = form.dataset.gone;
      return;
    }
    await take(await answer.json());
  } catch (fault) {
    kept.textContent = fault instanceof TypeError && navigator.onLine ? form.dataset.gone : form.dataset.offline;
  } finally {
    running = false;
    shown.setAttribute("aria-busy", "false");
    if (leaving) {
      const button = leaving;
      leaving = again = null;
      form.requestSubmit(button);
    } else if (again) {
      const [next, withPicture] = again;
      again = null;
      send(next, withPicture);
    }
  }
}

async function take(news) {
  if (news.moved) {
    conflict.innerHTML = news.moved;
    kept.textContent = "";
    return;
  }
  conflict.replaceChildren();
  field("revision").value = news.revision;
  await Promise.all(news.palettes.map(palette));
  for (const [id, html] of Object.entries(news.parts)) put(id, html);
  for (const [name, note] of Object.entries(news.notes)) {
    put(`note-${name}`, note.html);
    const input = form.querySelector(`[aria-describedby="note-${name}"]`);
    if (input) note.wrong ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
  }
  kept.textContent = form.dataset.saved;
  clearTimeout(speaking);
  speaking = setTimeout(() => says.textContent === news.says || (says.textContent = news.says), SPOKEN_PAUSE);
}

// Only what differs is put in, so that the focus and a reader's place stay where they are.
const last = new Map();
function put(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const key = html.replace(/ checked/g, "");
  if (last.get(id) === key) return;
  last.set(id, key);
  if (place.contains(document.activeElement) && document.activeElement.tagName === "BUTTON") document.getElementById("picture").focus();
  place.innerHTML = html;
}

function palette(address) {
  if (document.querySelector(`link[href="${CSS.escape(address)}"]`)) return null;
  return new Promise((done) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = address;
    sheet.onload = sheet.onerror = done;
    document.head.append(sheet);
  });
}

form.addEventListener("input", (event) => {
  if (event.target.name === "colour") document.getElementById("own").checked = true;
  if (event.target.type === "file") return;
  clearTimeout(waiting);
  waiting = setTimeout(send, PAUSE);
});

document.getElementById("picture").addEventListener("change", async (event) => {
  if (!event.target.files.length) return;
  await send("live", true);
  event.target.value = "";
});

form.addEventListener("submit", (event) => {
  const action = event.submitter?.value;
  if (action === "publish") {
    clearTimeout(waiting);
    if (running) {
      // The answer on its way brings the revision that this one builds on.
      event.preventDefault();
      leaving = event.submitter;
    }
    return;
  }
  event.preventDefault();
  const { fills, with: text } = event.submitter?.dataset ?? {};
  if (fills) {
    // What is offered is taken: it stands in its field, which the person may go on from.
    form.elements[fills].value = text;
    form.elements[fills].focus();
  }
  send(fills || action === "preview" || !action ? "live" : action);
});

// A page that the browser kept may hold an old revision; after a refusal the list of what is missing is read first.
addEventListener("pageshow", (event) => event.persisted && location.reload());
document.getElementById("not-yet")?.focus();

// Who types before this script is there is heard all the same.
if ([...form.elements].some((one) => ["text", "number", "textarea"].includes(one.type) && one.value !== one.defaultValue)) send();
