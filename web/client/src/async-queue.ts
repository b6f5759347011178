interface Reader<T> {
  resolve(result: IteratorResult<T>): void;
  reject(error: unknown): void;
}

/** An unbounded queue with one reader: pushed from callbacks, read with `for await`. */
export class AsyncQueue<T> implements AsyncIterableIterator<T> {
  readonly #items: T[] = [];
  #reader: Reader<T> | undefined;
  #ended = false;
  #error: unknown;

  /** Adds an item; ignored after the end. */
  push(item: T): void {
    if (this.#ended) return;
    if (this.#reader) this.#settle((reader) => reader.resolve({ done: false, value: item }));
    else this.#items.push(item);
  }

  /** Ends the queue once its items are read, with `error` if given. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#settle((reader) => (error === undefined ? reader.resolve({ done: true, value: undefined }) : reader.reject(error)));
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) return Promise.resolve({ done: false, value: this.#items.shift()! });
    if (this.#ended) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.end();
    this.#items.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #settle(act: (reader: Reader<T>) => void): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) act(reader);
  }
}
