/**
 * A slot for the newest frame: putting one replaces the one before, taking
 * empties the slot. Holds the time of the frame only, as the picture itself
 * stays in the video until it is drawn.
 */
export class NewestFrame {
  #atMs: number | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  /** A new frame is there since `atMs`. */
  put(atMs: number): void {
    this.#atMs = atMs;
    this.#wake?.();
  }

  /** No more frames come; a pending `take` ends. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Waits for a frame that was not taken before; undefined once closed. For one taker at a time. */
  async take(): Promise<number | undefined> {
    while (this.#atMs === undefined && !this.#closed) await new Promise<void>((wake) => (this.#wake = wake));
    const atMs = this.#atMs;
    this.#atMs = undefined;
    return this.#closed ? undefined : atMs;
  }
}
