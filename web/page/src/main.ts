import { App } from "./app.js";
import { Message } from "./message.js";
import { pageElement } from "./page-element.js";
import { missingFeatures } from "./trouble.js";

const missing = missingFeatures(globalThis);
if (missing.length === 0) {
  new App();
} else {
  new Message().show("unsupported-browser", { text: `It lacks ${missing.join(", ")}. Use a current version of Chrome, Edge, Firefox or Safari.` });
  for (const control of pageElement("controls").querySelectorAll<HTMLButtonElement | HTMLInputElement>("button, input")) control.disabled = true;
}
