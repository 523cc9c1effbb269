// Passkeys: asks the server for a question, the browser for its answer, and goes where the server says.
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function send(address, token, body) {
  const remember = document.getElementById("remember");
  const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
  if (remember && remember.checked) headers["X-Remember"] = "yes";
  const answer = await fetch(address, { method: "POST", headers, body, credentials: "same-origin", cache: "no-store" });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.fault);
  return told;
}

function withBytes(list) {
  return (list || []).map((one) => ({ ...one, id: toBytes(one.id) }));
}

async function enter(question) {
  const { response, rawId, id, type } = await navigator.credentials.get({
    publicKey: {
      ...question,
      challenge: toBytes(question.challenge),
      allowCredentials: withBytes(question.allowCredentials),
    },
  });
  return {
    id,
    type,
    rawId: toText(rawId),
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      authenticatorData: toText(response.authenticatorData),
      signature: toText(response.signature),
      userHandle: response.userHandle ? toText(response.userHandle) : null,
    },
  };
}

async function make(question) {
  const { response, rawId, id, type } = await navigator.credentials.create({
    publicKey: {
      ...question,
      challenge: toBytes(question.challenge),
      user: { ...question.user, id: toBytes(question.user.id) },
      excludeCredentials: withBytes(question.excludeCredentials),
    },
  });
  const seen = { clientDataJSON: toText(response.clientDataJSON), attestationObject: toText(response.attestationObject) };
  return { id, type, rawId: toText(rawId), response: seen };
}

function prepare(button) {
  const { passkey, question, answer, token, failed } = button.dataset;
  const fault = document.querySelector("[data-passkey-fault]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    fault.hidden = true;
    try {
      const asked = await send(question, token, "");
      const given = await (passkey === "make" ? make(asked) : enter(asked));
      const name = document.getElementById("passkey-name");
      const address = name ? `${answer}?${new URLSearchParams({ name: name.value })}` : answer;
      const told = await send(address, token, JSON.stringify(given));
      if (told.next === location.pathname + location.search + location.hash) location.reload();
      else location.assign(told.next);
    } catch (refused) {
      // What the browser itself refuses, or the person, has names of its own; the server speaks in sentences.
      fault.textContent = refused instanceof DOMException || !refused.message ? failed : refused.message;
      fault.hidden = false;
      button.disabled = false;
    }
  });
}

if (window.PublicKeyCredential && navigator.credentials) {
  for (const shown of document.querySelectorAll("[data-passkey-shown]")) shown.hidden = false;
  for (const missing of document.querySelectorAll("[data-passkey-missing]")) missing.hidden = true;
  for (const button of document.querySelectorAll("[data-passkey]")) prepare(button);
}
