/** An open camera. */
export interface Camera {
  readonly stream: MediaStream;
  readonly deviceId: string;
  /** Whether it looks at the user, who expects a mirror then. */
  readonly facesUser: boolean;
}

/** A camera that can be chosen. */
export interface CameraChoice {
  readonly deviceId: string;
  readonly name: string;
}

/**
 * Opens a camera: the one with this id if it is there, or else the user's own.
 *
 * @throws DOMException of getUserMedia; TypeError where there is no such thing (see `cameraTrouble`).
 */
export async function openCamera(deviceId: string): Promise<Camera> {
  const open = (which: MediaTrackConstraints) =>
    navigator.mediaDevices.getUserMedia({
      video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
      audio: false,
    });
  const own = { facingMode: "user" };
  const stream = await (deviceId
    ? open({ deviceId: { exact: deviceId } }).catch((error: unknown) => {
        // It is not connected any more.
        if (error instanceof Error && error.name === "OverconstrainedError") return open(own);
        throw error;
      })
    : open(own));
  const settings = stream.getVideoTracks()[0]?.getSettings();
  return { stream, deviceId: settings?.deviceId ?? "", facesUser: settings?.facingMode !== "environment" };
}

/** The cameras of this device; their names are known once one of them was allowed. */
export async function listCameras(): Promise<CameraChoice[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(({ kind, deviceId }) => kind === "videoinput" && deviceId !== "")
    .map(({ deviceId, label }, index) => ({ deviceId, name: label || `Camera ${index + 1}` }));
}

/** Whether this browser can share a screen. */
export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

/**
 * Lets the user choose a screen, a window or a tab.
 *
 * @throws DOMException of getDisplayMedia, NotAllowedError if the user chose none.
 */
export function openScreen(): Promise<MediaStream> {
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: false });
}

/** Switches a camera off, or ends the sharing of a screen. */
export function closeStream(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
