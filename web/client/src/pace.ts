/** Holds frames to a rate on average, whatever the rate of the camera. */
export class Pace {
  #intervalMs: number;
  #dueMs = -Infinity;

  /** @param maxPerSecond more than 0. */
  constructor(maxPerSecond: number) {
    this.#intervalMs = 1000 / maxPerSecond;
  }

  /** The rate from here on; more than 0. */
  set maxPerSecond(rate: number) {
    this.#intervalMs = 1000 / rate;
  }

  /**
   * How long to wait until the next frame may be taken, 0 for not at all. A
   * frame may come a quarter of the interval early, as cameras jitter.
   */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#dueMs - this.#intervalMs / 4 - nowMs);
  }

  /** Notes that a frame was taken. */
  took(nowMs: number): void {
    this.#dueMs = Math.max(this.#dueMs + this.#intervalMs, nowMs + this.#intervalMs / 2);
  }
}
