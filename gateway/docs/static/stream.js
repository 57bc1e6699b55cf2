// Reads a response piece by piece and finds the values in it: events of an event stream, or lines of JSON.

/** Yield the text of every value: the data of each event, or each line. */
export async function* values(response) {
  const events = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
  let data = [];
  for await (const line of lines(response)) {
    if (!events) {
      if (line.trim()) yield line;
    } else if (line.startsWith("data:")) {
      data.push(line.slice(5).replace(/^ /, ""));
    } else if (line === "" && data.length) {
      yield data.join("\n");
      data = [];
    }
  }
  if (data.length) yield data.join("\n");
}

async function* lines(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const parts = rest.split(/\r?\n/);
      rest = done ? "" : parts.pop();
      yield* parts;
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Return the piece of generated text in a streamed value, "" where it has none. */
export function textOf(value) {
  const candidates = [
    value?.delta,
    value?.event?.delta,
    value?.event?.payload?.model_response_text_delta,
    value?.choices?.[0]?.delta?.content,
    value?.choices?.[0]?.text,
  ];
  return candidates.find((candidate) => typeof candidate === "string") ?? "";
}
