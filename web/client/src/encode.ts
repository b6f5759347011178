/** How frames are made into JPEG files. */
export interface EncodeOptions {
  /** The longer side is made this long at most, in pixels. */
  readonly maxSide: number;
  /** JPEG quality, 0 to 1. */
  readonly quality: number;
}

/** The size of a picture whose longer side is made `maxSide` at most; never enlarged. */
export function fitWithin(width: number, height: number, maxSide: number): { width: number; height: number } {
  const scale = Math.min(1, maxSide / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Draws pictures on one canvas, used again and again, and encodes it; on the thread that calls it. */
export class JpegEncoder {
  #canvas: OffscreenCanvas | HTMLCanvasElement | undefined;

  /**
   * Encodes a picture of `width` x `height` pixels. The picture is drawn before
   * this returns, so the source may change while the file is being made.
   */
  async encode(picture: CanvasImageSource, width: number, height: number, options: EncodeOptions): Promise<Uint8Array<ArrayBuffer>> {
    const size = fitWithin(width, height, options.maxSide);
    const canvas = (this.#canvas ??= createCanvas());
    if (canvas.width !== size.width) canvas.width = size.width;
    if (canvas.height !== size.height) canvas.height = size.height;
    const context = canvas.getContext("2d", { alpha: false }) as CanvasDrawing | null;
    if (!context) throw new Error("this browser gives no canvas to draw on");
    context.drawImage(picture, 0, 0, size.width, size.height);
    const blob = await toJpeg(canvas, options.quality);
    return new Uint8Array(await blob.arrayBuffer());
  }
}

/**
 * A picture file as a JPEG file of limited size, the right way up (EXIF
 * orientation applied).
 *
 * @throws DOMException if the browser cannot decode the file.
 */
export async function encodePicture(file: Blob, options: EncodeOptions): Promise<Uint8Array<ArrayBuffer>> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    return await new JpegEncoder().encode(bitmap, bitmap.width, bitmap.height, options);
  } finally {
    bitmap.close();
  }
}

type CanvasDrawing = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

function createCanvas(): OffscreenCanvas | HTMLCanvasElement {
  if (typeof OffscreenCanvas === "function" && "convertToBlob" in OffscreenCanvas.prototype) return new OffscreenCanvas(1, 1);
  return document.createElement("canvas");
}

function toJpeg(canvas: OffscreenCanvas | HTMLCanvasElement, quality: number): Promise<Blob> {
  // Not by toBlob: Firefox gives OffscreenCanvas one, too, that takes no callback.
  if ("convertToBlob" in canvas) return canvas.convertToBlob({ type: "image/jpeg", quality });
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be encoded"))), "image/jpeg", quality),
  );
}
