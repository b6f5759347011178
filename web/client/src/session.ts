import { Backoff, type BackoffLimits } from "./backoff.js";
import type { Failure } from "./failure.js";
import type { ClientState, Reason, TransportName } from "./state.js";

/** The session's limits and times; all times in milliseconds. */
export interface SessionPolicy {
  /** The most frames of a stream that wait for their answer. */
  readonly maxInFlight: number;
  /** How long a WebSocket may take to open. */
  readonly openTimeoutMs: number;
  /** How long an answer may take before the connection counts as lost. */
  readonly replyTimeoutMs: number;
  /** Waits before attempts to reconnect. */
  readonly backoff: BackoffLimits;
  /** Waits before the WebSocket is tried again while frames travel by unary calls; the last one repeats. */
  readonly probeDelaysMs: readonly [number, ...number[]];
  /** Both ways in turn, or only one. */
  readonly transport: "auto" | TransportName;
}

/** The policy unless told otherwise. */
export const DEFAULT_POLICY: SessionPolicy = {
  maxInFlight: 2,
  openTimeoutMs: 4_000,
  replyTimeoutMs: 10_000,
  backoff: { minMs: 250, maxMs: 10_000 },
  probeDelaysMs: [2_000, 10_000, 60_000],
  transport: "auto",
};

/** Leave to send one frame. */
export interface Ticket {
  readonly frameId: number;
  readonly via: TransportName;
}

interface Sent {
  readonly frameId: number;
  readonly sentAt: number;
}

type Phase =
  | { readonly name: "stopped" }
  /** The WebSocket is being opened. */
  | { readonly name: "opening"; readonly deadline: number }
  /** The WebSocket could not be opened: one unary call shows whether the server is there. */
  | { readonly name: "trying"; readonly deadline: number }
  | { readonly name: "streaming" }
  | { readonly name: "unary"; readonly probes: number; readonly probeAt: number; readonly resumeAt: number }
  | { readonly name: "waiting"; readonly until: number }
  | { readonly name: "failed" };

/**
 * Decides, and does nothing: which way frames travel, when the next one may be
 * sent, when a connection counts as lost and when to try again. Every method
 * takes the time, in milliseconds on a clock that never runs backwards. After
 * each call, the caller looks at `stream` (the WebSocket that should exist),
 * `canSend`, `state` and `wakeAt`.
 */
export class Session {
  readonly #policy: SessionPolicy;
  readonly #backoff: Backoff;
  #phase: Phase = { name: "stopped" };
  #stream: number | undefined;
  #streams = 0;
  #probeDeadline = Infinity;
  #frames = 0;
  #inFlight: Sent[] = [];
  #finishing = false;
  /** Attempts since the last answer; 0 while all is well and before the first loss. */
  #attempt = 0;
  #reason: Reason = "server-away";
  #message = "";

  /** @param random draws from [0, 1), for jitter. */
  constructor(policy: SessionPolicy = DEFAULT_POLICY, random: () => number = Math.random) {
    this.#policy = policy;
    this.#backoff = new Backoff(policy.backoff, random);
  }

  /** Number of the WebSocket stream that should exist; streams are numbered from 1. */
  get stream(): number | undefined {
    return this.#stream;
  }

  /** Frames that wait for their answer. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  start(now: number): void {
    if (this.#phase.name !== "stopped") return;
    this.#attempt = 0;
    this.#finishing = false;
    this.#backoff.reset();
    this.#connect(now);
  }

  stop(): void {
    this.#phase = { name: "stopped" };
    this.#forgetStream();
    this.#inFlight = [];
  }

  /** No more frames come: stops once those in flight are answered. */
  finish(): void {
    this.#finishing = true;
    this.#stopIfFinished();
  }

