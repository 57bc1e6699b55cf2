// Writes one request as a command or a short program.

/** A request to write down: { verb, url, headers: {name: value}, body: string | null, streams: boolean }. */

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ verb, url, headers, body, streams }) {
  const lines = [`curl ${streams ? "-N " : ""}${verb === "GET" ? "" : `-X ${verb} `}${quoted(url)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== null) lines.push(`-d ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

function python({ verb, url, headers, body, streams }) {
  const named = Object.entries(headers).filter(([name]) => name !== "content-type");
  const options = [
    named.length ? `headers=${dict(named)}` : null,
    body === null ? null : `json=${literal(parsed(body), "    ")}`,
  ].filter(Boolean);
  const inner = [JSON.stringify(url), ...options].map((option) => `    ${option},\n`).join("");
  if (!streams) return `import httpx\n\nresponse = httpx.${verb === "GET" || verb === "POST" ? verb.toLowerCase() : `request("${verb}", `}${
    verb === "GET" || verb === "POST" ? "(" : ""}\n${inner})\nresponse.raise_for_status()\nprint(response.text)`;
  return `import httpx\n\nwith httpx.stream(\n    "${verb}",\n${inner}    timeout=None,\n) as response:\n    response.raise_for_status()\n    for line in response.iter_lines():\n        if line.startswith("data:"):\n            print(line[5:].strip())`;
}

function javascript({ verb, url, headers, body, streams }) {
  const options = [
    verb === "GET" ? null : `method: "${verb}"`,
    Object.keys(headers).length ? `headers: ${JSON.stringify(headers)}` : null,
    body === null ? null : `body: JSON.stringify(${indented(JSON.stringify(parsed(body), null, 2))})`,
  ].filter(Boolean);
  const call = options.length ? `, {\n${options.map((option) => `  ${option},\n`).join("")}}` : "";
  const head = `const response = await fetch(${JSON.stringify(url)}${call});`;
  if (!streams) return `${head}\nif (!response.ok) throw new Error(await response.text());\nconsole.log(await response.text());`;
  return `${head}\nconst text = response.body.pipeThrough(new TextDecoderStream());\nfor await (const piece of text) console.log(piece);`;
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

const indented = (text) => text.replaceAll("\n", "\n  ");

function dict(entries) {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(", ")}}`;
}

/** Return a JSON value as Python writes it. */
function literal(value, margin) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${margin}    `;
  const items = Array.isArray(value)
    ? value.map((item) => literal(item, deeper))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, deeper)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return items.length ? `${open}\n${items.map((item) => `${deeper}${item},\n`).join("")}${margin}${close}` : open + close;
}

/** The languages, by the name on their tab. */
export const LANGUAGES = { curl, Python: python, JavaScript: javascript };
