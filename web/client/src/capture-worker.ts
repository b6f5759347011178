/** The worker in which frames are drawn and encoded, so that the page's thread stays free. */
import type { CaptureReply, CaptureRequest } from "./capture-messages.js";
import { JpegEncoder, type EncodeOptions } from "./encode.js";

const encoder = new JpegEncoder();
let newest: { frame: VideoFrame; arrivedAtEpochMs: number } | undefined;
let ended = false;
let wake: (() => void) | undefined;

self.addEventListener("message", ({ data: request }: MessageEvent<CaptureRequest>) => {
  switch (request.kind) {
    case "track":
      void readTrack(request.frames);
      break;
    case "take":
      void reply(request.number, () => take(request.options));
      break;
    case "encode":
      void reply(request.number, async () => {
        try {
          return { image: await encoder.encode(request.picture, request.width, request.height, request.options) };
        } finally {
          request.picture.close();
        }
      });
      break;
  }
});

/** Reads frames as they come and keeps the newest, as cameras stop when too many are held. */
async function readTrack(frames: ReadableStream<VideoFrame>): Promise<void> {
  const reader = frames.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || !value) break;
    newest?.frame.close();
    newest = { frame: value, arrivedAtEpochMs: performance.timeOrigin + performance.now() };
    wake?.();
  }
  ended = true;
  wake?.();
}

async function take(options: EncodeOptions): Promise<Omit<CaptureReply, "number">> {
  while (!newest && !ended) await new Promise<void>((resolve) => (wake = resolve));
  if (!newest) return {};
  const { frame, arrivedAtEpochMs } = newest;
  newest = undefined;
  try {
    return { image: await encoder.encode(frame, frame.displayWidth, frame.displayHeight, options), capturedAtEpochMs: arrivedAtEpochMs };
  } finally {
    frame.close();
  }
}

async function reply(number: number, act: () => Promise<Omit<CaptureReply, "number">>): Promise<void> {
  let answer: CaptureReply;
  try {
    answer = { number, ...(await act()) };
  } catch (error) {
    answer = { number, error: String(error) };
  }
  // This is a worker: the types of the window's postMessage do not fit.
  (self as unknown as { postMessage(message: CaptureReply, transfer: Transferable[]): void }).postMessage(
    answer,
    answer.image ? [answer.image.buffer] : [],
  );
}
