import type { ChangeableOptions } from "@emotion-recognizer/client";

/** What a user can choose; remembered on this device only. */
export interface Settings {
  /** The most frames to send a second. */
  readonly framesPerSecond: number;
  /** The longer side of the pictures sent, in pixels. */
  readonly maxSide: number;
  /** JPEG quality, 0 to 1. */
  readonly quality: number;
  /** Time constant of the smoothing of scores, in seconds. */
  readonly smoothingSeconds: number;
  /** The lowest detection score of a face that is shown, 0 to 1. */
  readonly minDetectionScore: number;
  /** Whether eyes, nose and mouth are marked. */
  readonly landmarks: boolean;
  /** Moments of a video file analysed for each of its seconds. */
  readonly clipFramesPerSecond: number;
  /** Whether the user's own camera is shown as a mirror. */
  readonly mirror: boolean;
  /** The camera used last; empty for the browser's choice. */
  readonly cameraId: string;
}

/** The settings unless told otherwise. */
export const DEFAULT_SETTINGS: Settings = {
  framesPerSecond: 30,
  maxSide: 640,
  quality: 0.75,
  smoothingSeconds: 0.3,
  minDetectionScore: 0.5,
  landmarks: false,
  clipFramesPerSecond: 10,
  mirror: true,
  cameraId: "",
};

const RANGES = {
  framesPerSecond: [1, 60],
  maxSide: [160, 1920],
  quality: [0.3, 0.95],
  smoothingSeconds: [0, 3],
  minDetectionScore: [0.1, 0.95],
  clipFramesPerSecond: [1, 30],
} as const;

const KEY = "emotion-recognizer.settings";

/** Settings out of anything: what is missing, of another kind or out of range takes its default. */
export function settingsOf(stored: unknown): Settings {
  const given: Record<string, unknown> = typeof stored === "object" && stored !== null ? { ...stored } : {};
  const number = (name: keyof typeof RANGES) => {
    const value = given[name];
    const [least, most] = RANGES[name];
    return typeof value === "number" && value >= least && value <= most ? value : DEFAULT_SETTINGS[name];
  };
  const boolean = (name: "landmarks" | "mirror") => (typeof given[name] === "boolean" ? given[name] : DEFAULT_SETTINGS[name]);
  return {
    framesPerSecond: number("framesPerSecond"),
    maxSide: number("maxSide"),
    quality: number("quality"),
    smoothingSeconds: number("smoothingSeconds"),
    minDetectionScore: number("minDetectionScore"),
    clipFramesPerSecond: number("clipFramesPerSecond"),
    landmarks: boolean("landmarks"),
    mirror: boolean("mirror"),
    cameraId: typeof given["cameraId"] === "string" ? given["cameraId"] : "",
  };
}

/** What of the settings the client is to know. */
export function clientOptions(settings: Settings): ChangeableOptions {
  const { framesPerSecond, maxSide, quality, smoothingSeconds, minDetectionScore, landmarks } = settings;
  return {
    maxFramesPerSecond: framesPerSecond,
    encode: { maxSide, quality },
    recognize: { smoothingSeconds, minDetectionScore, landmarks },
  };
}

/** Settings in the browser's storage; where it is forbidden they last as long as the page. */
export class SettingsStore {
  #settings: Settings;

  constructor() {
    this.#settings = settingsOf(read());
  }

  get current(): Settings {
    return this.#settings;
  }

  /** Changes some settings and remembers all of them. */
  change(changes: Partial<Settings>): Settings {
    this.#settings = settingsOf({ ...this.#settings, ...changes });
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#settings));
    } catch {
      // Forbidden or full: nothing is lost but the memory.
    }
    return this.#settings;
  }
}

function read(): unknown {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
