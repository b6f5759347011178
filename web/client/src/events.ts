import type { FrameErrorCode, Recognition, Timings } from "./gen/emotion/v1/emotion_pb.js";
import type { ClientState, TransportName } from "./state.js";

/** What was found in a frame. */
export interface ResultEvent {
  readonly frameId: number;
  readonly recognition: Recognition;
  /** The server's time for this frame, stage by stage. */
  readonly timings: Timings | undefined;
  /** When the frame was taken, in milliseconds on performance.now()'s clock. */
  readonly capturedAtMs: number;
  /** From sending the frame until its answer arrived. */
  readonly roundTripMs: number;
  /** Frames analysed a second, over the last two seconds. */
  readonly framesPerSecond: number;
  /** Frames sent a second, over the last two seconds. */
  readonly sentPerSecond: number;
  /** Frames a second that link and server carry, as far as is known: the most that are sent. */
  readonly targetPerSecond: number;
  /** Frames dropped since the start. */
  readonly dropped: number;
  readonly transport: TransportName;
}

/** A frame was overtaken by a newer one. */
export interface DroppedEvent {
  readonly frameId: number;
  /** Frames dropped since the start. */
  readonly dropped: number;
}

/** A frame could not be analysed, or not be taken; later ones may succeed. */
export interface FrameErrorEvent {
  /** 0 if no frame was sent. */
  readonly frameId: number;
  readonly code: FrameErrorCode | "capture";
  /** For people. */
  readonly message: string;
}

/** The client's events by name. */
export interface ClientEvents {
  result: ResultEvent;
  dropped: DroppedEvent;
  error: FrameErrorEvent;
  state: ClientState;
}

/** Calls listeners by the name of the event. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Adds a listener and returns what removes it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as (event: Events[Name]) => void)(event);
  }
}
