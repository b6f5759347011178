/**
 * A gateway for tests and for working on the page: it speaks the wire formats
 * (gRPC-Web over WebSocket, gRPC-Web unary over HTTP), serves the built page,
 * and invents the faces. `npm run fake` starts it on http://localhost:8090.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import {
  ClassifierState,
  Expression,
  FrameErrorCode,
  RecognitionSchema,
  RecognizeRequestSchema,
  RecognizeResponseSchema,
  StreamRecognizeRequestSchema,
  StreamRecognizeResponseSchema,
  type RecognizeRequest,
  type StreamRecognizeRequest,
} from "@emotion-recognizer/client";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { WebSocketServer, type WebSocket } from "ws";

type Reply = MessageInitShape<typeof StreamRecognizeResponseSchema>;

/** How the fake behaves; may be changed while it runs. */
export interface Behaviour {
  /** Whether WebSockets are accepted; false is a proxy that blocks them. */
  webSocket: boolean;
  /** Whether calls reach the service; false is Envoy with nothing behind it. */
  service: boolean;
  /** Whether frames of streams are answered. */
  answering: boolean;
  /** Whether the classifier is there. */
  classifier: boolean;
  /** A detector that is away: errors for every frame. */
  detector: boolean;
  /** Whether a stream is refused because there are too many. */
  full: boolean;
  /** The token that clients must have; undefined for none. */
  token: string | undefined;
  /** How long an answer takes, in milliseconds. */
  delayMs: number;
  /** The bytes of each WebSocket message are cut into pieces of at most so many bytes. */
  pieceBytes: number;
}

