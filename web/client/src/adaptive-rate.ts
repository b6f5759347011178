import type { Timings } from "./gen/emotion/v1/emotion_pb.js";

/** The rate is changed at most this often, in milliseconds. */
const STEP_MS = 500;
/** Waiting alone never makes the picture less fluent than this, in frames a second. */
const FLUENT_PER_SECOND = 12;
/** Frames may wait this part of their interval before it counts as a queue. */
const QUEUE_PART = 0.6;
/** Weight of the newest frame in the mean of the waits. */
const NEWEST_WEIGHT = 0.1;

/**
 * Finds how many frames a second link and server carry: a little more while
 * frames come back without waiting, clearly less once they queue up or are
 * dropped (additive increase, multiplicative decrease). The frames in flight
 * bound the delay on their own; this keeps frames from being sent that only
 * wait behind each other. Takes the time as an argument, in milliseconds.
 */
export class AdaptiveRate {
  #perSecond: number;
  #waitMs = 0;
  #dropped = false;
  #changedAtMs = -Infinity;

  /** @param mostPerSecond more than 0; where the rate starts and what it never exceeds. */
  constructor(private mostPerSecond: number) {
    this.#perSecond = mostPerSecond;
  }

  /** Frames a second to send at most. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Sets the highest rate; a lower one counts at once, a higher one is approached. */
  set most(perSecond: number) {
    this.mostPerSecond = perSecond;
    this.#perSecond = Math.min(this.#perSecond, perSecond);
  }

  /** A frame was answered; `timings` says how long it waited in the server. */
  answered(timings: Timings | undefined, nowMs: number): void {
    this.#waitMs += NEWEST_WEIGHT * ((timings?.waitUs ?? 0) / 1000 - this.#waitMs);
    this.#step(nowMs);
  }

  /** A frame was dropped because a newer one overtook it. */
  dropped(nowMs: number): void {
    this.#dropped = true;
    this.#step(nowMs);
  }

  #step(nowMs: number): void {
    if (nowMs - this.#changedAtMs < STEP_MS) return;
    this.#changedAtMs = nowMs;
    if (this.#dropped) this.#perSecond = Math.max(1, this.#perSecond * 0.8);
    else if (this.#waitMs <= (QUEUE_PART * 1000) / this.#perSecond) this.#perSecond = Math.min(this.mostPerSecond, this.#perSecond + 1);
    else if (this.#perSecond > FLUENT_PER_SECOND) this.#perSecond = Math.max(FLUENT_PER_SECOND, this.#perSecond * 0.9);
    this.#dropped = false;
  }
}