  /** Tries again at once instead of at the end of the wait, or after a failure. */
  retry(now: number): void {
    if (this.#phase.name === "waiting" || this.#phase.name === "failed") this.#connect(now);
  }

  /** A stream's WebSocket is open. */
  opened(stream: number, _now: number): void {
    if (stream !== this.#stream || this.#phase.name === "streaming") return;
    // Of unary calls in flight nothing is expected any more; their late answers are ignored.
    this.#inFlight = [];
    this.#probeDeadline = Infinity;
    this.#phase = { name: "streaming" };
  }

  /** A stream has ended, whether or not it was ever open. */
  ended(stream: number, failure: Failure, now: number): void {
    if (stream !== this.#stream) return;
    this.#forgetStream();
    switch (this.#phase.name) {
      case "opening":
        this.#neverOpened(now);
        break;
      case "streaming":
        this.#inFlight = [];
        this.#lose(failure, now);
        break;
    }
  }

  /** Whether a frame may be sent now. */
  canSend(now: number): boolean {
    if (this.#finishing) return false;
    switch (this.#phase.name) {
      case "streaming":
        return this.#inFlight.length < this.#policy.maxInFlight;
      case "unary":
        // One at a time: each call carries the tracks of the answer before.
        return this.#inFlight.length === 0 && now >= this.#phase.resumeAt;
      case "trying":
        return this.#inFlight.length === 0;
      default:
        return false;
    }
  }

  /** Takes leave to send a frame; undefined if none may be sent now. */
  send(now: number): Ticket | undefined {
    if (!this.canSend(now)) return undefined;
    const frameId = ++this.#frames;
    this.#inFlight.push({ frameId, sentAt: now });
    return { frameId, via: this.#phase.name === "streaming" ? "websocket" : "unary" };
  }

  /**
   * A frame was answered, whatever the answer. Answers come in order, so
   * frames sent before it are not waited for any longer. Returns the round
   * trip, in milliseconds; undefined for a frame that waits for no answer
   * (unknown, answered before, or of a stream that is gone).
   */
  answered(frameId: number, now: number): number | undefined {
    const index = this.#inFlight.findIndex((sent) => sent.frameId === frameId);
    if (index < 0) return undefined;
    const roundTrip = now - this.#inFlight[index]!.sentAt;
    this.#inFlight.splice(0, index + 1);
    this.#attempt = 0;
    this.#backoff.reset();
    if (this.#phase.name === "trying") this.#goUnary(now);
    this.#stopIfFinished();
    return roundTrip;
  }

  /** A unary call failed. Returns whether it was still waited for. */
  unaryFailed(frameId: number, failure: Failure, now: number): boolean {
    if (!this.#inFlight.some((sent) => sent.frameId === frameId)) return false;
    if (failure.kind === "frame") {
      this.answered(frameId, now);
      if (this.#phase.name === "unary") this.#phase = { ...this.#phase, resumeAt: now + failure.pauseMs };
    } else {
      this.#inFlight = [];
      this.#lose(failure, now);
    }
    return true;
  }

  /** Does what is due; call it at `wakeAt`. */
  tick(now: number): void {
    const phase = this.#phase;
    switch (phase.name) {
      case "opening":
        if (now >= phase.deadline) {
          this.#forgetStream();
          this.#neverOpened(now);
        }
        break;
      case "trying":
        // Without a frame to try with there is nothing to learn: open the WebSocket again later.
        if (now >= phase.deadline && this.#inFlight.length === 0) this.#loseServer(now);
        else this.#watch(now);
        break;
      case "streaming":
        this.#watch(now);
        break;
      case "unary":
        if (this.#stream !== undefined && now >= this.#probeDeadline) this.#forgetStream();
        if (now >= phase.probeAt) this.#probe(phase, now);
        this.#watch(now);
        break;
      case "waiting":
        if (now >= phase.until) this.#connect(now);
        break;
    }
  }

  /** When `tick` is due next; undefined for never. */
  wakeAt(now: number): number | undefined {
    const phase = this.#phase;
    const times = this.#inFlight.length > 0 ? [this.#inFlight[0]!.sentAt + this.#policy.replyTimeoutMs] : [];
    if (phase.name === "opening") times.push(phase.deadline);
    if (phase.name === "trying" && times.length === 0) times.push(phase.deadline);
    if (phase.name === "unary") {
      times.push(phase.probeAt, this.#probeDeadline);
      if (phase.resumeAt > now) times.push(phase.resumeAt);
    }
    if (phase.name === "waiting") {
      // At each full second, for the countdown.
      const left = phase.until - now;
      times.push(left > 1000 ? phase.until - (Math.ceil(left / 1000) - 1) * 1000 : phase.until);
    }
    const next = Math.min(...times);
    return Number.isFinite(next) ? next : undefined;
  }

  state(now: number): ClientState {
    const phase = this.#phase;
    switch (phase.name) {
      case "stopped":
        return { name: "stopped" };
      case "streaming":
        return { name: "live", transport: "websocket" };
      case "unary":
        return { name: "live", transport: "unary" };
      case "failed":
        return { name: "failed", reason: this.#reason, message: this.#message };
      default: {
        if (this.#attempt === 0) return { name: "connecting" };
        const retryInMs = phase.name === "waiting" ? Math.max(0, Math.ceil((phase.until - now) / 1000) * 1000) : 0;
        return { name: "reconnecting", attempt: this.#attempt, retryInMs, reason: this.#reason, message: this.#message };
      }
    }
  }

  #connect(now: number): void {
    this.#inFlight = [];
    if (this.#policy.transport === "unary") {
      this.#try(now);
      return;
    }
    this.#stream = ++this.#streams;
    this.#phase = { name: "opening", deadline: now + this.#policy.openTimeoutMs };
  }

  #neverOpened(now: number): void {
    if (this.#policy.transport === "websocket") this.#loseServer(now);
    else this.#try(now);
  }

  #try(now: number): void {
    this.#phase = { name: "trying", deadline: now + this.#policy.openTimeoutMs };
  }

  #goUnary(now: number): void {
    const probeAt = this.#policy.transport === "auto" ? now + this.#policy.probeDelaysMs[0] : Infinity;
    this.#phase = { name: "unary", probes: 0, probeAt, resumeAt: now };
  }

  /** Opens a WebSocket beside the unary calls; if it opens, frames take it. */
  #probe(phase: Phase & { name: "unary" }, now: number): void {
    const delays = this.#policy.probeDelaysMs;
    const probes = phase.probes + 1;
    this.#phase = { ...phase, probes, probeAt: now + (delays[probes] ?? delays[delays.length - 1]!) };
    if (this.#stream !== undefined) return;
    this.#stream = ++this.#streams;
    this.#probeDeadline = now + this.#policy.openTimeoutMs;
  }

  #watch(now: number): void {
    const oldest = this.#inFlight[0];
    if (!oldest || now < oldest.sentAt + this.#policy.replyTimeoutMs) return;
    this.#forgetStream();
    this.#inFlight = [];
    const seconds = this.#policy.replyTimeoutMs / 1000;
    this.#lose({ kind: "lost", reason: "no-reply", message: `no answer for ${seconds} seconds` }, now);
  }

  #loseServer(now: number): void {
    this.#lose({ kind: "lost", reason: "server-away", message: "the server could not be reached" }, now);
  }

  #lose(failure: Failure, now: number): void {
    this.#forgetStream();
    if (this.#finishing) {
      this.stop();
      return;
    }
    if (failure.kind !== "frame") this.#reason = failure.reason;
    this.#message = failure.message;
    this.#attempt += 1;
    this.#phase = failure.kind === "refused" ? { name: "failed" } : { name: "waiting", until: now + this.#backoff.next() };
  }

  #forgetStream(): void {
    this.#stream = undefined;
    this.#probeDeadline = Infinity;
  }

  #stopIfFinished(): void {
    if (this.#finishing && this.#inFlight.length === 0) this.stop();
  }
}
