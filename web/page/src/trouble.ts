/** Kinds of trouble that a person is told of. */
export type TroubleCode =
  | "camera-denied"
  | "camera-missing"
  | "camera-busy"
  | "insecure-origin"
  | "server-away"
  | "frame-error"
  | "classifier-away"
  | "unsupported-file"
  | "session-limit"
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
    text: "Allow it with the camera or settings symbol beside the address, then try again. Pictures and videos work without it.",
  },
  "camera-missing": {
    title: "No camera was found.",
    text: "Connect one and try again, or choose a picture or a video.",
  },
  "camera-busy": {
    title: "The camera is in use.",
    text: "Close other programs and tabs that use it, then try again.",
  },
  "insecure-origin": {
    title: "Browsers give the camera to secure pages only.",
    text: "Open this page by https:// or on localhost. Pictures and videos work here too.",
  },
  "server-away": {
    title: "The server cannot be reached.",
    text: "This page goes on trying by itself.",
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
    text: "It serves as many sessions as it can. This page goes on trying by itself.",
  },
  refused: {
    title: "The server refused the connection.",
    text: "It may need you to sign in.",
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
    default:
      return "camera-missing";
  }
}
