/** The worker in which the boxes are drawn, so that they move without the page's thread. */
import { OverlayPainter, type OverlayView } from "./overlay-painter.js";

let painter: OverlayPainter | undefined;

// First the canvas, then what it shows.
self.addEventListener("message", ({ data }: MessageEvent<OffscreenCanvas | OverlayView>) => {
  if (data instanceof OffscreenCanvas) painter = new OverlayPainter(data);
  else painter?.show(data);
});
