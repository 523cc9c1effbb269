// What passkit-generator says of documents: reads {name: {document, strict}} from standard input and writes {name: [complaints]}.
//
// Its schemas are asked strictly: unknown keys are refused and no text is taken for a number. Then the whole document
// is imported, because the keys of fields are only compared there; the import complains on the console.
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const library = createRequire(join(resolve(process.argv[2]), "package.json")).resolve("passkit-generator");
const folder = join(dirname(library), "..", "esm");
const { PassProps } = await import(pathToFileURL(join(folder, "schemas", "index.js")));
const { PKPass } = await import(pathToFileURL(join(folder, "index.js")));

let complaints = [];
console.warn = (...said) => complaints.push(said.join(" "));

let sent = "";
for await (const piece of process.stdin) sent += piece;

const verdicts = {};
for (const [name, document] of Object.entries(JSON.parse(sent))) {
  complaints = [];
  const { error } = PassProps.validate(document, { abortEarly: false, convert: false });
  for (const detail of error?.details ?? []) complaints.push(`${detail.path.join(".")}: ${detail.message}`);
  if (!error) new PKPass({ "pass.json": Buffer.from(JSON.stringify(document)) });
  verdicts[name] = complaints;
}
process.stdout.write(JSON.stringify(verdicts));
