import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { AdaptiveRate } from "./adaptive-rate.js";
import { AsyncQueue } from "./async-queue.js";
import { Backoff } from "./backoff.js";
import type { EncodeOptions } from "./encode.js";
import { Emitter, type ClientEvents } from "./events.js";
import { failureOfStream, failureOfUnary, type Failure } from "./failure.js";
import {
  EmotionService,
  type RecognizeOptionsSchema,
  type RecognizeResponse,
  type StreamRecognizeRequestSchema,
  type StreamRecognizeResponse,
  type Recognition,
  type Timings,
  type TrackingState,
  type TrackingStateSchema,
  FrameErrorCode,
} from "./gen/emotion/v1/emotion_pb.js";
import { Pace } from "./pace.js";
import { Rate } from "./rate.js";
import { DEFAULT_POLICY, Session, type SessionPolicy } from "./session.js";
import { createFrameSource, type CapturedFrame, type FrameInput, type FrameSource } from "./source.js";
import type { ClientState } from "./state.js";
import { createWebSocketTransport } from "./websocket-transport.js";

/** How a client connects and what it sends; everything has a default. */
export interface ConnectOptions {
  /** How the server shall analyse. */
  readonly recognize?: MessageInitShape<typeof RecognizeOptionsSchema>;
  /** The most frames to send a second; default 30. Fewer are sent where link or server carry fewer. */
  readonly maxFramesPerSecond?: number;
  /** How frames are encoded; default: longer side 640 pixels at most, quality 0.75. */
  readonly encode?: Partial<EncodeOptions>;
  /**
   * The token for `authorization: Bearer`, asked for at each connection and each
   * call; undefined for none. When a live connection ends because its token ran
   * out, another one is made with a new token; a new token that is refused, too,
   * is the end (`failed`), until `retry`.
   */
  readonly token?: () => string | undefined | Promise<string | undefined>;
  /** Further headers for every connection and call, asked for each time. */
  readonly headers?: () => HeadersInit | Promise<HeadersInit>;
  /** Limits and times of the session. */
  readonly policy?: Partial<SessionPolicy>;
  /** Instead of the browser's own. */
  readonly webSocket?: typeof WebSocket;
}

/** The options that can be changed while frames are sent. */
export type ChangeableOptions = Pick<ConnectOptions, "recognize" | "maxFramesPerSecond" | "encode">;

/** A picture of a recording, for `analyse`. */
export interface RecordedFrame {
  /** JPEG, PNG or WebP file. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** Its time in the recording, in milliseconds; never runs backwards. */
  readonly timeMs: number;
}

/** What was found in a picture of a recording. */
export interface RecordedResult {
  readonly timeMs: number;
  readonly recognition: Recognition;
  readonly timings: Timings | undefined;
}

const DEFAULT_ENCODE: EncodeOptions = { maxSide: 640, quality: 0.75 };
const DEFAULT_FRAMES_PER_SECOND = 30;

interface Stream {
  readonly id: number;
  answered: boolean;
  readonly requests: AsyncQueue<MessageInitShape<typeof StreamRecognizeRequestSchema>>;
  readonly abort: AbortController;
}

/** A client of the server at `url`; nothing is sent before `start` or `recognize`. */
export function connect(url: string | URL, options: ConnectOptions = {}): EmotionClient {
  return new EmotionClient(url, options);
}

/**
 * Sends live frames and gives what is found in them as events.
 *
 * A frame's way: `#run` asks the source for the newest frame as soon as one may
 * be sent, `#send` sends it by stream or by unary call, `#answer` takes the
 * reply to it, `#session` decides everything in between.
 */
export class EmotionClient {
  readonly #baseUrl: string;
  #options: ConnectOptions;
  readonly #events = new Emitter<ClientEvents>();
  readonly #unary: Client<typeof EmotionService>;
  readonly #session: Session;
  readonly #policy: SessionPolicy;

