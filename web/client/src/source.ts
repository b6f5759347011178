import { JpegEncoder, type EncodeOptions } from "./encode.js";
import { NewestFrame } from "./newest-frame.js";

/** A frame ready to be sent. */
export interface CapturedFrame {
  /** JPEG, PNG or WebP file. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** In milliseconds on performance.now()'s clock. */
  readonly capturedAtMs: number;
}

/** Gives frames when asked: the newest at that moment, each one once. */
export interface FrameSource {
  /** The next frame, as soon as there is a new one; undefined at the end. */
  next(): Promise<CapturedFrame | undefined>;
  /** Lets go of everything; a pending `next` ends. */
  close(): void;
}

/** What frames can be taken from. */
export type FrameInput = HTMLVideoElement | HTMLCanvasElement | MediaStreamTrack | AsyncIterable<Blob>;

/** The source for an input. */
export function createFrameSource(input: FrameInput, options: EncodeOptions): FrameSource {
  if (Symbol.asyncIterator in input) return new BlobSource(input);
  if (typeof HTMLVideoElement === "function" && input instanceof HTMLVideoElement) return new VideoSource(input, options);
  if (typeof HTMLCanvasElement === "function" && input instanceof HTMLCanvasElement) return new CanvasSource(input, options);
  return new TrackSource(input as MediaStreamTrack, options);
}

/** The frames of a video as it plays, or as it is searched. */
export class VideoSource implements FrameSource {
  readonly #encoder: JpegEncoder;
  readonly #presented = new NewestFrame();
  #closed = false;

  constructor(
    private readonly video: HTMLVideoElement,
    options: EncodeOptions,
  ) {
    this.#encoder = new JpegEncoder(options);
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.#presented.put(performance.now());
    if ("requestVideoFrameCallback" in video) this.#watchFrames();
    else this.#watchTime(-1);
  }

  async next(): Promise<CapturedFrame | undefined> {
    for (;;) {
      const capturedAtMs = await this.#presented.take();
      if (capturedAtMs === undefined) return undefined;
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth === 0 || videoHeight === 0) continue;
      return { image: await this.#encoder.encode(this.video, videoWidth, videoHeight), capturedAtMs };
    }
  }

  close(): void {
    this.#closed = true;
    this.#presented.close();
  }

  #watchFrames(): void {
    this.video.requestVideoFrameCallback((nowMs) => {
      if (this.#closed) return;
      this.#presented.put(nowMs);
      this.#watchFrames();
    });
  }

  #watchTime(lastTime: number): void {
    requestAnimationFrame((nowMs) => {
      if (this.#closed) return;
      const { currentTime } = this.video;
      if (currentTime !== lastTime) this.#presented.put(nowMs);
      this.#watchTime(currentTime);
    });
  }
}

/** The frames of a camera's or a screen's track. */
class TrackSource implements FrameSource {
  readonly #video = document.createElement("video");
  readonly #frames: VideoSource;

  constructor(track: MediaStreamTrack, options: EncodeOptions) {
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = new MediaStream([track]);
    this.#frames = new VideoSource(this.#video, options);
    // A refusal to play shows as no frames; ended tracks end the source.
    this.#video.play().catch(() => undefined);
    track.addEventListener("ended", () => this.close(), { once: true });
  }

  next(): Promise<CapturedFrame | undefined> {
    return this.#frames.next();
  }

  close(): void {
    this.#frames.close();
    this.#video.srcObject = null;
  }
}

/** What a canvas shows, at each repaint. */
class CanvasSource implements FrameSource {
  readonly #encoder: JpegEncoder;
  #closed = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    options: EncodeOptions,
  ) {
    this.#encoder = new JpegEncoder(options);
  }

  async next(): Promise<CapturedFrame | undefined> {
    const capturedAtMs = await new Promise<number>(requestAnimationFrame);
    if (this.#closed) return undefined;
    return { image: await this.#encoder.encode(this.canvas, this.canvas.width, this.canvas.height), capturedAtMs };
  }

  close(): void {
    this.#closed = true;
  }
}

/** Picture files, sent as they are, each of them. */
class BlobSource implements FrameSource {
  readonly #blobs: AsyncIterator<Blob>;

  constructor(blobs: AsyncIterable<Blob>) {
    this.#blobs = blobs[Symbol.asyncIterator]();
  }

  async next(): Promise<CapturedFrame | undefined> {
    const { done, value } = await this.#blobs.next();
    if (done) return undefined;
    return { image: new Uint8Array(await value.arrayBuffer()), capturedAtMs: performance.now() };
  }

  close(): void {
    void this.#blobs.return?.();
  }
}
