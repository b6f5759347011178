import type { Rect, Size } from "./geometry.js";
import { FaceMotion } from "./motion.js";
import { drawScene, type DrawnFace, type Scene } from "./scene.js";

/** What an overlay shows from now on. */
export interface OverlayView extends Scene {
  readonly faces: readonly DrawnFace[];
  /** When the frame was taken that the faces are about, in milliseconds since 1970; undefined for faces that do not move by themselves. */
  readonly takenAtEpochMs: number | undefined;
  /** Whether boxes stay where they were seen, for people who want no motion. */
  readonly still: boolean;
  /** The overlay's size in the page's own pixels, and how many of the screen's there are to each. */
  readonly stage: Size;
  readonly pixelRatio: number;
}

/** Boxes move in steps of at least this, in milliseconds: a little less than the frames of a camera are apart. */
const STEP_MS = 30;

/** Draws boxes on a canvas, and moves them until the next reply; in a worker or on the page's thread. */
export class OverlayPainter {
  readonly #context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
  readonly #motion = new FaceMotion();
  #view: OverlayView | undefined;
  #scheduled = false;
  /** What was drawn last, and where and when; nothing is drawn twice. */
  #drawn = "";
  #drawnAtMs = -Infinity;

  constructor(private readonly canvas: HTMLCanvasElement | OffscreenCanvas) {
    this.#context = canvas.getContext("2d") as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
  }

  /** Draws this before the next repaint, and goes on while faces move. */
  show(view: OverlayView): void {
    this.#view = view;
    this.#motion.still = view.still;
    if (view.takenAtEpochMs === undefined) this.#motion.clear();
    else this.#motion.see(view.faces, view.takenAtEpochMs, epochMs());
    this.#drawnAtMs = -Infinity;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      const nowMs = epochMs();
      const moving = this.#motion.moving(nowMs);
      if (!moving || nowMs - this.#drawnAtMs >= STEP_MS) this.#draw(nowMs);
      if (moving) this.#schedule();
    });
  }

  #draw(nowMs: number): void {
    const view = this.#view;
    if (!view) return;
    this.#drawnAtMs = nowMs;
    const boxes = new Map(view.faces.map((face) => [face, this.#motion.boxAt(face, nowMs)]));
    const drawn = describe(view, [...boxes.values()]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const { canvas } = this;
    const context = this.#context;
    const { stage, pixelRatio } = view;
    const columns = Math.round(stage.width * pixelRatio);
    const rows = Math.round(stage.height * pixelRatio);
    if (canvas.width !== columns) canvas.width = columns;
    if (canvas.height !== rows) canvas.height = rows;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, rows);
    if (columns === 0 || rows === 0) return;
    context.setTransform(columns / stage.width, 0, 0, rows / stage.height, 0, 0);
    drawScene(context, stage, view, (face) => boxes.get(face) ?? face.box);
  }
}

/** Workers have a clock of their own; this one they share with their page. */
function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The same for what looks the same: boxes within half a pixel. */
function describe({ faces, picture, mirrored, selected, stage, pixelRatio }: OverlayView, boxes: readonly Rect[]): string {
  const half = (fraction: number, pixels: number) => Math.round(2 * fraction * pixels);
  return [
    ...[stage.width, stage.height, pixelRatio, picture.width, picture.height, mirrored, selected],
    ...faces.map((face) => `${face.number} ${face.label} ${face.landmarks.length}`),
    ...boxes.flatMap((box) => [half(box.x, stage.width), half(box.y, stage.height), half(box.width, stage.width), half(box.height, stage.height)]),
  ].join("|");
}
