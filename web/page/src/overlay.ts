import type { Size } from "./geometry.js";
import { OverlayPainter, type OverlayView } from "./overlay-painter.js";
import type { Scene } from "./scene.js";

/** The canvas that covers the stage, sharp at any pixel ratio; drawn in a worker where the browser can. */
export class Overlay {
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #size: Size = { width: 0, height: 0 };
  #scene: Scene = { faces: [], picture: { width: 0, height: 0 }, mirrored: false, selected: undefined };
  #takenAtMs: number | undefined;
  #paint: ((view: OverlayView) => void) | undefined;
  readonly #resized = new ResizeObserver(([entry]) => {
    this.#size = entry!.contentRect;
    this.#show();
  });

  constructor(private canvas: HTMLCanvasElement) {
    this.#resized.observe(canvas);
    this.#calm.addEventListener("change", () => this.#show());
  }

  /** In the page's own pixels. */
  get size(): Size {
    return this.#size;
  }

  /** Whether boxes stay where they were seen, for people who want no motion. */
  get still(): boolean {
    return this.#calm.matches;
  }

  /** Shows faces of a frame that was taken at `takenAtMs` on performance.now()'s clock, moved on since; without a time, faces that do not move. */
  show(scene: Scene, takenAtMs?: number): void {
    this.#scene = scene;
    this.#takenAtMs = takenAtMs;
    this.#show();
  }

  #show(): void {
    // Nothing is loaded before there is something to draw.
    if (!this.#paint && this.#scene.faces.length === 0) return;
    this.#paint ??= this.#startPainter();
    const { faces, ...scene } = this.#scene;
    this.#paint({
      ...scene,
      // No more than what is drawn: it is copied for the worker.
      faces: faces.map(({ number, colour, label, expression, box: { x, y, width, height }, landmarks }) => ({
        ...{ number, colour, label, expression },
        box: { x, y, width, height },
        landmarks: landmarks.map((point) => ({ x: point.x, y: point.y })),
      })),
      takenAtEpochMs: this.#takenAtMs === undefined ? undefined : performance.timeOrigin + this.#takenAtMs,
      still: this.still,
      stage: { width: this.#size.width, height: this.#size.height },
      pixelRatio: devicePixelRatio,
    });
  }

  #startPainter(): (view: OverlayView) => void {
    const { canvas } = this;
    if (typeof Worker !== "function" || typeof OffscreenCanvas !== "function" || !("transferControlToOffscreen" in canvas)) return paintHere(canvas);
    const worker = new Worker(new URL("./overlay-worker.ts", import.meta.url), { type: "module", name: "overlay" });
    // It did not start: perhaps the server has a newer version of the page by now.
    worker.addEventListener("error", () => this.#doWithout(worker), { once: true });
    const drawing = canvas.transferControlToOffscreen();
    worker.postMessage(drawing, [drawing]);
    return (view) => worker.postMessage(view);
  }

  /** A canvas that was given to a worker cannot be had back: another one takes its place. */
  #doWithout(worker: Worker): void {
    worker.terminate();
    const canvas = this.canvas.cloneNode() as HTMLCanvasElement;
    this.canvas.replaceWith(canvas);
    this.canvas = canvas;
    this.#resized.disconnect();
    this.#resized.observe(canvas);
    this.#paint = paintHere(canvas);
    this.#show();
  }
}

function paintHere(canvas: HTMLCanvasElement): (view: OverlayView) => void {
  const painter = new OverlayPainter(canvas);
  return (view) => painter.show(view);
}
