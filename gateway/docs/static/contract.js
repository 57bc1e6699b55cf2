// Reads an OpenAPI document into what the page shows: areas, operations and named schemas.

const VERBS = ["get", "post", "put", "patch", "delete"];
const PREFIX = "#/components/schemas/";

/** One operation, with the other bindings that do the same. */
class Operation {
  constructor(verb, path, source) {
    this.verb = verb.toUpperCase();
    this.path = path;
    this.id = source.operationId;
    this.area = source.tags?.[0] ?? "Other";
    this.name = words(this.id.replace(/^[^_]*_/, ""));
    this.summary = source.summary ?? "";
    this.description = source.description ?? "";
    this.parameters = source.parameters ?? [];
    this.responses = source.responses ?? {};
    this.scope = source.security?.map((way) => Object.values(way)[0]?.[0]).find(Boolean) ?? "";
    this.body = source.requestBody?.content?.["application/json"] ?? null;
    this.bodyText = source.requestBody?.description ?? "";
    this.bodyRequired = source.requestBody?.required ?? false;
    this.sameAs = source["x-same-as"] ?? "";
    this.others = [];
  }

  /** The media types of a good answer, each with the schema of one value: of an event's data in an event stream. */
  get answers() {
    const content = this.responses["200"]?.content ?? {};
    return Object.fromEntries(Object.entries(content).map(([type, media]) => [type, { ...media, schema: payloadOf(media.schema) }]));
  }

  /** Whether the answer can come as events. */
  get streams() {
    return "text/event-stream" in this.answers;
  }

  matches(terms) {
    const text = `${this.verb} ${this.path} ${this.name} ${this.summary} ${this.others.map((other) => other.path).join(" ")}`;
    return terms.every((term) => text.toLowerCase().includes(term));
  }
}

/** A document, looked up by area, operation and schema. */
export class Contract {
  constructor(document) {
    this.info = document.info;
    this.server = (document.servers?.[0]?.url ?? "/").replace(/\/$/, "");
    this.secured = Boolean(document.components?.securitySchemes);
    this.schemas = document.components?.schemas ?? {};
    this.errors = document.components?.responses ?? {};
    this.operations = new Map();
    const others = [];
    for (const [path, item] of Object.entries(document.paths)) {
      for (const verb of VERBS.filter((verb) => verb in item)) {
        const operation = new Operation(verb, path, item[verb]);
        if (operation.sameAs) others.push(operation);
        else this.operations.set(operation.id, operation);
      }
    }
    const byPlace = new Map([...this.operations.values()].map((one) => [`${one.verb} ${one.path}`, one]));
    for (const other of others) byPlace.get(other.sameAs)?.others.push(other);
    this.areas = (document.tags ?? []).map((tag) => ({
      name: tag.name,
      title: words(tag.name),
      description: tag.description ?? "",
      operations: [...this.operations.values()].filter((operation) => operation.area === tag.name),
    }));
  }

  /** Return a schema behind its reference, with what stands beside the reference. */
  resolve(schema) {
    if (!schema?.$ref) return schema ?? {};
    const { $ref, ...beside } = schema;
    return { ...this.resolve(this.schemas[nameOf(schema)]), ...beside };
  }
}

/** Return the schema of what is sent: of an event's data where the schema is that of an event. */
function payloadOf(schema) {
  const data = schema?.properties?.data;
  const typed = [data, ...(data?.anyOf ?? [])].find((part) => part?.contentSchema);
  return typed ? typed.contentSchema.anyOf[0] : schema;
}

/** Return the name that a schema refers to, "" for none. */
export function nameOf(schema) {
  return schema?.$ref?.startsWith(PREFIX) ? schema.$ref.slice(PREFIX.length) : "";
}

/** Return a CamelCase name as words: "Chat completion". */
export function words(name) {
  const split = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  return split
    .split(" ")
    .map((word, index) => (index && /^[A-Z][a-z]/.test(word) ? word.toLowerCase() : word))
    .join(" ")
    .replace("Open AI", "OpenAI");
}
