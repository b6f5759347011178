/** Events a second over the last two seconds. */
export class Rate {
  static readonly #WINDOW_MS = 2000;
  readonly #times: number[] = [];

  /** Counts an event. */
  count(nowMs: number): void {
    this.#times.push(nowMs);
    this.#forget(nowMs);
  }

  /** Events a second; 0 before the second event. */
  perSecond(nowMs: number): number {
    this.#forget(nowMs);
    const first = this.#times[0];
    if (first === undefined || this.#times.length < 2) return 0;
    return ((this.#times.length - 1) * 1000) / Math.max(nowMs - first, 1);
  }

  #forget(nowMs: number): void {
    while (this.#times.length > 0 && this.#times[0]! < nowMs - Rate.#WINDOW_MS) this.#times.shift();
  }
}
