import type { FaceView } from "./face-view.js";
import type { Rect, Size } from "./geometry.js";
import { drawScene, type Scene } from "./scene.js";

/** The canvas that covers the stage, sharp at any pixel ratio. */
export class Overlay {
  readonly #context: CanvasRenderingContext2D;
  #size: Size = { width: 0, height: 0 };
  #scene: Scene = { faces: [], picture: { width: 0, height: 0 }, mirrored: false, selected: undefined };
  #scheduled = false;
  /** What was drawn last, and where; nothing is drawn twice. */
  #drawn = "";

  /** @param boxOf where a face is at a time on performance.now()'s clock, in fractions of the picture. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly boxOf: (face: FaceView, nowMs: number) => Rect,
  ) {
    this.#context = canvas.getContext("2d")!;
    new ResizeObserver(([entry]) => {
      this.#size = entry!.contentRect;
      this.draw(performance.now());
    }).observe(canvas);
  }

  /** In the page's own pixels. */
  get size(): Size {
    return this.#size;
  }

  /** Changes what is drawn from the next repaint on. */
  set scene(scene: Scene) {
    this.#scene = scene;
  }

  /** Draws before the next repaint. */
  invalidate(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame((nowMs) => {
      this.#scheduled = false;
      this.draw(nowMs);
    });
  }

  /** Draws now; `nowMs` on performance.now()'s clock. */
  draw(nowMs: number): void {
    const { width, height } = this.#size;
    const boxes = new Map(this.#scene.faces.map((face) => [face, this.boxOf(face, nowMs)]));
    const drawn = this.#describe([...boxes.values()]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const context = this.#context;
    // The pixel ratio changes with zoom, and when a window moves to another screen.
    const columns = Math.round(width * devicePixelRatio);
    const rows = Math.round(height * devicePixelRatio);
    if (this.canvas.width !== columns) this.canvas.width = columns;
    if (this.canvas.height !== rows) this.canvas.height = rows;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, rows);
    if (columns === 0 || rows === 0) return;
    context.setTransform(columns / width, 0, 0, rows / height, 0, 0);
    drawScene(context, this.#size, this.#scene, (face) => boxes.get(face) ?? face.box);
  }

  /** The same for what looks the same: boxes within half a pixel. */
  #describe(boxes: readonly Rect[]): string {
    const { faces, picture, mirrored, selected } = this.#scene;
    const { width, height } = this.#size;
    const half = (fraction: number, pixels: number) => Math.round(2 * fraction * pixels);
    return [
      width,
      height,
      devicePixelRatio,
      picture.width,
      picture.height,
      mirrored,
      selected,
      ...faces.map((face) => `${face.number} ${face.label} ${face.landmarks.length}`),
      ...boxes.map((box) => [half(box.x, width), half(box.y, height), half(box.width, width), half(box.height, height)].join(" ")),
    ].join("|");
  }
}
