import type { Reason } from "@emotion-recognizer/client";

/** Kinds of trouble that a person is told of. */
export type TroubleCode =
  | "camera-denied"
  | "camera-missing"
  | "camera-busy"
  | "screen-denied"
  | "insecure-origin"
  | "unsupported-browser"
  | "server-away"
  | "reconnecting"
  | "frame-error"
  | "classifier-away"
  | "unsupported-file"
  | "session-limit"
  | "signed-out"
  | "refused";

/** What is said of it: what is wrong, and the way out. */
export interface TroubleText {
  readonly title: string;
  readonly text: string;
}

/** The words for each trouble. */
export const TROUBLES: Record<TroubleCode, TroubleText> = {
  "camera-denied": {
    title: "The camera is blocked.",
    text: "Allow it in the browser's settings for this page, then try again. Pictures and videos work without it.",
  },
  "camera-missing": {
    title: "No camera was found.",
    text: "Connect one and try again, or choose a picture or a video.",
  },
  "camera-busy": {
    title: "The camera is in use.",
    text: "Close other programs and tabs that use it, then try again.",
  },
  "screen-denied": {
    title: "No screen is shared.",
    text: "Choose a screen, a window or a tab when the browser asks for it. Some systems must allow the browser to record the screen first.",
  },
  "insecure-origin": {
    title: "Browsers give the camera to secure pages only.",
    text: "Without HTTPS, others in the network could see its pictures. Open this page by https:// or on localhost. Pictures and videos work here too.",
  },
  "unsupported-browser": {
    title: "This browser is too old for this page.",
    text: "Use a current version of Chrome, Edge, Firefox or Safari.",
  },
  "server-away": {
    title: "The server cannot be reached.",
    text: "Check the network. This page goes on trying by itself.",
  },
  reconnecting: {
    title: "The connection was lost.",
    text: "This page connects again by itself.",
  },
  "frame-error": {
    title: "A frame could not be analysed.",
    text: "Later frames are still sent.",
  },
  "classifier-away": {
    title: "Expressions are not available just now.",
    text: "Boxes only for now; labels come back by themselves.",
  },
  "unsupported-file": {
    title: "This file cannot be shown.",
    text: "Choose a JPEG, PNG or WebP picture, or a video that this browser plays, such as MP4 or WebM.",
  },
  "session-limit": {
    title: "The server is full.",
    text: "It serves as many sessions as it can. This page goes on trying by itself and starts when one ends.",
  },
  "signed-out": {
    title: "You are signed out.",
    text: "Sign in again where you opened this page from, then go on here.",
  },
  refused: {
    title: "The server refused the connection.",
    text: "Ask whoever runs it whether you may use it from here.",
  },
};

/** The trouble that getUserMedia's failure is; `secure` as window.isSecureContext. */
export function cameraTrouble(error: unknown, secure: boolean): TroubleCode {
  if (!secure) return "insecure-origin";
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "camera-denied";
    case "NotReadableError":
    case "AbortError":
      return "camera-busy";
    // There is no getUserMedia at all.
    case "TypeError":
      return "unsupported-browser";
    default:
      return "camera-missing";
  }
}

/** The trouble that getDisplayMedia's failure is. */
export function screenTrouble(error: unknown, secure: boolean): TroubleCode {
  const code = cameraTrouble(error, secure);
  return code === "insecure-origin" || code === "unsupported-browser" ? code : "screen-denied";
}

/** The trouble that the end of a connection is. */
export function connectionTrouble(reason: Reason): TroubleCode {
  switch (reason) {
    case "session-limit":
      return "session-limit";
    case "unauthenticated":
      return "signed-out";
    case "refused":
      return "refused";
    case "server-away":
      return "server-away";
    default:
      return "reconnecting";
  }
}

/** How to allow the camera in the browser with this `navigator.userAgent`. */
export function allowCameraText(userAgent: string): string {
  const then = "Then try again. Pictures and videos work without the camera.";
  const how = (() => {
    if (/iPhone|iPad/.test(userAgent)) return "Tap the page symbol in the address bar, then Website Settings, and set Camera to Allow.";
    if (/Android/.test(userAgent)) {
      if (/Firefox/.test(userAgent)) return "Tap the lock symbol beside the address and allow the camera.";
      return "Tap the symbol left of the address, then Permissions, and allow the camera.";
    }
    if (/Firefox/.test(userAgent)) return "Click the crossed-out camera symbol beside the address and remove the block.";
    if (/Edg\//.test(userAgent)) return "Click the lock symbol beside the address, then Permissions for this site, and set Camera to Allow.";
    if (/Chrome/.test(userAgent)) return "Click the settings symbol left of the address and switch Camera on.";
    if (/Safari/.test(userAgent)) return "Open Safari's menu, then Settings for This Website, and set Camera to Allow.";
    return "Open the browser's settings for this page and allow the camera.";
  })();
  return `${how} ${then}`;
}

/** What this browser lacks for the page to work at all. */
export function missingFeatures(scope: object): string[] {
  return ["WebSocket", "fetch", "ReadableStream", "createImageBitmap", "ResizeObserver", "BigInt"].filter((name) => !(name in scope));
}
