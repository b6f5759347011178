// Prints what the page's first load weighs; with --check says nothing, but fails above the budget.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The most gzipped JavaScript that the first load may need, in bytes. */
const BUDGET_BYTES = 60 * 1024;

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), "page/dist");
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

const check = process.argv.includes("--check");
let scripts = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const contents = readFileSync(join(entry.parentPath, entry.name));
  const gzipped = gzipSync(contents, { level: 9 }).length;
  if (extname(entry.name) === ".js") scripts += gzipped;
  if (!check) console.log(`${entry.name.padEnd(28)} ${kib(contents.length).padStart(10)}   gzip ${kib(gzipped).padStart(10)}`);
}
const verdict = `JavaScript of the first load: ${kib(scripts)} gzipped, budget ${kib(BUDGET_BYTES)}`;
if (!check) console.log(verdict);
else if (scripts > BUDGET_BYTES) {
  console.error(verdict);
  process.exit(1);
}
