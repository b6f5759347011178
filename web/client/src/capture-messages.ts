import type { EncodeOptions } from "./encode.js";

/** What the page asks of the worker; each request with a number is answered once. */
export type CaptureRequest =
  /** Frames of a track, to take from; the worker keeps the newest one only. */
  | { readonly kind: "track"; readonly frames: ReadableStream<VideoFrame> }
  /** The newest frame of the track, as soon as there is one that was not taken before. */
  | { readonly kind: "take"; readonly number: number; readonly options: EncodeOptions }
  /** This picture, of so many pixels. */
  | {
      readonly kind: "encode";
      readonly number: number;
      readonly picture: VideoFrame | ImageBitmap;
      readonly width: number;
      readonly height: number;
      readonly options: EncodeOptions;
    };

/** What the worker answers to the request with this number. */
export interface CaptureReply {
  readonly number: number;
  /** JPEG file; absent once the track has ended, or with an error. */
  readonly image?: Uint8Array<ArrayBuffer>;
  /** When the track's frame arrived, in milliseconds since 1970, as fine as performance.now(). */
  readonly capturedAtEpochMs?: number;
  readonly error?: string;
}
