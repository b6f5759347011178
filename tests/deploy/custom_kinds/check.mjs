// Compares resources with the definitions that their projects give of them.
//
// Reads a JSON list of resources and writes a JSON list of what is wrong with them, one string a
// fault. Values are compared with the schemas: types, patterns, ranges, what is required. Fields
// that the definitions do not know, which schemas let pass, are found by their TypeScript types.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const MODULES = {
  "cert-manager.io/v1": "@kubernetes-models/cert-manager/cert-manager.io/v1",
  "gateway.networking.k8s.io/v1": "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

function name(resource) {
  return `${resource.kind}/${resource.metadata.name}`;
}

async function wrongValues(resources) {
  const faults = [];
  for (const resource of resources) {
    const module = await import(MODULES[resource.apiVersion]);
    if (!module[resource.kind]) {
      faults.push(`${name(resource)}: ${resource.apiVersion} has no such kind`);
      continue;
    }
    try {
      new module[resource.kind](resource).validate();
    } catch (error) {
      faults.push(`${name(resource)}: ${error.message}`);
    }
  }
  return faults;
}

function unknownFields(resources) {
  const path = fileURLToPath(new URL("resources.ts", import.meta.url));
  const lines = resources.map(
    ({ apiVersion, kind, ...rest }, index) =>
      `const r${index}: import("${MODULES[apiVersion]}").I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
  );
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (file) => file === path || fileExists(file);
  host.getSourceFile = (file, target, ...more) =>
    file === path
      ? ts.createSourceFile(path, `${lines.join("\n")}\nexport {};`, target)
      : getSourceFile(file, target, ...more);
  const program = ts.createProgram([path], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const resource = file ? resources[file.getLineAndCharacterOfPosition(start).line] : undefined;
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    return resource ? `${name(resource)}: ${text}` : text;
  });
}

const resources = JSON.parse(readFileSync(0, "utf8"));
const values = await wrongValues(resources);
// Without a definition there is nothing to compare types with.
const known = resources.filter((r) => !values.some((v) => v.startsWith(`${name(r)}: `) && v.endsWith("no such kind")));
process.stdout.write(JSON.stringify([...values, ...unknownFields(known)]));
