import { listCameras } from "./camera.js";
import { pageElement } from "./page-element.js";

/** The choice of a camera, shown where there are several. */
export class CameraPicker {
  readonly #element = pageElement("camera-choice");
  readonly #select = pageElement<HTMLSelectElement>("camera");
  #shown = false;
  #current = "";

  constructor(choose: (deviceId: string) => void) {
    this.#select.addEventListener("change", () => choose(this.#select.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => {
      if (this.#shown) void this.show(this.#current);
    });
  }

  /** Offers the cameras that there are; `current` is in use. */
  async show(current: string): Promise<void> {
    this.#shown = true;
    this.#current = current;
    const cameras = await listCameras().catch(() => []);
    this.#element.hidden = cameras.length < 2 || !this.#shown;
    this.#select.replaceChildren(...cameras.map(({ deviceId, name }) => new Option(name, deviceId, false, deviceId === current)));
  }

  hide(): void {
    this.#shown = false;
    this.#element.hidden = true;
  }
}
