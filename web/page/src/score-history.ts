import { EXPRESSIONS } from "./expression.js";
import type { FaceView } from "./face-view.js";

/** Scores over time, a column for the time and one for each expression; null where a face was away. */
export interface ScoreColumns {
  /** In seconds. */
  readonly times: readonly number[];
  /** In the order of the expressions. */
  readonly scores: readonly (readonly (number | null)[])[];
}

/** How far back histories go, in seconds. */
export const HISTORY_SECONDS = 60;
/** A face is noted this often at most, in seconds. */
const INTERVAL_SECONDS = 0.2;
/** Where a face was away for longer than this, its lines have a gap; in seconds. */
const GAP_SECONDS = 1;

interface FaceHistory {
  times: number[];
  scores: (number | null)[][];
}

/** The last minute of each face's scores. */
export class ScoreHistory {
  readonly #faces = new Map<number, FaceHistory>();

  /** Notes the faces of a frame; `time` in seconds on a clock that never runs backwards. */
  add(faces: readonly FaceView[], time: number): void {
    for (const { number, scores } of faces) {
      const history = this.#faces.get(number) ?? { times: [], scores: EXPRESSIONS.map(() => []) };
      this.#faces.set(number, history);
      const last = history.times.at(-1);
      if (last !== undefined && time - last < INTERVAL_SECONDS) continue;
      if (last !== undefined && time - last > GAP_SECONDS) append(history, last + INTERVAL_SECONDS, () => null);
      append(history, time, (name) => scores?.[name] ?? null);
    }
    for (const [number, history] of this.#faces) {
      const fresh = history.times.findIndex((at) => at >= time - HISTORY_SECONDS);
      if (fresh === -1) this.#faces.delete(number);
      // In larger pieces, as each removal moves the rest.
      else if (fresh > 25) for (const column of [history.times, ...history.scores]) column.splice(0, fresh);
    }
  }

  /** The history of a face. */
  of(number: number): ScoreColumns | undefined {
    return this.#faces.get(number);
  }

  /** Forgets everything. */
  clear(): void {
    this.#faces.clear();
  }
}

function append(history: FaceHistory, time: number, score: (name: (typeof EXPRESSIONS)[number]) => number | null): void {
  history.times.push(time);
  EXPRESSIONS.forEach((name, index) => history.scores[index]!.push(score(name)));
}
