import { Code, ConnectError } from "@connectrpc/connect";

import { FrameErrorCode } from "./gen/emotion/v1/emotion_pb.js";
import type { Reason } from "./state.js";
import { CLOSE_CODE_HEADER } from "./websocket-transport.js";

/** What the end of a call means for the session. */
export type Failure =
  /** The connection is lost; trying again later may help. */
  | { readonly kind: "lost"; readonly reason: Reason; readonly message: string }
  /** The server refuses this client. */
  | { readonly kind: "refused"; readonly reason: Reason; readonly message: string }
  /** Only this frame failed; `pauseMs` before the next one. */
  | { readonly kind: "frame"; readonly code: FrameErrorCode; readonly message: string; readonly pauseMs: number };

/** How long to leave a detector in peace that was away. */
const DETECTOR_PAUSE_MS = 1000;

/**
 * UNAVAILABLE of a unary call is the detector's absence, unless these words say
 * that it comes from a proxy that could not reach the gateway, or from a
 * gateway that is stopping: the status is the same.
 */
const SERVER_AWAY = /^(HTTP \d|no healthy upstream|upstream |remote (connection|reset)|delayed connect|the gateway is stopping)/i;

/** What the end of a stream means; `thrown` is what its call threw. */
export function failureOfStream(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const closeCode = error.metadata.get(CLOSE_CODE_HEADER);
  if (closeCode !== null) return lost(closeCode === "1001" ? "going-away" : "server-away", error);
  const refused = refusal(error);
  if (refused) return refused;
  switch (error.code) {
    case Code.ResourceExhausted:
      return lost("session-limit", error);
    case Code.Unavailable:
      // In a stream the detector's absence is an error of each frame: this is the gateway's own end.
      return lost("going-away", error);
    default:
      return lost("server-away", error);
  }
}

/** What the failure of a unary call means; `thrown` is what the call threw. */
export function failureOfUnary(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const refused = refusal(error);
  if (refused) return refused;
  switch (error.code) {
    case Code.InvalidArgument:
      return frame(FrameErrorCode.UNSPECIFIED, error, 0);
    case Code.Internal:
      return frame(FrameErrorCode.INTERNAL, error, 0);
    case Code.ResourceExhausted:
      return lost("session-limit", error);
    case Code.Unavailable:
      if (SERVER_AWAY.test(error.rawMessage)) return lost("server-away", error);
      return frame(FrameErrorCode.DETECTOR_UNAVAILABLE, error, DETECTOR_PAUSE_MS);
    case Code.DeadlineExceeded:
      return lost("no-reply", error);
    default:
      // fetch's own errors ("Failed to fetch") arrive as Code.Unknown.
      return lost("server-away", error);
  }
}

function refusal(error: ConnectError): Failure | undefined {
  const { rawMessage: message } = error;
  switch (error.code) {
    case Code.Unauthenticated:
      return { kind: "refused", reason: "unauthenticated", message };
    case Code.PermissionDenied:
    case Code.Unimplemented:
      return { kind: "refused", reason: "refused", message };
    default:
      return undefined;
  }
}

function lost(reason: Reason, error: ConnectError): Failure {
  return { kind: "lost", reason, message: error.rawMessage };
}

function frame(code: FrameErrorCode, error: ConnectError, pauseMs: number): Failure {
  return { kind: "frame", code, message: error.rawMessage, pauseMs };
}
