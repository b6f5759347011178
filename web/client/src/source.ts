import { canReadTracks, ElementEncoder, startWorker, type CaptureWorker } from "./capture.js";
import type { EncodeOptions } from "./encode.js";
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
  next(options: EncodeOptions): Promise<CapturedFrame | undefined>;
  /** Lets go of everything; a pending `next` ends. */
  close(): void;
}

/** What frames can be taken from. */
export type FrameInput = HTMLVideoElement | HTMLCanvasElement | MediaStreamTrack | AsyncIterable<Blob>;

/** The source for an input. */
export function createFrameSource(input: FrameInput): FrameSource {
  if (Symbol.asyncIterator in input) return new BlobSource(input);
  if (typeof HTMLVideoElement === "function" && input instanceof HTMLVideoElement) return new VideoSource(input);
  if (typeof HTMLCanvasElement === "function" && input instanceof HTMLCanvasElement) return new CanvasSource(input);
  const track = input as MediaStreamTrack;
  const worker = canReadTracks() ? startWorker() : undefined;
  return worker ? new WorkerTrackSource(track, worker) : new TrackSource(track);
}

/** The frames of a video as it plays, or as it is searched. */
export class VideoSource implements FrameSource {
  readonly #encoder = new ElementEncoder();
  readonly #presented = new NewestFrame();
  #closed = false;

  constructor(private readonly video: HTMLVideoElement) {
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.#presented.put(performance.now());
    if ("requestVideoFrameCallback" in video) this.#watchFrames();
    else this.#watchTime(-1);
  }

  async next(options: EncodeOptions): Promise<CapturedFrame | undefined> {
    for (;;) {
      const capturedAtMs = await this.#presented.take();
      if (capturedAtMs === undefined) return undefined;
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth === 0 || videoHeight === 0) continue;
      return { image: await this.#encoder.encode(this.video, videoWidth, videoHeight, options), capturedAtMs };
    }
  }

  close(): void {
    this.#closed = true;
    this.#presented.close();
    this.#encoder.close();
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

/** The frames of a camera's or a screen's track, read and encoded in a worker: this thread never touches them. */
class WorkerTrackSource implements FrameSource {
  #fallback: TrackSource | undefined;
  #closed = false;

  constructor(
    private readonly track: MediaStreamTrack,
    private readonly worker: CaptureWorker,
  ) {
    worker.readTrack(track);
  }

  async next(options: EncodeOptions): Promise<CapturedFrame | undefined> {
    if (this.#fallback) return this.#fallback.next(options);
    try {
      const { image, capturedAtEpochMs } = await this.worker.take(options);
      if (!image) return undefined;
      return { image, capturedAtMs: capturedAtEpochMs! - performance.timeOrigin };
    } catch (error) {
      if (this.#closed) return undefined;
      if (!this.worker.broken) throw error;
      this.#fallback = new TrackSource(this.track);
      return this.#fallback.next(options);
    }
  }

  close(): void {
    this.#closed = true;
    this.worker.close();
    this.#fallback?.close();
  }
}

/** The frames of a camera's or a screen's track, by way of a video element. */
class TrackSource implements FrameSource {
  readonly #video = document.createElement("video");
  readonly #frames: VideoSource;

  constructor(track: MediaStreamTrack) {
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = new MediaStream([track]);
    this.#frames = new VideoSource(this.#video);
    // A refusal to play shows as no frames; ended tracks end the source.
    this.#video.play().catch(() => undefined);
    track.addEventListener("ended", () => this.close(), { once: true });
  }

  next(options: EncodeOptions): Promise<CapturedFrame | undefined> {
    return this.#frames.next(options);
  }

  close(): void {
    this.#frames.close();
    this.#video.srcObject = null;
  }
}

/** What a canvas shows, at each repaint. */
class CanvasSource implements FrameSource {
  readonly #encoder = new ElementEncoder();
  #closed = false;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  async next(options: EncodeOptions): Promise<CapturedFrame | undefined> {
    const capturedAtMs = await new Promise<number>(requestAnimationFrame);
    if (this.#closed) return undefined;
    return { image: await this.#encoder.encode(this.canvas, this.canvas.width, this.canvas.height, options), capturedAtMs };
  }

  close(): void {
    this.#closed = true;
    this.#encoder.close();
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
