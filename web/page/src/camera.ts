/** An open camera. */
export interface Camera {
  readonly stream: MediaStream;
  /** Whether it looks at the user, who expects a mirror then. */
  readonly mirrored: boolean;
}

/**
 * Opens the user's camera.
 *
 * @throws DOMException of getUserMedia; TypeError where there is no such thing (see `cameraTrouble`).
 */
export async function openCamera(): Promise<Camera> {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
    audio: false,
  });
  const mirrored = stream.getVideoTracks()[0]?.getSettings().facingMode !== "environment";
  return { stream, mirrored };
}

/** Switches a camera off. */
export function closeCamera(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
