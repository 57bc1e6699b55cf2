// The console: reads readiness and models, and talks to a model over the same REST paths that everybody uses.

import { h } from "/docs/dom.js";
import { textOf, values } from "/docs/stream.js";

const KEY = "altiplano.token";
const EVERY_MS = 5000;
const at = (id) => document.getElementById(id);
const messages = [];
let answering = null;

document.documentElement.dataset.theme =
  localStorage.getItem("altiplano.theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

/** Ask the gateway; the error of an answer that is not a good one is its own message. */
async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...options.headers };
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  at("key-card").hidden = response.status !== 401;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? `HTTP ${response.status}`);
}

function mark(text, good) {
  return h("span", { class: `status ${good ? "status-2" : "status-4"}` }, text);
}

async function showAreas() {
  const response = await fetch("/readyz").catch(() => null);
  const state = (await response?.json().catch(() => null)) ?? { status: "unreachable", upstreams: {} };
  at("ready").replaceChildren(mark(state.status, state.status === "ready"));
  const areas = Object.entries(state.upstreams);
  const rows = areas.map(([area, word]) => h("li", {}, h("b", {}, area), mark(word, word === "ready")));
  at("areas").replaceChildren(...(rows.length ? rows : [h("li", { class: "muted" }, "No service has an address.")]));
}

async function showModels() {
  try {
    const response = await ask("/models/list", { headers: { accept: "application/json" } });
    const models = await response.json();
    at("models").replaceChildren(...(models.length ? models.map(modelRow) : [h("li", { class: "muted" }, "None yet.")]));
    offer(models.filter((model) => model.kind === "llm").map((model) => model.model_id));
  } catch (error) {
    at("models").replaceChildren(h("li", { class: "muted" }, error.message));
  }
}

function modelRow(model) {
  const facts = [model.kind, model.context_length && `${model.context_length} tokens`, ...(model.aliases ?? [])];
  return h(
    "li",
    {},
    h("b", {}, model.model_id),
    mark(model.state ?? "unknown", model.state === "ready"),
    h("small", {}, facts.filter(Boolean).join(" · ")),
  );
}

function offer(ids) {
  const known = [...at("model").options].map((option) => option.value);
  if (ids.join("\n") === known.join("\n")) return;
  at("model").replaceChildren(...ids.map((id) => h("option", { value: id }, id)));
}

function add(role, text) {
  const line = h("li", { class: role }, text);
  at("talk").append(line);
  line.scrollIntoView({ block: "nearest" });
  return line;
}

/** Send the conversation and show the answer as it comes. */
async function answer() {
  const line = add("assistant", "…");
  answering = new AbortController();
  at("send").textContent = "Stop";
  let text = "";
  try {
    const response = await ask("/inference/chat_completion", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: at("model").value, messages, stream: true }),
      signal: answering.signal,
    });
    for await (const data of values(response)) {
      const value = JSON.parse(data);
      if (value.error) throw new Error(value.error.message);
      text += textOf(value);
      if (text) line.textContent = text;
    }
    messages.push({ role: "assistant", content: text, stop_reason: "end_of_turn", tool_calls: [] });
  } catch (error) {
    messages.pop();
    line.classList.add("failed");
    line.textContent = error.name === "AbortError" ? `${text} (stopped)` : error.message;
  } finally {
    answering = null;
    at("send").textContent = "Send";
  }
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if (answering) {
    answering.abort();
    return;
  }
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  messages.push({ role: "user", content: text });
  add("user", text);
  answer();
});

at("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("say").requestSubmit();
});

at("clear").addEventListener("click", () => {
  answering?.abort();
  messages.length = 0;
  at("talk").replaceChildren();
});

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value);
  at("key-card").hidden = true;
  showModels();
});

function refresh() {
  showAreas();
  showModels();
}

refresh();
// connections begin with the first look at them
setTimeout(showAreas, 1000);
setInterval(refresh, EVERY_MS);
