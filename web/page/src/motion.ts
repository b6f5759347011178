import type { Rect } from "./geometry.js";

/** A face's place in one reply. */
export interface SeenFace {
  readonly number: number;
  /** In fractions of the picture. */
  readonly box: Rect;
}

/** Faces are moved on for so long at most after they were seen, in milliseconds. */
const AHEAD_MS = 150;
/** A face seen longer ago than this is a new one for the purpose of its movement, in milliseconds. */
const FORGET_MS = 600;
/** What is new in each measured velocity. */
const VELOCITY_GAIN = 0.6;
/** Slower than this is a face that stands still, in fractions of the picture a second. */
const STILL_PER_SECOND = 0.02;

const SIDES = ["x", "y", "width", "height"] as const;

/**
 * Where faces are between replies, and by how much they have moved on since
 * the frame was taken that the newest reply is about. Each reply corrects the
 * movement; the correction is spread over the time until the next one, so that
 * boxes glide and are never behind by more than one reply. All times in
 * milliseconds on one clock.
 */
export class FaceMotion {
  readonly #paths = new Map<number, Path>();
  /** Whether boxes stay where they were seen, for people who want no motion. */
  still = false;

  /** Takes in the faces of a frame that was taken at `takenAtMs`; others are forgotten. */
  see(faces: readonly SeenFace[], takenAtMs: number, nowMs: number): void {
    const numbers = new Set(faces.map((face) => face.number));
    for (const number of this.#paths.keys()) if (!numbers.has(number)) this.#paths.delete(number);
    for (const { number, box } of faces) {
      const path = this.#paths.get(number);
      if (path && takenAtMs - path.takenAtMs < FORGET_MS) path.see(box, takenAtMs, nowMs);
      else this.#paths.set(number, new Path(box, takenAtMs));
    }
  }

  /** Where a face is at `nowMs`. */
  boxAt(face: SeenFace, nowMs: number): Rect {
    const path = this.#paths.get(face.number);
    return path && !this.still ? path.at(nowMs) : face.box;
  }

  /** Whether any face will be elsewhere soon after `nowMs`, as far as is known. */
  moving(nowMs: number): boolean {
    return !this.still && [...this.#paths.values()].some((path) => path.moving(nowMs));
  }

  /** Forgets all faces. */
  clear(): void {
    this.#paths.clear();
  }
}

/** How one face moves. */
class Path {
  #velocity: Rect = { x: 0, y: 0, width: 0, height: 0 };
  /** By how much the box shown differed from the truth at the newest reply. */
  #correction: Rect = { x: 0, y: 0, width: 0, height: 0 };
  #correctedFromMs = 0;
  #correctedInMs = 1;

  constructor(
    private box: Rect,
    public takenAtMs: number,
  ) {}

  moving(nowMs: number): boolean {
    if (nowMs < this.#correctedFromMs + this.#correctedInMs) return true;
    return nowMs < this.takenAtMs + AHEAD_MS && SIDES.some((side) => !this.#still(side));
  }

  at(nowMs: number): Rect {
    const left = Math.max(0, 1 - Math.max(0, nowMs - this.#correctedFromMs) / this.#correctedInMs);
    return bySide((side) => this.#expected(side, nowMs) + left * this.#correction[side]);
  }

  see(box: Rect, takenAtMs: number, nowMs: number): void {
    const interval = takenAtMs - this.takenAtMs;
    // Of two replies that arrive in the wrong order the later frame counts.
    if (interval <= 0) return;
    const shown = this.at(nowMs);
    this.#velocity = bySide((side) => this.#velocity[side] + VELOCITY_GAIN * ((box[side] - this.box[side]) / interval - this.#velocity[side]));
    this.box = box;
    this.takenAtMs = takenAtMs;
    // What is far off has jumped: it does not glide across the picture.
    const jumped = Math.abs(shown.x - box.x) > box.width || Math.abs(shown.y - box.y) > box.height;
    this.#correction = bySide((side) => (jumped ? 0 : shown[side] - this.#expected(side, nowMs)));
    this.#correctedFromMs = nowMs;
    this.#correctedInMs = Math.min(interval, 100);
  }

  #expected(side: keyof Rect, nowMs: number): number {
    if (this.#still(side)) return this.box[side];
    return this.box[side] + this.#velocity[side] * Math.min(AHEAD_MS, Math.max(0, nowMs - this.takenAtMs));
  }

  #still(side: keyof Rect): boolean {
    return Math.abs(this.#velocity[side]) * 1000 < STILL_PER_SECOND;
  }
}

function bySide(value: (side: keyof Rect) => number): Rect {
  const [x, y, width, height] = SIDES.map(value) as [number, number, number, number];
  return { x, y, width, height };
}
