// Streams frames with nice-grpc-web's WebsocketTransport, as it is published, and prints what came back.
//
//   node interop/nice-grpc-web.mjs http://127.0.0.1:8080 face.jpg 20
//
// One line of JSON: {"replies": [{"frame_id", "outcome", "faces"}, ...], "error": null}. Needs `npm run build`.
import { readFile } from "node:fs/promises";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StreamRecognizeRequestSchema, StreamRecognizeResponseSchema } from "@emotion-recognizer/client";
import { createChannel, createClient, WebsocketTransport } from "nice-grpc-web";

/** A message as ts-proto's generated code presents it. */
const messageType = (schema) => ({
  encode: (message) => ({ finish: () => toBinary(schema, message) }),
  decode: (bytes) => fromBinary(schema, bytes),
  fromPartial: (init) => create(schema, init),
});

const definition = {
  name: "EmotionService",
  fullName: "emotion.v1.EmotionService",
  methods: {
    streamRecognize: {
      name: "StreamRecognize",
      requestType: messageType(StreamRecognizeRequestSchema),
      requestStream: true,
      responseType: messageType(StreamRecognizeResponseSchema),
      responseStream: true,
      options: {},
    },
  },
};

const [url, picture, count = "20"] = process.argv.slice(2);
if (!url || !picture) {
  console.error("usage: node interop/nice-grpc-web.mjs BASE_URL PICTURE [COUNT]");
  process.exit(2);
}
const image = new Uint8Array(await readFile(picture));

const replies = [];
let answered = () => {};

/** The frames, each sent when the one before is answered, so that none is overtaken. */
async function* frames() {
  for (let frameId = 1; frameId <= Number(count); frameId += 1) {
    const answer = new Promise((resolve) => (answered = resolve));
    yield { frame: { frameId: BigInt(frameId), image, captureTimeUs: BigInt(frameId * 33_333) } };
    await answer;
  }
}

let error = null;
try {
  const client = createClient(definition, createChannel(url, WebsocketTransport()));
  for await (const reply of client.streamRecognize(frames(), { signal: AbortSignal.timeout(60_000) })) {
    const { case: outcome, value } = reply.outcome;
    replies.push({
      frame_id: Number(reply.frameId),
      outcome: outcome ?? null,
      faces: outcome === "recognition" ? value.faces.length : 0,
    });
    answered();
  }
} catch (thrown) {
  error = String(thrown);
}
console.log(JSON.stringify({ replies, error }));
process.exit(error === null ? 0 : 1);
