import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";

import { failureOfStream, failureOfUnary } from "../src/failure.js";
import { CLOSE_CODE_HEADER } from "../src/websocket-transport.js";

test.each([
  [new ConnectError("bad picture", Code.InvalidArgument), "frame", undefined],
  [new ConnectError("the face detector is away", Code.Unavailable), "frame", undefined],
  [new ConnectError("no healthy upstream", Code.Unavailable), "lost", "server-away"],
  [new ConnectError("upstream connect error or disconnect/reset before headers", Code.Unavailable), "lost", "server-away"],
  [new ConnectError("the gateway is stopping; connect again", Code.Unavailable), "lost", "server-away"],
  [new ConnectError("HTTP 503", Code.Unavailable), "lost", "server-away"],
  [new TypeError("Failed to fetch"), "lost", "server-away"],
  [new ConnectError("too slow", Code.DeadlineExceeded), "lost", "no-reply"],
  [new ConnectError("too many", Code.ResourceExhausted), "lost", "session-limit"],
  [new ConnectError("who are you", Code.Unauthenticated), "refused", "unauthenticated"],
  [new ConnectError("not you", Code.PermissionDenied), "refused", "refused"],
])("a unary call's %o is %s %s", (error, kind, reason) => {
  expect(failureOfUnary(error)).toMatchObject(reason ? { kind, reason } : { kind });
});

test.each([
  [Code.ResourceExhausted, undefined, "lost", "session-limit"],
  [Code.Unauthenticated, undefined, "refused", "unauthenticated"],
  [Code.Unavailable, undefined, "lost", "going-away"],
  [Code.Unavailable, "1001", "lost", "going-away"],
  [Code.Unavailable, "1006", "lost", "server-away"],
  // A close frame alone may come from anything between: worth another try.
  [Code.PermissionDenied, "1008", "lost", "server-away"],
])("a stream's code %i, closed with %s, is %s %s", (code, closeCode, kind, reason) => {
  const error = new ConnectError("message", code, closeCode ? { [CLOSE_CODE_HEADER]: closeCode } : undefined);
  expect(failureOfStream(error)).toMatchObject({ kind, reason });
});
