// Reads the code on a card on this device, as the service does, and says whether the shop's own key signed it. What is
// known so is that the shop issued the card: not whether it was replaced or used since.
const BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const CHECK_PRIME = 1048573;
const CHECK_BASE = 1009;
const TYPED_PRIME = 1021;
const TYPED_BASE = 37;
const FORM = /^(1[1-9]\d{0,2})\.([0-9A-HJKMNP-TV-Z]{6})\.([0-9A-HJKMNP-TV-Z]{1,2})\.([0-9A-HJKMNP-TV-Z]{16})\.([1-9]\d{0,8})\.([0-9A-HJKMNP-TV-Z]{0,150})\.([0-9A-HJKMNP-TV-Z]{4})$/;
const SIGNATURE = { bytes: 64, letters: 103 };
const MOST = 200;
const TEST = "T";

const letters = (number, length) => Array.from({ length }, (_, place) => BASE32[Math.floor(number / 32 ** (length - 1 - place)) % 32]).join("");

function polynomial(text, alphabet, base, prime) {
  let total = 0;
  for (const letter of text) total = (total * base + alphabet.indexOf(letter) + 1) % prime;
  return (total * base) % prime;
}

// The full form: { mark, key, issue, signature, signed, stem }, or null. Lower case, blanks and O, I, L are forgiven, and
// the number that a phone changes every thirty seconds is left to the service.
function full(text) {
  const bare = text.trim().replace(/\*\d{8}$/, "");
  const plain = bare.replace(/\s/g, "").toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
  const found = FORM.exec(plain);
  if (!found || found[1] !== "11") return null;
  const [, , mark, key, reference, issue, signature, check] = found;
  if ((key === "0") !== (signature === "")) return null;
  const signed = ["L1", mark, key, reference, issue].join(".");
  if (letters(polynomial(`${signed}.${signature}`, ALPHANUMERIC, CHECK_BASE, CHECK_PRIME), 4) !== check) return null;
  return { mark, key, issue: Number(issue), signature, signed, stem: `${mark}.${reference}` };
}

// The digits of laser scanners, which bear the shop's mark and no signature.
function digits(text) {
  const plain = text.replace(/[\s-]/g, "");
  if (!/^\d{24}$/.test(plain) || BigInt(plain) % 97n !== 1n) return null;
  const whole = BigInt(plain.slice(0, -2));
  if (whole >> 70n) return null;
  return { mark: letters(Number(whole >> 40n), 6), key: "0", stem: `#${plain}` };
}

// Ten characters that are typed, good at the shop that types them.
function typed(text) {
  const plain = text.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  if (!/^[0-9A-HJKMNP-TV-Z]{10}$/.test(plain)) return null;
  const check = BASE32.indexOf(plain[8]) * 32 + BASE32.indexOf(plain[9]);
  return polynomial(plain.slice(0, 8), BASE32, TYPED_BASE, TYPED_PRIME) === check ? { key: "0", stem: `+${plain}` } : null;
}

// The number of an old card of plastic: which of them are cards is for the books to say, when they can be asked. Some have
// the barcode of a product, which nobody can tell apart here: their holders are not sent away.
function plastic(text) {
  const plain = text.toUpperCase().replace(/[\s-]/g, "");
  return /^[0-9A-Z]{4,40}$/.test(plain) && /\d/.test(plain) ? { key: "0", stem: `!${plain}` } : null;
}

// What this text says of whose card it is, or null where it is no card's. `mark` is that of the shop's own account.
export function read(text, mark) {
  if (text.length > MOST) return null;
  const found = full(text) ?? digits(text) ?? typed(text) ?? plastic(text);
  if (!found) return null;
  const other = found.mark !== undefined && found.mark !== mark;
  return { ...found, refusal: other ? (found.mark.startsWith(TEST) ? "test-card" : "other-merchant") : null };
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

export function toBase64(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replace(/[+/=]/g, (one) => ({ "+": "-", "/": "_", "=": "" })[one]);
}

// 103 letters of 5 bits are 64 bytes, the first letter's upper three bits being nothing.
function signatureBytes(text) {
  if (text.length !== SIGNATURE.letters) return null;
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, "0")).join("");
  if (!bits.startsWith("000")) return null;
  return Uint8Array.from({ length: SIGNATURE.bytes }, (_, n) => parseInt(bits.slice(3 + 8 * n, 11 + 8 * n), 2));
}

let verifier = null;

// The browser's own Ed25519 where it has it, else the one that comes with the page.
async function choose(sample) {
  try {
    await crypto.subtle.importKey("raw", sample, { name: "Ed25519" }, false, ["verify"]);
    const imported = new Map();
    return async (signature, signed, key) => {
      const name = toBase64(key);
      if (!imported.has(name)) imported.set(name, crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]));
      return crypto.subtle.verify({ name: "Ed25519" }, await imported.get(name), signature, signed);
    };
  } catch {
    const ours = await import("./ed25519.js");
    return (signature, signed, key) => ours.verifyAsync(signature, signed, key);
  }
}

// "genuine", "unproven" where nothing signed it or the key is not known here, "forged" where the signature is wrong.
export async function prove(code, keys) {
  const known = keys.find((one) => one.id === code.key);
  if (code.key === "0" || !known) return "unproven";
  const signature = signatureBytes(code.signature);
  if (!signature) return "forged";
  const began = performance.now();
  const key = fromBase64(known.public_key);
  verifier ??= choose(key);
  const good = await (await verifier)(signature, new TextEncoder().encode(code.signed), key).catch(() => false);
  performance.measure("till-verify", { start: began });
  return good ? "genuine" : "forged";
}