const CONTENT_TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** The running fake. */
export class FakeGateway {
  readonly behaviour: Behaviour = {
    webSocket: true,
    service: true,
    answering: true,
    classifier: true,
    detector: true,
    full: false,
    token: undefined,
    delayMs: 8,
    pieceBytes: Infinity,
  };
  /** Header blocks of the streams, as received. */
  readonly headerBlocks: string[] = [];
  /** Messages of all streams. */
  readonly received: StreamRecognizeRequest[] = [];
  /** Requests of unary calls. */
  readonly unary: RecognizeRequest[] = [];
  /** Streams that the client half-closed. */
  halfCloses = 0;
  /** The most frames that were unanswered at once on any stream. */
  mostInFlight = 0;

  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has("grpc-websockets") ? "grpc-websockets" : false) });
  readonly #folder: string | undefined;
  /** Ends a stream with a status. */
  readonly #finish = new Map<WebSocket, (status: number, message: string) => void>();

  /** @param folder what is served to browsers, if anything. */
  constructor(folder?: string) {
    this.#folder = folder;
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#http.on("upgrade", (request, socket, head) => {
      if (!this.behaviour.webSocket || !this.behaviour.service) {
        socket.end(`HTTP/1.1 ${this.behaviour.webSocket ? "503 Service Unavailable" : "403 Forbidden"}\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#stream(webSocket));
    });
  }

  /** Listens on a port of localhost, by default on any free one. */
  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(port, "127.0.0.1", resolve));
    return this;
  }

  /** Base address. */
  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#sockets.clients.size;
  }

  /** Closes all streams with a WebSocket close code; 1006 cuts them off. */
  closeStreams(code: number): void {
    for (const socket of this.#sockets.clients) {
      if (code === 1006) socket.terminate();
      else socket.close(code);
    }
  }

  /** Ends all streams with a gRPC status. */
  endStreams(status: number, message: string): void {
    for (const finish of this.#finish.values()) finish(status, message);
  }

  async stop(): Promise<void> {
    this.closeStreams(1006);
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #stream(socket: WebSocket): void {
    let head = true;
    let inFlight = 0;
    const send = (bytes: Uint8Array) => {
      for (let start = 0; start < bytes.length; start += this.behaviour.pieceBytes) {
        socket.send(bytes.subarray(start, start + this.behaviour.pieceBytes));
      }
    };
    const finish = (status: number, message: string) => {
      send(frame(0x80, trailers(status, message)));
      socket.close(1000);
    };
    this.#finish.set(socket, finish);
    socket.on("close", () => this.#finish.delete(socket));
    socket.on("message", (data: Buffer) => {
      if (head) {
        head = false;
        const headers = data.toString("latin1");
        this.headerBlocks.push(headers);
        send(frame(0x80, new TextEncoder().encode("content-type: application/grpc-web+proto\r\n")));
        if (this.behaviour.full) finish(8, "too%20many%20sessions");
        else if (!this.#admits(/^authorization: (.*)\r$/im.exec(headers)?.[1])) finish(16, "the%20token%20has%20run%20out");
        return;
      }
      if (data.length === 1 && data[0] === 1) {
        this.halfCloses += 1;
        setTimeout(() => finish(0, ""), this.behaviour.delayMs + 5);
        return;
      }
      const request = fromBinary(StreamRecognizeRequestSchema, data.subarray(6));
      this.received.push(request);
      if (!request.frame || !this.behaviour.answering) return;
      this.mostInFlight = Math.max(this.mostInFlight, ++inFlight);
      const { frameId, captureTimeUs } = request.frame;
      setTimeout(() => {
        inFlight -= 1;
        const reply = create(StreamRecognizeResponseSchema, { frameId, captureTimeUs, ...this.#reply() });
        if (socket.readyState === socket.OPEN) send(frame(0x00, toBinary(StreamRecognizeResponseSchema, reply)));
      }, this.behaviour.delayMs);
    });
  }

  #admits(authorization: string | undefined): boolean {
    return this.behaviour.token === undefined || authorization === `Bearer ${this.behaviour.token}`;
  }

  #reply(): Reply {
    if (!this.behaviour.detector) {
      return { outcome: { case: "error", value: { code: FrameErrorCode.DETECTOR_UNAVAILABLE, message: "The face detector is away; later frames may succeed." } } };
    }
    return {
      outcome: { case: "recognition", value: recognition(Date.now() / 1000, this.behaviour.classifier) },
      timings: { waitUs: 100, decodeUs: 400, detectUs: 1100, classifyUs: 900, totalUs: 3000 },
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/emotion.v1.EmotionService/Recognize") {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const message = fromBinary(RecognizeRequestSchema, Buffer.concat(chunks).subarray(5));
      this.unary.push(message);
      setTimeout(() => this.#answerUnary(message, response), this.behaviour.delayMs);
      return;
    }
    const path = request.url === "/" ? "/index.html" : new URL(request.url ?? "/", "http://localhost").pathname;
    try {
      const contents = await readFile(join(this.#folder ?? "", path));
      response.writeHead(200, { "content-type": CONTENT_TYPES[extname(path)] ?? "application/octet-stream" }).end(contents);
    } catch {
      response.writeHead(404).end();
    }
  }

  #answerUnary(message: RecognizeRequest, response: ServerResponse): void {
    response.setHeader("content-type", "application/grpc-web+proto");
    const refusal = !this.behaviour.service
      ? "no healthy upstream"
      : !this.behaviour.detector
        ? "the face detector is away"
        : undefined;
    if (refusal) {
      response.writeHead(200, { "grpc-status": "14", "grpc-message": refusal }).end();
      return;
    }
    if (message.image.length === 0) {
      response.writeHead(200, { "grpc-status": "3", "grpc-message": "the image has no bytes" }).end();
      return;
    }
    const reply = create(RecognizeResponseSchema, {
      recognition: recognition(Date.now() / 1000, this.behaviour.classifier, message.trackingState !== undefined),
      ...(message.trackingState && { trackingState: { nextTrackId: message.trackingState.nextTrackId + 1n } }),
      timings: { totalUs: 3000 },
    });
    response.write(frame(0x00, toBinary(RecognizeResponseSchema, reply)));
    response.end(frame(0x80, trailers(0, "")));
  }
}

function frame(flag: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(5 + payload.length);
  bytes.writeUInt8(flag, 0);
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, 5);
  return bytes;
}

function trailers(status: number, message: string): Uint8Array {
  return new TextEncoder().encode(`grpc-status: ${status}\r\ngrpc-message: ${message}\r\n`);
}

/** Two invented faces that move and change with the time, in seconds. */
function recognition(time: number, classified: boolean, tracked = true): MessageInitShape<typeof RecognitionSchema> {
  const face = (number: number, x: number, expression: Expression) => {
    const high = 0.62 + 0.3 * Math.sin(time * 1.3 + number);
    const low = (1 - high) / 7;
    const score = (place: Expression) => (place === expression ? high : low);
    const scores = {
      neutral: score(Expression.NEUTRAL),
      happiness: score(Expression.HAPPINESS),
      surprise: score(Expression.SURPRISE),
      sadness: score(Expression.SADNESS),
      anger: score(Expression.ANGER),
      disgust: score(Expression.DISGUST),
      fear: score(Expression.FEAR),
      contempt: score(Expression.CONTEMPT),
    };
    return {
      trackId: BigInt(tracked ? number : 0),
      box: { x: x + 0.05 * Math.sin(time), y: 0.28 + 0.05 * Math.cos(time), width: 0.17, height: 0.34 },
      detectionScore: 0.97,
      ...(classified && { expression, scores, rawScores: scores }),
    };
  };
  return {
    faces: [face(1, 0.2, Expression.HAPPINESS), face(2, 0.62, Expression.SURPRISE)],
    imageWidth: 640,
    imageHeight: 480,
    classifierState: classified ? ClassifierState.OK : ClassifierState.UNAVAILABLE,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const gateway = new FakeGateway(join(import.meta.dirname, "../page/dist"));
  await gateway.listen(Number(process.argv[2] ?? 8090));
  console.log(`a fake gateway with the built page: ${gateway.url}`);
}
