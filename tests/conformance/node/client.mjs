// Calls a running inference service with stubs made from the contracts alone, and prints what it saw as JSON.
//
// Usage: node client.mjs PROTO_FOLDER ADDRESS

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import protobuf from "protobufjs";

const DEADLINE_MS = 20_000;
const TRAILER = "grpc-status-details-bin";

const [folder, address] = process.argv.slice(2);
const rpc = new protobuf.Root().loadSync(fileURLToPath(new URL("rpc_status.proto", import.meta.url)), { keepCase: true });

const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".proto")).sort();
const contract = protoLoader.loadSync(files, {
  includeDirs: [folder],
  keepCase: true,
  longs: String,
  enums: String,
  oneofs: true,
});

/** Returns the names of all RPCs, as "package.Service/Method", sorted. */
function methods() {
  const services = Object.entries(contract).filter(([, definition]) => !("format" in definition));
  return services.flatMap(([name, service]) => Object.keys(service).map((method) => `${name}/${method}`)).sort();
}

/** Returns a chat request with one message of a user. */
function question(model, members = {}) {
  return { model, messages: [{ user: { content: { text: "hello" } } }], ...members };
}

/** Returns what a failed call says: its code's name, its message, and the ErrorInfo among its details. */
function failure(error) {
  const status = rpc.lookupType("google.rpc.Status").decode(error.metadata.get(TRAILER)[0]);
  const types = status.details.map((detail) => detail.type_url);
  const packed = status.details.find((detail) => detail.type_url.endsWith("/google.rpc.ErrorInfo"));
  const info = rpc.lookupType("google.rpc.ErrorInfo").decode(packed.value).toJSON();
  return { code: grpc.status[error.code], status: status.code, message: status.message, types, info };
}

const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });

/** Resolves to the response of a unary call, or to its failure. */
function unary(client, method, request) {
  return new Promise((resolve) => {
    client[method](request, deadline(), (error, response) => resolve(error ? { failure: failure(error) } : { response }));
  });
}

/** Resolves to the messages of a stream and, where it fails, its failure. */
async function stream(client, method, request) {
  const messages = [];
  try {
    for await (const message of client[method](request, deadline())) {
      messages.push(message);
    }
  } catch (error) {
    return { messages, failure: failure(error) };
  }
  return { messages };
}

const { InferenceService } = grpc.loadPackageDefinition(contract).llamastack.inference.v1;
const client = new InferenceService(address, grpc.credentials.createInsecure());
const tools = [{ tool_name: { custom: "get_forecast" }, parameters: { city: { param_type: "string" } } }];
const answers = {
  unary: await unary(client, "ChatCompletion", question("llama")),
  call: await unary(client, "ChatCompletion", question("caller", { available_tools: tools })),
  stream: await stream(client, "StreamChatCompletion", question("llama")),
  "unknown model": await unary(client, "ChatCompletion", question("nobody")),
  "bad value": await unary(client, "ChatCompletion", question("llama", { sampling_params: { temperature: -1 } })),
  "engine dies": await stream(client, "StreamChatCompletion", question("dying")),
};
client.close();
process.stdout.write(JSON.stringify({ files, methods: methods(), answers }));
