// SPDX-License-Identifier: Apache-2.0
// kubernetes.mjs MODULES: reads a list of Kubernetes objects as JSON, and prints what the schemas that Kubernetes and the
// Prometheus Operator publish, as the npm packages kubernetes-models and @kubernetes-models/prometheus-operator have them, say
// against each; also of fields that no schema knows, which those packages let pass.
import { readFileSync } from "node:fs";

const modules = process.argv[2];
const packages = { "monitoring.coreos.com": "@kubernetes-models/prometheus-operator" };

// Records which fields of an object a validator asks for; one that lists all of them takes any.
function watch(value, path, unknown) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item, i) => watch(item, `${path}/${i}`, unknown));
  const target = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, watch(item, `${path}/${key}`, unknown)]));
  const asked = new Set();
  const seen = { path, asked, keys: Object.keys(target), any: false };
  unknown.push(seen);
  return new Proxy(target, {
    get: (object, key) => (asked.add(key), object[key]),
    ownKeys: (object) => ((seen.any = true), Reflect.ownKeys(object)),
  });
}

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
  const name = packages[group] ?? "kubernetes-models";
  const file = [modules, name, group, version, object.kind + ".js"].filter((part) => part !== "").join("/");
  const text = readFileSync(file, "utf8");
  const schema = text.match(/import\{validate\}from"([^"]+)"/)[1];
  const { validate } = await import(new URL(schema, "file://" + file));
  const fields = [];
  const where = `${object.kind} ${object.metadata.name}`;
  if (!validate(watch(object, "", fields))) {
    for (const error of validate.errors) {
      console.log(`${where}: ${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`);
    }
  }
  for (const { path, asked, keys, any } of fields) {
    for (const key of any ? [] : keys.filter((key) => !asked.has(key))) {
      console.log(`${where}: ${path}/${key} is unknown`);
    }
  }
}
