import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "vitest";

test("the published package holds the library, its types and its documentation, and nothing else", () => {
  const client = join(import.meta.dirname, "..");
  const { stdout, stderr } = spawnSync("npm", ["pack", "--dry-run", "--json"], { cwd: client, encoding: "utf8" });
  expect(stdout, stderr).toContain("[");
  const report = JSON.parse(stdout.slice(stdout.indexOf("[")))[0] as { files: { path: string }[]; unpackedSize: number };
  const paths = report.files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(["package.json", "README.md", "dist/index.js", "dist/index.d.ts", "dist/capture-worker.js", "dist/gen/emotion/v1/emotion_pb.js", "src/index.ts"]),
  );
  expect(paths.filter((path) => !/^(dist|src)\/|^(package\.json|README\.md)$/.test(path))).toEqual([]);
  expect(paths.filter((path) => /test|fake/.test(path))).toEqual([]);
  expect(report.unpackedSize).toBeLessThan(1_000_000);
});
