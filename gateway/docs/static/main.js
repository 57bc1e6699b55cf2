// Puts the page together: navigation, search, the two colour schemes, and what the address after # asks for.

import { Contract } from "./contract.js";
import { copyButton, h, icon, tabs } from "./dom.js";
import { jsonBlock, prose } from "./prose.js";
import { pretty } from "./request.js";
import { SchemaView } from "./schema.js";
import { tryIt } from "./tryit.js";

const THEME = "altiplano.theme";
const at = (id) => document.getElementById(id);

class Page {
  constructor(contract) {
    this.contract = contract;
    this.schemas = new SchemaView(contract);
  }

  /** Show what an address asks for: an area, an operation, a schema, or the overview. */
  show(address) {
    const [kind, name = ""] = decodeURIComponent(address.replace(/^#/, "")).split("/");
    const area = this.contract.areas.find((one) => one.name === name);
    const operation = this.contract.operations.get(name);
    let content = this.#overview();
    let title = this.contract.info.title;
    if (kind === "area" && area) [content, title] = [this.#area(area), area.title];
    else if (kind === "op" && operation) [content, title] = [this.#operation(operation), operation.name];
    else if (kind === "schema" && name in this.contract.schemas) [content, title] = [this.#schema(name), name];
    at("content").replaceChildren(content);
    document.title = title === this.contract.info.title ? `${title} API` : `${title} \u2013 ${this.contract.info.title} API`;
    for (const link of at("areas").querySelectorAll("a")) {
      const current = link.getAttribute("href") === address;
      link.toggleAttribute("aria-current", current);
      if (current) link.closest("details").open = true;
      if (current) link.scrollIntoView({ block: "nearest" });
    }
    scrollTo(0, 0);
  }

  #overview() {
    const { info, areas } = this.contract;
    const count = [...this.contract.operations.values()].length;
    return h(
      "article",
      { class: "article" },
      h("p", { class: "eyebrow" }, "API reference"),
      h("h1", {}, info.title),
      h("div", { class: "lead" }, prose(info.description)),
      h("p", { class: "facts" }, `${areas.length} areas`, h("i"), `${count} operations`, h("i"), `version ${info.version}`),
      h("div", { class: "cards" }, areas.map((area) => this.#areaCard(area))),
    );
  }

  #areaCard(area) {
    return h(
      "a",
      { class: "area-card", href: `#area/${area.name}` },
      h("h2", {}, area.title),
      h("p", {}, firstSentence(area.description)),
      h("span", { class: "muted" }, plural(area.operations.length, "operation")),
    );
  }

  #area(area) {
    return h(
      "article",
      { class: "article" },
      h("p", { class: "eyebrow" }, plural(area.operations.length, "operation")),
      h("h1", {}, area.title),
      h("div", { class: "lead" }, prose(area.description)),
      h("div", { class: "op-list" }, area.operations.map((operation) => operationRow(operation))),
    );
  }

  #operation(operation) {
    const body = operation.body;
    const text = h(
      "article",
      { class: "article" },
      h("p", { class: "eyebrow" }, h("a", { href: `#area/${operation.area}` }, this.#areaTitle(operation))),
      h("h1", {}, operation.name),
      h("div", { class: "endpoint" }, verbMark(operation.verb), h("code", {}, operation.path), copyButton(operation.path)),
      h("div", { class: "lead" }, prose(operation.description)),
      this.#remarks(operation),
      operation.parameters.length
        ? section("Parameters", h("div", { class: "members" }, operation.parameters.map((one) => this.schemas.parameter(one))))
        : null,
      body ? section(["Body", operation.bodyRequired ? h("span", { class: "mark required" }, "required") : null], prose(operation.bodyText), this.schemas.body(body.schema)) : null,
      this.#answers(operation),
    );
    return h("div", { class: "split" }, text, tryIt(this.contract, operation));
  }

  #areaTitle(operation) {
    return this.contract.areas.find((area) => area.name === operation.area)?.title ?? operation.area;
  }

  #remarks(operation) {
    const others = operation.others.map((other) => h("li", {}, verbMark(other.verb), h("code", {}, other.path)));
    return [
      others.length ? h("div", { class: "remark" }, h("span", {}, "Also served as"), h("ul", {}, others)) : null,
      operation.scope ? h("div", { class: "remark" }, h("span", {}, "Scope"), h("code", {}, operation.scope)) : null,
    ];
  }

  #answers(operation) {
    const entries = Object.entries(operation.answers).map(([type, media]) => [type, () => this.schemas.body(media.schema)]);
    const headers = Object.entries(operation.responses["200"]?.headers ?? {}).map(([name, header]) =>
      this.schemas.parameter({ name, in: "header", schema: header.schema, description: header.description }),
    );
    const errors = Object.entries(operation.responses).filter(([status]) => status !== "200");
    return [
      section("Answer", prose(operation.responses["200"]?.description), tabs(entries), headers.length ? h("div", { class: "members" }, headers) : null),
      section(
        "Errors",
        errors.map(([status, response]) => {
          const known = this.contract.errors[response.$ref?.split("/").pop()] ?? response;
          const schema = known.content?.["application/json"]?.schema;
          return h("div", { class: "remark" }, h("span", { class: `status status-${status[0]}` }, status), known.description, schema ? [" ", this.schemas.type(schema)] : null);
        }),
      ),
    ];
  }

  #schema(name) {
    const schema = this.contract.schemas[name];
    return h(
      "article",
      { class: "article" },
      h("p", { class: "eyebrow" }, "Schema"),
      h("h1", {}, name),
      h("div", { class: "lead" }, prose(schema.description)),
      section("Members", this.schemas.body({ ...schema, description: undefined })),
      section("JSON Schema", h("div", { class: "code-box" }, copyButton(pretty(schema)), jsonBlock(pretty(schema)))),
    );
  }
}

const section = (title, ...content) => h("section", { class: "part" }, h("h2", {}, title), content);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const verbMark = (verb) => h("span", { class: `verb verb-${verb.toLowerCase()}` }, verb === "DELETE" ? "DEL" : verb);
const firstSentence = (text) => text.split(/(?<=\.)\s/)[0];

function operationRow(operation) {
  return h(
    "a",
    { class: "op-row", href: `#op/${operation.id}` },
    verbMark(operation.verb),
    h("span", { class: "op-text" }, h("code", {}, operation.path), h("span", {}, operation.summary)),
    operation.streams ? h("span", { class: "mark place" }, "streams") : null,
  );
}

function navigation(contract) {
  const groups = contract.areas.map((area) => {
    const links = area.operations.map((operation) => {
      const link = h("a", { href: `#op/${operation.id}`, title: operation.path }, verbMark(operation.verb), h("span", {}, operation.name));
      return [operation, h("li", {}, link)];
    });
    const count = h("span", { class: "count" }, String(area.operations.length));
    const summary = h("summary", {}, icon("m7.500 5 5 5-5 5", "chevron"), h("span", {}, area.title), count);
    const overview = h("li", { class: "overview" }, h("a", { href: `#area/${area.name}` }, h("span", {}, "Overview")));
    const group = h("details", {}, summary, h("ul", {}, overview, links.map(([, item]) => item)));
    return { group, links, overview };
  });
  at("areas").replaceChildren(...groups.map(({ group }) => group));
  at("search").addEventListener("input", () => {
    const terms = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { group, links, overview } of groups) {
      let found = 0;
      for (const [operation, item] of links) {
        item.hidden = terms.length > 0 && !operation.matches(terms);
        found += item.hidden ? 0 : 1;
      }
      overview.hidden = terms.length > 0;
      group.hidden = !found;
      group.open = terms.length ? true : Boolean(group.querySelector("[aria-current]"));
    }
  });
}

