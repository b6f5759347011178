// What the page's first load and the library weigh, gzipped.
//
// Prints it; --check says nothing, but fails above the budget; --write puts it into README.md.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

/** The most gzipped JavaScript that the first load may need, in bytes. */
const BUDGET_BYTES = 100 * 1024;

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(web, "page/dist");
const gzipped = (contents) => gzipSync(contents, { level: 9 }).length;
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => ({ name: entry.name, size: gzipped(readFileSync(join(entry.parentPath, entry.name))) }));
// What the document names is loaded with it; everything else waits until it is needed.
const document = readFileSync(join(dist, "index.html"), "utf8");
const isFirst = ({ name }) => name === "index.html" || (document.includes(name) && name !== "unsupported.js");
const sum = (list) => list.reduce((bytes, { size }) => bytes + size, 0);
const scripts = files.filter(({ name }) => extname(name) === ".js");
const first = sum(scripts.filter(isFirst));
const later = sum(scripts.filter((file) => !isFirst(file) && file.name !== "unsupported.js"));

/** The library with everything that it needs, as a bundler would put it into somebody's page. */
async function librarySize() {
  const outputs = await build({
    root: join(web, "client"),
    configFile: false,
    logLevel: "silent",
    build: { write: false, minify: true, target: "es2022", lib: { entry: join(web, "client/dist/index.js"), formats: ["es"] } },
  });
  const { output } = Array.isArray(outputs) ? outputs[0] : outputs;
  return sum(output.filter((file) => file.type === "chunk").map((chunk) => ({ size: gzipped(chunk.code) })));
}

if (process.argv.includes("--check")) {
  if (first > BUDGET_BYTES) {
    console.error(`JavaScript of the first load: ${kib(first)} gzipped, budget ${kib(BUDGET_BYTES)}`);
    process.exit(1);
  }
} else if (process.argv.includes("--write")) {
  const rows = [
    "| what | gzipped |",
    "| --- | --- |",
    `| the page's JavaScript at first load | ${kib(first)} |`,
    `| charts and workers, loaded when needed | ${kib(later)} |`,
    `| the library alone, with all that it depends on | ${kib(await librarySize())} |`,
  ].join("\n");
  const readme = join(web, "README.md");
  const text = readFileSync(readme, "utf8");
  writeFileSync(readme, text.replace(/(<!-- sizes, by npm run size -- --write -->\n)[^]*?(<!-- end of sizes -->)/, `$1${rows}\n$2`));
} else {
  for (const file of files) console.log(`${file.name.padEnd(32)} ${kib(file.size).padStart(10)}${isFirst(file) ? "   first load" : ""}`);
  console.log(`JavaScript of the first load: ${kib(first)} gzipped, budget ${kib(BUDGET_BYTES)}`);
}