  #source: FrameSource | undefined;
  #stream: Stream | undefined;
  #state: ClientState = { name: "stopped" };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeRun: (() => void) | undefined;
  #capturedAtMs = new Map<number, number>();
  #tracking: TrackingState | undefined;
  #answeredRate = new Rate();
  #sentRate = new Rate();
  #target: AdaptiveRate;
  #dropped = 0;
  #optionsSent = false;

  constructor(url: string | URL, options: ConnectOptions) {
    this.#baseUrl = String(url).replace(/^ws/, "http").replace(/\/$/, "");
    this.#options = options;
    this.#target = new AdaptiveRate(this.#maxFramesPerSecond);
    this.#policy = { ...DEFAULT_POLICY, ...options.policy };
    this.#session = new Session(this.#policy);
    this.#unary = createClient(EmotionService, createGrpcWebTransport({ baseUrl: this.#baseUrl }));
  }

  /** What the client is doing; `state` events tell of changes and of each second of a countdown. */
  get state(): ClientState {
    return this.#state;
  }

  /** Listens for an event; call what it returns to stop listening. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Connects and sends the frames of `input`; a source before it is stopped. */
  start(input: FrameInput): void {
    this.stop();
    const source = createFrameSource(input);
    this.#source = source;
    this.#answeredRate = new Rate();
    this.#sentRate = new Rate();
    this.#target = new AdaptiveRate(this.#maxFramesPerSecond);
    this.#dropped = 0;
    this.#tracking = undefined;
    this.#session.start(performance.now());
    this.#settle();
    void this.#run(source);
  }

  /** Stops sending and closes the connection; the input is left as it is. */
  stop(): void {
    this.#session.stop();
    this.#settle();
  }

  /** Changes options, also while frames are sent: they count from the next frame on. */
  update(options: ChangeableOptions): void {
    this.#options = { ...this.#options, ...options };
    this.#target.most = this.#maxFramesPerSecond;
    this.#optionsSent = false;
  }

  /** Connects at once while reconnecting, or again after a failure. */
  retry(): void {
    this.#session.retry(performance.now());
    this.#settle();
  }

