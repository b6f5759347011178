// Generates the TypeScript stubs of the contract into client/src/gen.
//
// PYTHON names a Python that has grpc_tools (protoc comes with it); default python3.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const python = process.env.PYTHON ?? "python3";
const output = join(web, "client/src/gen");
const plugin = join(web, "node_modules/.bin", process.platform === "win32" ? "protoc-gen-es.cmd" : "protoc-gen-es");

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });

const protoc = spawnSync(
  python,
  [
    "-m",
    "grpc_tools.protoc",
    `--proto_path=${join(web, "../protos")}`,
    `--plugin=protoc-gen-es=${plugin}`,
    `--es_out=${output}`,
    "--es_opt=target=ts",
    "emotion/v1/emotion.proto",
  ],
  {
    stdio: "inherit",
    // The plugin is a Node script: let it find the Node that runs this one.
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ""}` },
  },
);
if (protoc.error ?? protoc.status) {
  console.error(
    `Generating the stubs failed: '${python} -m grpc_tools.protoc' ${protoc.error?.message ?? `exited with ${protoc.status}`}.\n` +
      "Set PYTHON to a Python that has grpcio-tools installed, for example PYTHON=../build/venv/bin/python.",
  );
  process.exit(1);
}
