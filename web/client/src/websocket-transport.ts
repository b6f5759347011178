import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextValues, type ContextValues, type Interceptor, type Transport } from "@connectrpc/connect";
import { createClientMethodSerializers, createMethodUrl, runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import { requestHeader, validateTrailer } from "@connectrpc/connect/protocol-grpc-web";

import { AsyncQueue } from "./async-queue.js";
import { DATA_FLAG, encodeClientMessage, encodeMetadata, FrameParser, HALF_CLOSE, parseMetadata } from "./grpc-web.js";

/** Subprotocol of gRPC-Web framing over WebSocket. */
export const SUBPROTOCOL = "grpc-websockets";

/** Metadata of errors that tells the code with which the WebSocket was closed. */
export const CLOSE_CODE_HEADER = "websocket-close-code";

/** How to reach a server. */
export interface WebSocketTransportOptions {
  /** Base address, http(s) or ws(s); the method's path is appended. */
  readonly baseUrl: string;
  /** Instead of the browser's own. */
  readonly webSocket?: typeof WebSocket | undefined;
  readonly interceptors?: Interceptor[];
  /** The longest message to accept, in bytes; 4 MiB unless given. */
  readonly maxMessageBytes?: number;
  /** Called as soon as a call's WebSocket is open. */
  readonly onOpen?: () => void;
}

/**
 * A Connect transport on which calls of every kind, bidirectional ones too,
 * are a WebSocket each.
 */
export function createWebSocketTransport(options: WebSocketTransportOptions): Transport {
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      message: MessageInitShape<I>,
      contextValues?: ContextValues,
    ) {
      const { serialize, parse } = createClientMethodSerializers(method, true);
      return runUnaryCall<I, O>({
        interceptors: options.interceptors ?? [],
        ...(signal && { signal }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        req: {
          stream: false,
          service: method.parent,
          method,
          requestMethod: "POST",
          url: createMethodUrl(options.baseUrl, method),
          header: requestHeader(true, timeoutMs, header, false),
          contextValues: contextValues ?? createContextValues(),
          message,
        },
        next: async (request) => {
          const call = new WebSocketCall(request.url, request.header, request.signal, options);
          call.send(serialize(request.message));
          call.halfClose();
          let answer: ReturnType<typeof parse> | undefined;
          for await (const bytes of call.messages) {
            if (answer !== undefined) throw new ConnectError("more than one message in a unary reply", Code.Unimplemented);
            answer = parse(bytes);
          }
          if (answer === undefined) throw new ConnectError("no message in a unary reply", Code.Unimplemented);
          return {
            stream: false,
            service: method.parent,
            method,
            header: await call.header,
            message: answer,
            trailer: call.trailer,
          };
        },
      });
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ) {
      const { serialize, parse } = createClientMethodSerializers(method, true);
      return runStreamingCall<I, O>({
        interceptors: options.interceptors ?? [],
        ...(signal && { signal }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        req: {
          stream: true,
          service: method.parent,
          method,
          requestMethod: "POST",
          url: createMethodUrl(options.baseUrl, method),
          header: requestHeader(true, timeoutMs, header, false),
          contextValues: contextValues ?? createContextValues(),
          message: input,
        },
        next: async (request) => {
          const call = new WebSocketCall(request.url, request.header, request.signal, options);
          void sendAll(call, request.message, serialize);
          return {
            stream: true,
            service: method.parent,
            method,
            header: await call.header,
            message: parseAll(call.messages, parse),
            trailer: call.trailer,
          };
        },
      });
    },
  };
}

async function sendAll<T>(call: WebSocketCall, messages: AsyncIterable<T>, serialize: (message: T) => Uint8Array): Promise<void> {
  try {
    for await (const message of messages) call.send(serialize(message));
    call.halfClose();
  } catch (error) {
    call.fail(ConnectError.from(error));
  }
}

async function* parseAll<T>(messages: AsyncIterable<Uint8Array>, parse: (bytes: Uint8Array) => T): AsyncGenerator<T> {
  for await (const bytes of messages) yield parse(bytes);
}

/** One call on one WebSocket: bytes of messages in and out, headers, trailers. */
class WebSocketCall {
  /** Response headers; rejects if the call fails before they arrive. */
  readonly header: Promise<Headers>;
  /** Messages of the server; throws the call's error at its end. */
  readonly messages = new AsyncQueue<Uint8Array>();
  /** Filled when `messages` has ended. */
  readonly trailer = new Headers();

  readonly #socket: WebSocket;
  readonly #parser: FrameParser;
  readonly #unsent: Uint8Array<ArrayBuffer>[] = [];
  #header: Headers | undefined;
  #resolveHeader!: (header: Headers) => void;
  #rejectHeader!: (error: unknown) => void;
  #opened = false;
  #finished = false;

  constructor(url: string, header: Headers, signal: AbortSignal, options: WebSocketTransportOptions) {
    signal.throwIfAborted();
    this.#parser = new FrameParser(options.maxMessageBytes ?? 4 * 1024 * 1024);
    this.header = new Promise((resolve, reject) => {
      this.#resolveHeader = resolve;
      this.#rejectHeader = reject;
    });
    // A failure is also thrown by `messages`: nobody has to wait for headers.
    this.header.catch(() => undefined);
    this.#unsent.push(encodeMetadata(header));

    const WebSocketClass = options.webSocket ?? WebSocket;
    this.#socket = new WebSocketClass(url.replace(/^http/, "ws"), [SUBPROTOCOL]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("open", () => {
      this.#opened = true;
      for (const bytes of this.#unsent.splice(0)) this.#socket.send(bytes);
      options.onOpen?.();
    });
    this.#socket.addEventListener("message", (event: MessageEvent) => this.#receive(event.data));
    this.#socket.addEventListener("close", (event: CloseEvent) => this.fail(errorOfClose(event, this.#opened)));
    signal.addEventListener("abort", () => this.fail(ConnectError.from(signal.reason, Code.Canceled)));
  }

  send(message: Uint8Array): void {
    this.#write(encodeClientMessage(message));
  }

  halfClose(): void {
    this.#write(HALF_CLOSE);
  }

  /** Ends the call with `error`; nothing happens if it has ended. */
  fail(error: unknown): void {
    this.#finish(error);
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#finished) return;
    if (this.#opened) this.#socket.send(bytes);
    else this.#unsent.push(bytes);
  }

  #receive(data: unknown): void {
    if (this.#finished) return;
    try {
      if (!(data instanceof ArrayBuffer)) throw new Error("the server sent text where bytes were expected");
      for (const { flag, payload } of this.#parser.push(new Uint8Array(data))) {
        if (flag === DATA_FLAG) this.#receiveMessage(payload);
        else this.#receiveMetadata(parseMetadata(payload));
        if (this.#finished) return;
      }
    } catch (error) {
      this.fail(error instanceof ConnectError ? error : new ConnectError(String(error), Code.Internal, undefined, undefined, error));
    }
  }

  #receiveMessage(payload: Uint8Array): void {
    // Some servers send no headers: then the first message stands for them.
    this.#setHeader(new Headers());
    this.messages.push(payload);
  }

  #receiveMetadata(metadata: Headers): void {
    if (!metadata.has("grpc-status")) {
      this.#setHeader(metadata);
      return;
    }
    this.#setHeader(new Headers());
    metadata.forEach((value, name) => this.trailer.set(name, value));
    try {
      validateTrailer(metadata, this.#header!);
      this.#finish();
    } catch (error) {
      this.#finish(error);
    }
  }

  #setHeader(header: Headers): void {
    if (this.#header) return;
    this.#header = header;
    this.#resolveHeader(header);
  }

  #finish(error?: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#rejectHeader(error);
    this.messages.end(error);
    this.#socket.close();
  }
}

/** What a WebSocket that closed before the call's status says. */
function errorOfClose(event: CloseEvent, opened: boolean): ConnectError {
  const reason = event.reason ? `: ${event.reason}` : "";
  const error = opened
    ? new ConnectError(`the server closed the connection (${event.code})${reason}`, codeOfClose(event.code))
    : new ConnectError(`could not open a WebSocket${reason}`, Code.Unavailable);
  error.metadata.set(CLOSE_CODE_HEADER, String(event.code));
  return error;
}

/** The status that stands for a close code of RFC 6455, section 7.4.1. */
function codeOfClose(code: number): Code {
  switch (code) {
    case 1002:
    case 1003:
    case 1007:
    case 1011:
      return Code.Internal;
    case 1008:
      return Code.PermissionDenied;
    case 1009:
      return Code.ResourceExhausted;
    default:
      return Code.Unavailable;
  }
}
