// passkit-generator's part in benchmarks/signing.py: makes and signs passes for so many seconds of processor time, its
// model and its certificates read once, and prints how many it made in a second of it.
//
//   node passkit_generator.mjs <folder of node_modules> <folder with leaf.pem key.pem wwdr.pem icon.png> <seconds>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [installed, folder, seconds] = process.argv.slice(2);
const library = createRequire(join(resolve(installed), "package.json")).resolve("passkit-generator");
const { PKPass } = await import(pathToFileURL(join(dirname(library), "..", "esm", "index.js")));
const read = (name) => readFileSync(join(folder, name));
const certificates = { wwdr: read("wwdr.pem"), signerCert: read("leaf.pem"), signerKey: read("key.pem") };
const icon = read("icon.png");
const facts = JSON.parse(read("pass.json"));

function once(number) {
  const pass = new PKPass({ "icon.png": icon }, certificates, { ...facts, serialNumber: `serial-${number}` });
  pass.type = "storeCard";
  pass.primaryFields.push({ key: "points", label: "Points", value: number });
  pass.setBarcodes({ message: "LP1.acme.k1.1.7Q2M9X", format: "PKBarcodeFormatQR", messageEncoding: "iso-8859-1" });
  return pass.getAsBuffer();
}

const spent = () => process.cpuUsage().user + process.cpuUsage().system;
if (once(0).length < 1000) throw new Error("no pass came out");
const begun = spent();
let made = 0;
while (spent() - begun < Number(seconds) * 1e6) once(++made);
process.stdout.write(String((made / (spent() - begun)) * 1e6));