function theme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => (root.dataset.theme = localStorage.getItem(THEME) ?? (system.matches ? "dark" : "light"));
  apply();
  system.addEventListener("change", apply);
  at("theme").addEventListener("click", () => {
    localStorage.setItem(THEME, root.dataset.theme === "dark" ? "light" : "dark");
    apply();
  });
}

function keys() {
  const menu = (open) => {
    document.body.classList.toggle("menu-open", open);
    at("menu").setAttribute("aria-expanded", String(open));
  };
  at("menu").addEventListener("click", () => menu(!document.body.classList.contains("menu-open")));
  at("areas").addEventListener("click", (event) => event.target.closest("a") && menu(false));
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      at("search").focus();
    }
    if (event.key === "Escape") {
      menu(false);
      at("search").value = "";
      at("search").dispatchEvent(new Event("input"));
      document.activeElement?.blur();
    }
  });
}

async function start() {
  theme();
  keys();
  const response = await fetch(at("source").href);
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  const contract = new Contract(await response.json());
  at("brand").textContent = contract.info.title;
  at("version").textContent = contract.info.version;
  navigation(contract);
  const page = new Page(contract);
  addEventListener("hashchange", () => page.show(location.hash));
  page.show(location.hash);
}

start().catch((error) => at("content").replaceChildren(h("p", { class: "notice" }, `The document can't be read: ${error.message}`)));
