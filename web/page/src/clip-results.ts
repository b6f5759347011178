import { EXPRESSIONS } from "./expression.js";
import type { FaceView } from "./face-view.js";
import type { Rect } from "./geometry.js";
import type { ScoreColumns } from "./score-history.js";

/** What was found at one moment of a clip. */
export interface ClipMoment {
  /** In seconds from the clip's beginning. */
  readonly time: number;
  readonly faces: readonly FaceView[];
}

/** Faces over a whole clip, for any moment of it. */
export class ClipResults {
  readonly #moments: ClipMoment[] = [];

  /** @param stepSeconds between the moments that are analysed. */
  constructor(readonly stepSeconds: number) {}

  /** Moments analysed so far. */
  get length(): number {
    return this.#moments.length;
  }

  /** Adds a moment, which is later than all before. */
  add(moment: ClipMoment): void {
    this.#moments.push(moment);
  }

  /** The numbers of all faces, in the order in which they appeared. */
  numbers(): number[] {
    return [...new Set(this.#moments.flatMap(({ faces }) => faces.map((face) => face.number)))];
  }

  /** The faces at a time: those of the moment before, on their way to the moment after. */
  at(time: number): readonly FaceView[] {
    const index = this.#indexBefore(time);
    const before = this.#moments[index];
    const after = this.#moments[index + 1];
    if (!before || time - before.time > 2 * this.stepSeconds) return [];
    if (!after || time <= before.time) return before.faces;
    const part = (time - before.time) / (after.time - before.time);
    return before.faces.map((face) => {
      const next = after.faces.find((other) => other.number === face.number);
      return next ? { ...(part < 0.5 ? face : next), box: between(face.box, next.box, part) } : face;
    });
  }

  /** A face's scores over the clip. */
  of(number: number): ScoreColumns {
    const found = this.#moments.map(({ faces }) => faces.find((face) => face.number === number)?.scores);
    return {
      times: this.#moments.map(({ time }) => time),
      scores: EXPRESSIONS.map((name) => found.map((scores) => scores?.[name] ?? null)),
    };
  }

  /** The newest moment that is not after `time`; -1 if there is none. */
  #indexBefore(time: number): number {
    let low = -1;
    let high = this.#moments.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      // Players round times: a millisecond is the same moment.
      if (this.#moments[middle]!.time <= time + 0.001) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function between(from: Rect, to: Rect, part: number): Rect {
  const mix = (side: keyof Rect) => from[side] + part * (to[side] - from[side]);
  return { x: mix("x"), y: mix("y"), width: mix("width"), height: mix("height") };
}
