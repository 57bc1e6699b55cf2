// Makes elements. Text always becomes text nodes, so that nothing of the document is ever read as markup.

/**
 * Return a new element.
 * @param {string} tag the element's name
 * @param {Object} attributes attributes by name; "on…" are listeners, null and false leave an attribute out
 * @param {...(Node|string|null|Array)} children nodes and texts, lists are made flat
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a button that copies a text and says so. */
export function copyButton(text, label = "Copy") {
  const button = h("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1200);
  });
  return button;
}

/** Return a row of tabs and what they show; `entries` are [label, () => Node], made when they are first looked at. */
export function tabs(entries, attributes = {}) {
  const panel = h("div", { class: "tab-panel", role: "tabpanel" });
  const made = new Map();
  const buttons = entries.map(([label], index) =>
    h("button", { type: "button", role: "tab", class: "tab", onclick: () => select(index) }, label),
  );
  const list = h("div", { class: "tab-list", role: "tablist" }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    select(next);
    buttons[next].focus();
  });
  function select(index) {
    buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    });
    if (!made.has(index)) made.set(index, entries[index][1]());
    panel.replaceChildren(made.get(index));
  }
  select(0);
  return Object.assign(h("div", { class: "tabs", ...attributes }, list, panel), { select });
}

/** Return an inline icon: the paths of a 20 by 20 drawing. */
export function icon(path, name = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  if (name) svg.setAttribute("class", name);
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