  /**
   * Analyses one picture file on its own.
   *
   * @throws ConnectError with the call's status.
   */
  async recognize(image: Uint8Array, signal?: AbortSignal): Promise<RecognizeResponse> {
    return this.#unary.recognize(
      { image, ...(this.#options.recognize && { options: this.#options.recognize }) },
      { timeoutMs: this.#policy.replyTimeoutMs, headers: await this.#headers(), ...(signal && { signal }) },
    );
  }

  /**
   * Analyses the pictures of a recording: every one of them, in order, with
   * faces followed from one to the next. The next picture is made while one is
   * analysed. A server that is away is waited for; `onWait` hears of it.
   *
   * @throws ConnectError where trying again would not help, or once aborted.
   */
  async *analyse(
    frames: AsyncIterable<RecordedFrame>,
    { signal, onWait }: { readonly signal?: AbortSignal; readonly onWait?: (failure: Failure) => void } = {},
  ): AsyncGenerator<RecordedResult> {
    let tracking: MessageInitShape<typeof TrackingStateSchema> = {};
    const pictures = frames[Symbol.asyncIterator]();
    try {
      let upcoming = pictures.next();
      for (;;) {
        const { done, value: picture } = await upcoming;
        if (done) return;
        upcoming = pictures.next();
        // Its error, if any, is thrown when its turn comes.
        upcoming.catch(() => undefined);
        const reply = await this.#recognizePatiently(picture, tracking, signal, onWait);
        tracking = reply.trackingState ?? {};
        if (reply.recognition) yield { timeMs: picture.timeMs, recognition: reply.recognition, timings: reply.timings };
      }
    } finally {
      await pictures.return?.();
    }
  }

  async #recognizePatiently(
    { image, timeMs }: RecordedFrame,
    trackingState: MessageInitShape<typeof TrackingStateSchema>,
    signal: AbortSignal | undefined,
    onWait: ((failure: Failure) => void) | undefined,
  ): Promise<RecognizeResponse> {
    const backoff = new Backoff(this.#policy.backoff, Math.random);
    for (;;) {
      try {
        return await this.#unary.recognize(
          // A time of 0 would mean now.
          { image, trackingState, captureTimeUs: microseconds(timeMs + 1), ...(this.#options.recognize && { options: this.#options.recognize }) },
          { timeoutMs: this.#policy.replyTimeoutMs, headers: await this.#headers(), ...(signal && { signal }) },
        );
      } catch (error) {
        const failure = failureOfUnary(error);
        const passing = failure.kind === "lost" || (failure.kind === "frame" && failure.code === FrameErrorCode.DETECTOR_UNAVAILABLE);
        if (signal?.aborted || !passing) throw error;
        onWait?.(failure);
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
  }

  get #maxFramesPerSecond(): number {
    return this.#options.maxFramesPerSecond ?? DEFAULT_FRAMES_PER_SECOND;
  }

  async #run(source: FrameSource): Promise<void> {
    const pace = new Pace(this.#target.perSecond);
    while (this.#source === source) {
      if (!this.#session.canSend(performance.now())) {
        await new Promise<void>((wake) => (this.#wakeRun = wake));
        continue;
      }
      pace.maxPerSecond = this.#target.perSecond;
      const waitMs = pace.waitMs(performance.now());
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      let frame: CapturedFrame | undefined;
      try {
        frame = await source.next({ ...DEFAULT_ENCODE, ...this.#options.encode });
      } catch (error) {
        if (this.#source !== source) return;
        this.#events.emit("error", { frameId: 0, code: "capture", message: String(error) });
        await new Promise((resolve) => setTimeout(resolve, 1000));
        continue;
      }
      if (this.#source !== source) return;
      if (!frame) {
        this.#session.finish();
        this.#settle();
        return;
      }
      pace.took(performance.now());
      this.#send(frame);
    }
  }

  #send(frame: CapturedFrame): void {
    // The connection may have changed while the frame was taken.
    const ticket = this.#session.send(performance.now());
    if (!ticket) return;
    this.#sentRate.count(performance.now());
    this.#capturedAtMs.set(ticket.frameId, frame.capturedAtMs);
    if (ticket.via === "unary") {
      void this.#sendUnary(ticket.frameId, frame);
    } else {
      this.#stream?.requests.push({
        ...(!this.#optionsSent && this.#options.recognize && { options: this.#options.recognize }),
        frame: { frameId: BigInt(ticket.frameId), image: frame.image, captureTimeUs: microseconds(frame.capturedAtMs) },
      });
      this.#optionsSent = true;
    }
    this.#settle();
  }

  async #sendUnary(frameId: number, frame: CapturedFrame): Promise<void> {
    try {
      const reply = await this.#unary.recognize(
        {
          image: frame.image,
          captureTimeUs: microseconds(frame.capturedAtMs),
          // An empty state asks for tracking from here on.
          trackingState: this.#tracking ?? {},
          ...(this.#options.recognize && { options: this.#options.recognize }),
        },
        { timeoutMs: this.#policy.replyTimeoutMs, headers: await this.#headers() },
      );
      this.#tracking = reply.trackingState;
      this.#answer(frameId, "unary", {
        case: reply.recognition ? "recognition" : undefined,
        value: reply.recognition,
      } as StreamRecognizeResponse["outcome"], reply.timings);
    } catch (error) {
      const failure = failureOfUnary(error);
      if (this.#session.unaryFailed(frameId, failure, performance.now())) {
        this.#capturedAtMs.delete(frameId);
        if (failure.kind === "frame") this.#events.emit("error", { frameId, code: failure.code, message: failure.message });
      }
      this.#settle();
    }
  }

  #openStream(id: number): Stream {
    const stream: Stream = { id, answered: false, requests: new AsyncQueue(), abort: new AbortController() };
    this.#optionsSent = false;
    void this.#readStream(stream);
    return stream;
  }

  async #readStream(stream: Stream): Promise<void> {
    let failure: Failure = { kind: "lost", reason: "going-away", message: "the server ended the stream" };
    try {
      const transport = createWebSocketTransport({
        baseUrl: this.#baseUrl,
        webSocket: this.#options.webSocket,
        onOpen: () => {
          this.#session.opened(stream.id, performance.now());
          this.#settle();
        },
      });
      const replies = createClient(EmotionService, transport).streamRecognize(stream.requests, {
        signal: stream.abort.signal,
        headers: await this.#headers(),
      });
      for await (const reply of replies) {
        stream.answered = true;
        if (this.#stream === stream) this.#answer(Number(reply.frameId), "websocket", reply.outcome, reply.timings);
      }
    } catch (error) {
      failure = failureOfStream(error);
      if (failure.kind === "refused" && failure.reason === "unauthenticated" && stream.answered && this.#options.token) {
        // The token ran out: a new one may do.
        failure = { ...failure, kind: "lost" };
      }
    }
    this.#session.ended(stream.id, failure, performance.now());
    this.#settle();
  }

  #answer(
    frameId: number,
    transport: "websocket" | "unary",
    outcome: StreamRecognizeResponse["outcome"],
    timings: StreamRecognizeResponse["timings"],
  ): void {
    const now = performance.now();
    const roundTripMs = this.#session.answered(frameId, now);
    const capturedAtMs = this.#capturedAtMs.get(frameId) ?? now;
    for (const id of this.#capturedAtMs.keys()) if (id <= frameId) this.#capturedAtMs.delete(id);
    // First the next frame, then what this one showed.
    this.#settle();
    // An answer to no frame (frame_id 0) can only be an error; other unknown answers are late ones.
    if (roundTripMs === undefined && frameId !== 0) return;
    switch (outcome.case) {
      case "recognition":
        this.#answeredRate.count(now);
        this.#target.answered(timings, now);
        this.#events.emit("result", {
          frameId,
          recognition: outcome.value,
          timings,
          capturedAtMs,
          roundTripMs: roundTripMs ?? 0,
          framesPerSecond: this.#answeredRate.perSecond(now),
          sentPerSecond: this.#sentRate.perSecond(now),
          targetPerSecond: this.#target.perSecond,
          dropped: this.#dropped,
          transport,
        });
        break;
      case "dropped":
        this.#dropped += 1;
        this.#target.dropped(now);
        this.#events.emit("dropped", { frameId, dropped: this.#dropped });
        break;
      case "error":
        this.#events.emit("error", { frameId, code: outcome.value.code, message: outcome.value.message });
        break;
      default:
        this.#events.emit("error", { frameId, code: FrameErrorCode.UNSPECIFIED, message: "the server's answer was empty" });
    }
  }

  async #headers(): Promise<HeadersInit> {
    const headers = new Headers(await this.#options.headers?.());
    const token = await this.#options.token?.();
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return headers;
  }

  /** Makes the world as the session wants it: its stream, its timer, the state told, the next frame asked for. */
  #settle(): void {
    const now = performance.now();
    if (this.#stream?.id !== this.#session.stream) {
      const old = this.#stream;
      this.#stream = this.#session.stream === undefined ? undefined : this.#openStream(this.#session.stream);
      old?.requests.end();
      old?.abort.abort();
    }

    clearTimeout(this.#timer);
    const wakeAt = this.#session.wakeAt(now);
    if (wakeAt !== undefined) {
      this.#timer = setTimeout(() => {
        this.#session.tick(performance.now());
        this.#settle();
      }, Math.max(0, wakeAt - now));
    }

    const state = this.#session.state(now);
    if (state.name === "stopped" && this.#source) {
      this.#source.close();
      this.#source = undefined;
      this.#capturedAtMs.clear();
    }
    if (this.#source === undefined || this.#session.canSend(now)) {
      this.#wakeRun?.();
      this.#wakeRun = undefined;
    }
    if (!sameState(state, this.#state)) {
      this.#state = state;
      this.#events.emit("state", state);
    }
  }
}

function microseconds(milliseconds: number): bigint {
  return BigInt(Math.max(1, Math.round(milliseconds * 1000)));
}

function sameState(a: ClientState, b: ClientState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
