import { EXPRESSIONS, type ExpressionName } from "./expression.js";
import type { FaceView } from "./face-view.js";

/** Rows are stored in pieces of so many. */
const PIECE_ROWS = 2048;
/** The newest rows that are kept: an hour of two or three faces. */
const MOST_PIECES = 48;
/** A face gets a row this often at most, in seconds. */
const INTERVAL_SECONDS = 0.095;

const BOX = ["x", "y", "width", "height"] as const;
const FIRST_SCORE = 2 + BOX.length;
const COLUMNS = FIRST_SCORE + EXPRESSIONS.length;

interface Piece {
  readonly times: Float64Array;
  readonly values: Float32Array;
  rows: number;
}

/** A face at one moment, as it is exported. */
export interface ScoreRow {
  /** Since the beginning, in seconds. */
  readonly time: number;
  readonly face: number;
  readonly detectionScore: number;
  /** In fractions of the picture. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** Absent while unclassified. */
  readonly scores: Readonly<Record<ExpressionName, number>> | undefined;
}

/** The scores of all faces over time, for export; bounded, however long it runs. */
export class ScoreLog {
  readonly #pieces: Piece[] = [];
  readonly #lastTimes = new Map<number, number>();

  /** Rows kept. */
  get length(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.rows, 0);
  }

  /** Notes the faces of a frame; `time` in seconds. */
  add(faces: readonly FaceView[], time: number): void {
    for (const face of faces) {
      const last = this.#lastTimes.get(face.number);
      if (last !== undefined && time - last < INTERVAL_SECONDS) continue;
      this.#lastTimes.set(face.number, time);
      this.#append(face, time);
    }
    if (this.#lastTimes.size > 1000) this.#lastTimes.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#pieces.length = 0;
    this.#lastTimes.clear();
  }

  /** The rows, oldest first. */
  *rows(): Generator<ScoreRow> {
    for (const { times, values, rows } of this.#pieces) {
      for (let row = 0; row < rows; row += 1) {
        const value = (column: number) => Math.round(values[row * COLUMNS + column]! * 1e5) / 1e5;
        const [x, y, width, height] = BOX.map((_, index) => value(2 + index)) as [number, number, number, number];
        const classified = !Number.isNaN(value(FIRST_SCORE));
        yield {
          time: Math.round(times[row]! * 1000) / 1000,
          face: value(0),
          detectionScore: value(1),
          box: { x, y, width, height },
          scores: classified
            ? (Object.fromEntries(EXPRESSIONS.map((name, index) => [name, value(FIRST_SCORE + index)])) as Record<ExpressionName, number>)
            : undefined,
        };
      }
    }
  }

  #append(face: FaceView, time: number): void {
    let piece = this.#pieces.at(-1);
    if (!piece || piece.rows === PIECE_ROWS) {
      piece = { times: new Float64Array(PIECE_ROWS), values: new Float32Array(PIECE_ROWS * COLUMNS), rows: 0 };
      this.#pieces.push(piece);
      if (this.#pieces.length > MOST_PIECES) this.#pieces.shift();
    }
    piece.times[piece.rows] = time;
    piece.values.set(
      [face.number, face.detectionScore, ...BOX.map((side) => face.box[side]), ...EXPRESSIONS.map((name) => face.scores?.[name] ?? NaN)],
      piece.rows * COLUMNS,
    );
    piece.rows += 1;
  }
}

/** The rows as a CSV file (RFC 4180): a header, then one row a face and moment. */
export function toCsv(rows: Iterable<ScoreRow>): string {
  const lines = [["time_seconds", "face", "detection_score", ...BOX.map((side) => `box_${side}`), ...EXPRESSIONS].join(",")];
  for (const { time, face, detectionScore, box, scores } of rows) {
    lines.push([time, face, detectionScore, ...BOX.map((side) => box[side]), ...EXPRESSIONS.map((name) => scores?.[name] ?? "")].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** The rows as a JSON file, with what they mean. */
export function toJson(rows: Iterable<ScoreRow>): string {
  return JSON.stringify({
    note: "Scores of apparent expression: what a face looks like to a classifier, not what a person feels.",
    units: { time: "seconds since the beginning", box: "fractions of the picture", scores: "0 to 1, together 1" },
    rows: [...rows].map(({ scores, ...row }) => ({ ...row, scores: scores ?? null })),
  });
}
