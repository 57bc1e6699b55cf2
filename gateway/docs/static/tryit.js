// The panel beside an operation: the request in several languages, the form, and what the server answered.

import { copyButton, h, icon, tabs } from "./dom.js";
import { jsonBlock } from "./prose.js";
import { pretty, RequestForm } from "./request.js";
import { LANGUAGES } from "./snippets.js";
import { textOf, values } from "./stream.js";

const SHOWN_EVENTS = 500;

/** Return the panel of an operation. */
export function tryIt(contract, operation) {
  const form = new RequestForm(contract, operation);
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  const sender = new Sender(form, answer);
  const code = snippets(form);
  form.changed = code.refresh;
  form.element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) sender.send();
  });
  return h(
    "aside",
    { class: "panel", "aria-label": "Try it" },
    h("section", { class: "card" }, h("header", { class: "card-head" }, h("h3", {}, "Try it"), sender.button), form.element),
    answer,
    code.element,
    exampleAnswers(operation),
  );
}

function snippets(form) {
  const blocks = [];
  const entries = Object.entries(LANGUAGES).map(([name, write]) => [
    name,
    () => {
      const block = h("pre", { class: "code" }, write(form.request()));
      blocks.push([block, write]);
      return h("div", { class: "code-box" }, copyButton(() => block.textContent), block);
    },
  ]);
  const element = h("section", { class: "card" }, h("header", { class: "card-head" }, h("h3", {}, "Request")), tabs(entries));
  return { element, refresh: () => blocks.forEach(([block, write]) => (block.textContent = write(form.request()))) };
}

function exampleAnswers(operation) {
  const entries = Object.entries(operation.answers)
    .filter(([, media]) => "example" in media)
    .map(([type, media]) => [
      type,
      () => {
        const text = type.endsWith("event-stream")
          ? `data: ${media.example.data}`
          : type.endsWith("jsonl")
            ? JSON.stringify(media.example)
            : pretty(media.example);
        return h("div", { class: "code-box" }, copyButton(text), jsonBlock(text));
      },
    ]);
  if (!entries.length) return null;
  return h("section", { class: "card" }, h("header", { class: "card-head" }, h("h3", {}, "Example answer")), tabs(entries));
}

/** Sends the request of a form and shows the answer as it comes; sending again while one is under way stops that one. */
class Sender {
  #abort = null;

  constructor(form, answer) {
    this.form = form;
    this.answer = answer;
    this.label = h("span", {}, "Send");
    this.button = h("button", { type: "button", class: "send", onclick: () => this.send() }, icon("M6 4.2 15.500 10 6 15.800Z"), this.label);
  }

  async send() {
    if (this.#abort) {
      this.#abort.abort();
      return;
    }
    const abort = (this.#abort = new AbortController());
    this.#busy(true);
    const started = performance.now();
    const { verb, url, headers, body } = this.form.request();
    try {
      const response = await fetch(url, { method: verb, headers, body, signal: abort.signal });
      await this.#show(response, started);
    } catch (error) {
      const text = abort.signal.aborted ? "Stopped." : `No answer: ${error.message}`;
      this.answer.append(h("p", { class: "notice" }, text));
      if (!this.answer.querySelector(".status")) this.answer.replaceChildren(h("p", { class: "notice" }, text));
    } finally {
      this.#abort = null;
      this.#busy(false);
    }
  }

  #busy(busy) {
    this.label.textContent = busy ? "Stop" : "Send";
    this.button.classList.toggle("busy", busy);
  }

  async #show(response, started) {
    const time = h("span", { class: "muted" });
    const mark = h("span", { class: `status status-${String(response.status)[0]}` }, `${response.status} ${response.statusText}`.trim());
    const took = (extra = "") => (time.textContent = `${Math.round(performance.now() - started)} ms${extra}`);
    took();
    const type = response.headers.get("content-type") ?? "";
    const streamed = type.startsWith("text/event-stream") || type.includes("jsonl");
    const content = streamed ? streamView() : plainView();
    const headers = () => h("pre", { class: "code" }, [...response.headers].map(([name, value]) => `${name}: ${value}\n`));
    const view = tabs([...content.tabs, ["Headers", headers]]);
    const card = h("section", { class: "card" }, h("header", { class: "card-head" }, h("h3", {}, "Answer"), mark, time), view);
    this.answer.replaceChildren(card);
    content.select = view.select;
    if (!streamed) content.show(await response.text());
    else for await (const value of values(response)) took(`, ${content.add(value)} values`);
    if (streamed) content.end();
    took(streamed ? time.textContent.replace(/^[^,]*/, "") : "");
  }
}

function plainView() {
  const box = h("div", { class: "code-box" });
  return {
    tabs: [["Body", () => box]],
    show(text) {
      let shown = text;
      try {
        shown = pretty(JSON.parse(text));
      } catch {
        shown = text || "(empty)";
      }
      box.replaceChildren(copyButton(text), jsonBlock(shown));
    },
  };
}

function streamView() {
  const text = h("div", { class: "stream-text" });
  const list = h("div", { class: "stream-events" });
  let count = 0;
  let shown = false;
  return {
    select: () => {},
    tabs: [["Values", () => list], ["Text", () => text]],
    add(line) {
      count += 1;
      const piece = textIn(line);
      text.append(piece);
      if (piece && !shown) {
        shown = true;
        this.select(1);
      }
      if (list.childElementCount === SHOWN_EVENTS) list.firstElementChild.remove();
      list.append(jsonBlock(line));
      list.scrollTop = list.scrollHeight;
      return count;
    },
    end() {
      if (!count) list.append(h("p", { class: "nothing" }, "No values."));
    },
  };
}

/** Return the text in a streamed value; the last event of an OpenAI stream is no JSON, and has none. */
function textIn(line) {
  try {
    return textOf(JSON.parse(line));
  } catch {
    return "";
  }
}
