/** How frames travel: one bidirectional stream, or a call for each. */
export type TransportName = "websocket" | "unary";

/** Why a connection ended, or cannot be made. */
export type Reason =
  /** The server cannot be reached. */
  | "server-away"
  /** The server is shutting down or restarting. */
  | "going-away"
  /** Frames got no answer. */
  | "no-reply"
  /** The server serves as many sessions as it may. */
  | "session-limit"
  /** The server wants credentials, or others. */
  | "unauthenticated"
  /** The server will not serve this client, whatever it tries again. */
  | "refused";

/** What a client is doing. */
export type ClientState =
  /** Not started, or stopped. */
  | { readonly name: "stopped" }
  /** Making its first connection. */
  | { readonly name: "connecting" }
  /** Sending frames and getting answers. */
  | { readonly name: "live"; readonly transport: TransportName }
  /** The connection is lost; the next attempt begins in `retryInMs` (0: it is under way). */
  | {
      readonly name: "reconnecting";
      readonly attempt: number;
      readonly retryInMs: number;
      readonly reason: Reason;
      readonly message: string;
    }
  /** The connection is lost and trying again by itself would not help; `retry()` does it. */
  | { readonly name: "failed"; readonly reason: Reason; readonly message: string };
