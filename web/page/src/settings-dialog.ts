import { pageElement } from "./page-element.js";
import { DEFAULT_SETTINGS, type Settings, type SettingsStore } from "./settings.js";

type Shown = Exclude<keyof Settings, "mirror" | "cameraId">;

/** How a number is written beside its control. */
const WRITTEN: Partial<Record<Shown, (value: number) => string>> = {
  quality: (value) => `${Math.round(value * 100)}%`,
  smoothingSeconds: (value) => (value === 0 ? "none" : `${value.toFixed(1)} s`),
  minDetectionScore: (value) => `${Math.round(value * 100)}%`,
};

/** The dialog with the settings; each change counts at once. */
export class SettingsDialog {
  readonly #dialog = pageElement<HTMLDialogElement>("settings");
  readonly #form = pageElement<HTMLFormElement>("settings-form");

  constructor(
    private readonly store: SettingsStore,
    private readonly changed: () => void,
  ) {
    pageElement("open-settings").addEventListener("click", () => {
      this.#fill();
      this.#dialog.showModal();
    });
    pageElement("reset-settings").addEventListener("click", () => this.#change(DEFAULT_SETTINGS));
    pageElement("close-settings").addEventListener("click", () => this.#dialog.close());
    this.#form.addEventListener("input", ({ target }) => {
      const control = target as HTMLInputElement | HTMLSelectElement;
      const value = control instanceof HTMLInputElement && control.type === "checkbox" ? control.checked : Number(control.value);
      this.#change({ [control.name]: value });
    });
    // A click beside the dialog closes it.
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
  }

  #change(changes: Partial<Settings>): void {
    this.store.change(changes);
    this.#fill();
    this.changed();
  }

  #fill(): void {
    for (const control of this.#form.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[name]")) {
      const name = control.name as Shown;
      const value = this.store.current[name];
      if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = value === true;
      else control.value = String(value);
      const written = WRITTEN[name];
      if (written) pageElement(`${control.id}-value`).textContent = written(Number(value));
    }
  }
}
