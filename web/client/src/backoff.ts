/** Limits of the waits between attempts to reconnect, in milliseconds. */
export interface BackoffLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * Waits that grow and differ between clients, so that a server that comes back
 * is not met by all of them at once ("decorrelated jitter": each wait is drawn
 * between the minimum and three times the one before).
 */
export class Backoff {
  #lastMs = 0;

  /** @param random draws from [0, 1). */
  constructor(
    private readonly limits: BackoffLimits,
    private readonly random: () => number,
  ) {}

  /** The next wait, in milliseconds within the limits. */
  next(): number {
    const { minMs, maxMs } = this.limits;
    const highest = Math.max(this.#lastMs, minMs) * 3;
    this.#lastMs = Math.min(maxMs, minMs + this.random() * (highest - minMs));
    return this.#lastMs;
  }

  /** Starts again from the shortest waits. */
  reset(): void {
    this.#lastMs = 0;
  }
}
