// Turns the plain text of comments into elements: paragraphs, lists whose lines begin with "- ", and `code`.

import { h } from "./dom.js";

/** Return the elements of a text. */
export function prose(text) {
  return (text ?? "")
    .trim()
    .split(/\n{2,}/)
    .filter(Boolean)
    .map((paragraph) => {
      const lines = paragraph.split("\n");
      if (lines.every((line) => line.startsWith("- "))) {
        return h("ul", {}, lines.map((line) => h("li", {}, inline(line.slice(2)))));
      }
      return h("p", {}, inline(paragraph));
    });
}

/** Return the nodes of one line of text, with `code` set as such. */
export function inline(text) {
  return (text ?? "").split(/(`[^`]+`)/).filter(Boolean).map((part) =>
    part.length > 2 && part.startsWith("`") && part.endsWith("`") ? h("code", {}, part.slice(1, -1)) : part,
  );
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return a block of JSON in colours; anything else comes out plain. */
export function jsonBlock(text) {
  const block = h("pre", { class: "code" });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    block.append(text.slice(end, match.index));
    const [whole, string, colon, word] = match;
    const kind = string ? (colon ? "key" : "text") : word ? "word" : "number";
    block.append(h("span", { class: `json-${kind}` }, string ?? whole), colon ?? "");
    end = match.index + whole.length;
  }
  block.append(text.slice(end));
  return block;
}
