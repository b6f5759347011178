import type { CaptureReply, CaptureRequest } from "./capture-messages.js";
import { JpegEncoder, type EncodeOptions } from "./encode.js";

type Unnumbered<Request> = Request extends { readonly number: number } ? Omit<Request, "number"> : never;

interface Waiting {
  resolve(reply: CaptureReply): void;
  reject(error: Error): void;
}

/** Makes a track's frames readable, where the browser can (Chromium; not in all DOM types yet). */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

/** Whether a track's frames can be read without a video element. */
export function canReadTracks(): boolean {
  return typeof MediaStreamTrackProcessor === "function" && canEncodeInWorkers();
}

function canEncodeInWorkers(): boolean {
  return typeof Worker === "function" && typeof OffscreenCanvas === "function" && "convertToBlob" in OffscreenCanvas.prototype;
}

/** A worker that encodes frames. */
export class CaptureWorker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #numbers = 0;
  #error: Error | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./capture-worker.js", import.meta.url), { type: "module", name: "capture" });
    this.#worker.addEventListener("message", ({ data: reply }: MessageEvent<CaptureReply>) => {
      const waiting = this.#waiting.get(reply.number);
      this.#waiting.delete(reply.number);
      if (reply.error === undefined) waiting?.resolve(reply);
      else waiting?.reject(new Error(reply.error));
    });
    this.#worker.addEventListener("error", () => this.#end(new Error("the worker that encodes frames did not start")));
  }

  /** Whether the worker cannot be used: it did not start, or it was closed. */
  get broken(): boolean {
    return this.#error !== undefined;
  }

  /** Gives the worker the frames of a track, without copies and past the page's thread. */
  readTrack(track: MediaStreamTrack): void {
    const frames = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable;
    this.#worker.postMessage({ kind: "track", frames } satisfies CaptureRequest, [frames]);
  }

  /** Asks for the track's newest frame. */
  take(options: EncodeOptions): Promise<CaptureReply> {
    return this.#ask({ kind: "take", options }, []);
  }

  /** Encodes a picture, which is closed. */
  async encode(picture: VideoFrame | ImageBitmap, width: number, height: number, options: EncodeOptions): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#ask({ kind: "encode", picture, width, height, options }, [picture])).image!;
  }

  /** Ends the worker; requests that wait are refused. */
  close(): void {
    this.#end(new Error("the worker that encodes frames was closed"));
  }

  #ask(request: Unnumbered<CaptureRequest>, transfer: Transferable[]): Promise<CaptureReply> {
    if (this.#error) return Promise.reject(this.#error);
    const number = ++this.#numbers;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ ...request, number }, transfer);
    });
  }

  #end(error: Error): void {
    this.#error ??= error;
    this.#worker.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#error);
    this.#waiting.clear();
  }
}

/** Encodes what elements show: in a worker where the browser can, or else on this thread. */
export class ElementEncoder {
  readonly #here = new JpegEncoder();
  readonly #worker = canEncodeInWorkers() ? startWorker() : undefined;

  /** Encodes what a video or a canvas of `width` x `height` pixels shows now. */
  async encode(element: HTMLVideoElement | HTMLCanvasElement, width: number, height: number, options: EncodeOptions): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#worker && !this.#worker.broken) {
      const picture = await snapshot(element);
      try {
        return await this.#worker.encode(picture, width, height, options);
      } catch (error) {
        picture.close();
        if (!this.#worker.broken) throw error;
      }
    }
    return this.#here.encode(element, width, height, options);
  }

  close(): void {
    this.#worker?.close();
  }
}

/** A worker; undefined where a page's rules forbid it. */
export function startWorker(): CaptureWorker | undefined {
  try {
    return new CaptureWorker();
  } catch {
    return undefined;
  }
}

/** What an element shows now. Video files go by way of a bitmap, which is the right way up in all browsers. */
async function snapshot(element: HTMLVideoElement | HTMLCanvasElement): Promise<VideoFrame | ImageBitmap> {
  const live = element instanceof HTMLVideoElement && element.srcObject !== null;
  return live && typeof VideoFrame === "function" ? new VideoFrame(element) : createImageBitmap(element);
}
