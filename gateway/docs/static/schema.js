// Shows schemas: the type of a member in a few words, its bounds, and the members below it when they are opened.

import { h } from "./dom.js";
import { inline, prose } from "./prose.js";
import { nameOf } from "./contract.js";

const BOUNDS = [
  ["minLength", (value) => `at least ${value} ${value === 1 ? "character" : "characters"}`],
  ["maxLength", (value) => `at most ${grouped(value)} characters`],
  ["minItems", (value) => `at least ${value} ${value === 1 ? "item" : "items"}`],
  ["maxItems", (value) => `at most ${grouped(value)} items`],
  ["minProperties", (value) => `at least ${value} members`],
  ["maxProperties", (value) => `at most ${grouped(value)} members`],
  ["uniqueItems", () => "no item twice"],
  ["minimum", (value) => `\u2265 ${grouped(value)}`],
  ["exclusiveMinimum", (value) => `> ${grouped(value)}`],
  ["maximum", (value) => `\u2264 ${grouped(value)}`],
  ["exclusiveMaximum", (value) => `< ${grouped(value)}`],
  ["pattern", (value) => `matches ${value}`],
];
// what a type can hold is no bound worth reading
const TYPE_LIMITS = new Set([-(2 ** 31), 2 ** 31 - 1, -(2 ** 63), 2 ** 63, 2 ** 63 - 1, 2 ** 32 - 1, 2 ** 64]);

function grouped(value) {
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
}

/** Shows the schemas of one contract. */
export class SchemaView {
  constructor(contract) {
    this.contract = contract;
  }

  /** Return the members of a schema, or what it is where it has none. */
  body(schema) {
    const rows = this.#rows(schema);
    return rows.length ? h("div", { class: "members" }, rows) : h("div", { class: "members" }, this.#row("", schema, false));
  }

  /** Return a type in a few words; named types are links. */
  type(schema) {
    const name = nameOf(schema);
    if (name) return [h("a", { href: `#schema/${name}`, class: "type-name" }, name)];
    const parts = this.#alternatives(schema);
    if (parts.length > 1) return parts.flatMap((part, index) => (index ? [" or ", ...this.type(part)] : this.type(part)));
    if (parts.length === 1 && parts[0] !== schema) return this.type(parts[0]);
    const kind = [schema.type ?? []].flat().filter((one) => one !== "null")[0];
    if ("const" in schema) return [h("code", {}, JSON.stringify(schema.const))];
    if (kind === "array") return ["array of ", ...this.type(schema.items ?? {})];
    if (kind === "object" && !schema.properties) {
      return schema.additionalProperties ? ["map of ", ...this.type(schema.additionalProperties)] : ["object"];
    }
    if (schema.contentEncoding) return [`${schema.contentEncoding} string`];
    if (schema.format === "date-time") return ["time (RFC 3339)"];
    return [kind ?? (schema.enum ? "enum" : "any JSON value")];
  }

  #alternatives(schema) {
    return (schema.anyOf ?? [schema]).filter((part) => part.type !== "null");
  }

  /** Return the rows below a schema: its members, those of its items or values, or its alternatives. */
  #rows(schema) {
    const resolved = this.contract.resolve(schema);
    const parts = this.#alternatives(resolved);
    if (parts.length > 1) return parts.map((part) => this.#row("", part, false));
    if (parts[0] !== resolved) return this.#rows(parts[0]);
    if (resolved.properties) {
      const needed = new Set(resolved.required ?? []);
      for (const part of [resolved, ...(resolved.allOf ?? [])]) {
        for (const choice of part.oneOf ?? []) choice.required?.forEach((name) => needed.add(`?${name}`));
      }
      return Object.entries(resolved.properties).map(([name, member]) =>
        this.#row(name, member, needed.has(name), needed.has(`?${name}`)),
      );
    }
    const inner = resolved.items ?? (typeof resolved.additionalProperties === "object" ? resolved.additionalProperties : null);
    return inner ? this.#rows(inner) : [];
  }

  #row(name, schema, required, choice = false) {
    const resolved = this.contract.resolve(schema);
    const head = [
      name ? h("code", { class: "member-name" }, name) : null,
      h("span", { class: "member-type" }, this.type(schema)),
      required ? h("span", { class: "mark required" }, "required") : null,
      choice ? h("span", { class: "mark choice" }, "one of these") : null,
      resolved.deprecated ? h("span", { class: "mark old" }, "deprecated") : null,
    ];
    const about = [this.#values(resolved), this.#bounds(resolved)];
    const text = schema.description ?? (name ? "" : resolved.description);
    const below = this.#hasRows(schema);
    const summary = h("div", { class: "member-head" }, head);
    const notes = h("div", { class: "member-notes" }, text ? prose(text) : null, about);
    if (!below) return h("div", { class: "member" }, summary, notes);
    const content = h("div", { class: "member-inner" });
    const details = h("details", { class: "member" }, h("summary", {}, summary, notes), content);
    details.addEventListener("toggle", () => {
      if (details.open && !content.hasChildNodes()) content.append(...this.#rows(schema));
    });
    return details;
  }

  #hasRows(schema) {
    const resolved = this.contract.resolve(schema);
    const parts = this.#alternatives(resolved);
    if (parts.length > 1) return parts.some((part) => this.#hasRows(part) || nameOf(part));
    if (parts[0] !== resolved) return this.#hasRows(parts[0]);
    if (resolved.properties) return Object.keys(resolved.properties).length > 0;
    const inner = resolved.items ?? resolved.additionalProperties;
    return typeof inner === "object" && this.#hasRows(inner);
  }

  #values(schema) {
    const values = this.#alternatives(schema).flatMap((part) => this.contract.resolve(part).enum ?? []);
    if (!values.length) return null;
    return h("p", { class: "values" }, values.map((value) => h("code", {}, JSON.stringify(value))));
  }

  #bounds(schema) {
    const told = BOUNDS.filter(([key]) => key in schema && !TYPE_LIMITS.has(schema[key])).map(([key, tell]) => tell(schema[key]));
    return told.length ? h("p", { class: "bounds" }, told.join(", ")) : null;
  }

  /** Return a parameter as a row. */
  parameter(parameter) {
    const schema = { ...parameter.schema, description: parameter.description };
    const row = this.#row(parameter.name, schema, parameter.required);
    row.querySelector(".member-head").append(h("span", { class: "mark place" }, parameter.in));
    return row;
  }
}

/** Return the values of a schema with what each means, from its description. */
export function summaryOf(schema) {
  return inline((schema.description ?? "").split("\n\n")[0]);
}
