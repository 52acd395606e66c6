// check.mjs FILE.json...: checks dashboards against Grafana's types. Unknown options are errors.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = import.meta.dirname;
const schema = createGenerator({
  path: join(here, "types.ts"),
  tsconfig: join(here, "tsconfig.json"),
  type: "Dashboard",
  skipTypeCheck: true,
  additionalProperties: false,
}).createSchema("Dashboard");

/** A panel's type selects its schema, so that an error names the option that is wrong. */
const panels = find(schema, (node) => Array.isArray(node.anyOf) && node.anyOf.length > 5 && node.anyOf.some((of) => kind(of) === "row"));
panels.discriminator = { propertyName: "type" };
panels.oneOf = panels.anyOf;
delete panels.anyOf;

function kind(of) {
  return resolved(of).properties?.type?.const;
}

function resolved(node) {
  return node.$ref ? schema.definitions[decodeURIComponent(node.$ref.replace("#/definitions/", ""))] : node;
}

function find(node, wanted) {
  if (node === null || typeof node !== "object") {
    return undefined;
  }
  if (wanted(node)) {
    return node;
  }
  for (const child of Object.values(node)) {
    const found = find(child, wanted);
    if (found) {
      return found;
    }
  }
}

const validate = new Ajv({ strict: true, strictTypes: false, allErrors: true, discriminator: true, verbose: true }).compile(schema);
let failed = false;
for (const file of process.argv.slice(2)) {
  const dashboard = JSON.parse(readFileSync(file, "utf8"));
  if (validate(dashboard)) {
    console.log(`${file}: ${dashboard.panels.length} panels match Grafana's types`);
    continue;
  }
  failed = true;
  for (const { instancePath, message, params } of validate.errors.slice(0, 20)) {
    const [, , index] = instancePath.split("/");
    const title = dashboard.panels[index]?.title ?? "";
    console.error(`${file}${instancePath} ${title ? `(${title}) ` : ""}${message} ${JSON.stringify(params)}`);
  }
}
process.exit(failed ? 1 : 0);
