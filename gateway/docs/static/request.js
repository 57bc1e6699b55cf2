// The request that a person puts together in the form of one operation, and its fields.

import { h } from "./dom.js";

const KEY = "altiplano.token";

/** The state of one form: what its fields hold, and the request that follows from it. */
export class RequestForm {
  constructor(contract, operation) {
    this.contract = contract;
    this.operation = operation;
    this.values = new Map();
    this.stream = false;
    this.changed = () => {};
    this.text = operation.body ? pretty(operation.body.example ?? {}) : null;
    this.element = h("div", { class: "form" }, this.#token(), this.#parameters(), this.#body(), this.#toggle());
  }

  /** The form of the body that has a member `stream`: an object, and the array's name in it if the body is an array. */
  get #streaming() {
    const whole = this.contract.resolve(this.operation.body?.schema ?? {});
    const form = [whole, ...(whole.anyOf ?? [])].find((part) => part.properties && "stream" in part.properties);
    return form ? { array: Object.keys(form.properties)[0] } : null;
  }

  /** Return the request as the fields stand. */
  request() {
    const query = new URLSearchParams();
    let path = this.operation.path;
    for (const { name, in: place } of this.operation.parameters) {
      const value = this.values.get(name);
      if (!value && place !== "path") continue;
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value ?? ""));
      else value.split(/\s*,\s*/).forEach((one) => query.append(name, one));
    }
    const url = new URL(`${this.contract.server}${path}`, location.origin);
    url.search = query.toString();
    const headers = {};
    if (this.text !== null) headers["content-type"] = "application/json";
    if (this.stream && !this.#streaming) headers.accept = "text/event-stream";
    const token = sessionStorage.getItem(KEY);
    if (token) headers.authorization = `Bearer ${token}`;
    return { verb: this.operation.verb, url: url.href, headers, body: this.#sent(), streams: this.stream };
  }

  #sent() {
    if (this.text === null) return null;
    if (!this.#streaming) return this.text;
    try {
      const value = JSON.parse(this.text);
      if (Array.isArray(value)) return this.stream ? pretty({ [this.#streaming.array]: value, stream: true }) : this.text;
      const { stream, ...rest } = value;
      return pretty(this.stream ? { ...rest, stream: true } : rest);
    } catch {
      return this.text;
    }
  }

  #token() {
    if (!this.contract.secured) return null;
    const input = h("input", {
      type: "password",
      autocomplete: "off",
      placeholder: "API key or token, kept for this tab only",
      value: sessionStorage.getItem(KEY) ?? "",
    });
    input.addEventListener("input", () => {
      sessionStorage.setItem(KEY, input.value.trim());
      this.changed();
    });
    return h("label", { class: "field" }, h("span", { class: "field-name" }, "authorization"), input);
  }

  #parameters() {
    return this.operation.parameters.map((parameter) => {
      const schema = this.contract.resolve(parameter.schema);
      const values = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
      const set = (event) => {
        this.values.set(parameter.name, event.target.value);
        this.changed();
      };
      const input = values
        ? h("select", { onchange: set }, h("option", { value: "" }, "\u2013"), values.map((value) => h("option", {}, String(value))))
        : h("input", { type: "text", spellcheck: "false", placeholder: hint(schema), oninput: set });
      const name = h("span", { class: "field-name" }, parameter.name, parameter.required ? h("i", { title: "required" }, "*") : null);
      return h("label", { class: "field" }, name, input);
    });
  }

  #body() {
    if (this.text === null) return null;
    const area = h("textarea", { class: "body-input", spellcheck: "false", "aria-label": "Body", rows: Math.min(this.text.split("\n").length + 1, 22) });
    area.value = this.text;
    const problem = h("p", { class: "problem", role: "status" });
    area.addEventListener("input", () => {
      this.text = area.value;
      problem.textContent = complaint(area.value);
      this.changed();
    });
    return h("div", { class: "field" }, h("span", { class: "field-name" }, "body"), area, problem);
  }

  #toggle() {
    if (!this.operation.streams || Object.keys(this.operation.answers).length === 1) return null;
    const box = h("input", { type: "checkbox", onchange: () => { this.stream = box.checked; this.changed(); } });
    return h("label", { class: "switch" }, box, h("span", { class: "track" }), "Stream the answer");
  }
}

function hint(schema) {
  if (schema.type === "array") return "several, with commas between";
  return [schema.type ?? "value"].flat().filter((type) => type !== "null").join(" or ");
}

function complaint(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return error.message;
  }
}

/** Return a value as JSON for people. */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}
