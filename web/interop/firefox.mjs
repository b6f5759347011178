// Uses the page in Firefox, with its fake camera and a picture of a face, and prints what was seen.
//
//   node interop/firefox.mjs FIREFOX http://127.0.0.1:8080 face.jpg SCREENSHOTS
//
// One line of JSON: the states in the order in which they were brought about, "troubles" of the
// console, "strangers" (addresses asked for elsewhere) and "error": null if every step succeeded.
// Keeps a screenshot of each state in the folder SCREENSHOTS as firefox-<state>.png.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { launch } from "puppeteer-core";

const [executablePath, url, picture, screenshots] = process.argv.slice(2);
if (!executablePath || !url || !picture || !screenshots) {
  console.error("usage: node interop/firefox.mjs FIREFOX BASE_URL PICTURE SCREENSHOTS");
  process.exit(2);
}
await mkdir(screenshots, { recursive: true });

const browser = await launch({
  browser: "firefox",
  executablePath,
  headless: true,
  defaultViewport: { width: 1280, height: 900 },
  extraPrefsFirefox: {
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
  },
});

const seen = { browser: await browser.version(), troubles: [], strangers: [], error: null };
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) seen.troubles.push(message.text());
  });
  page.on("pageerror", (error) => seen.troubles.push(String(error)));
  page.on("request", (request) => {
    const address = request.url();
    if (!/^(blob|data):/.test(address) && new URL(address).host !== new URL(url).host) seen.strangers.push(address);
  });
  const text = (selector) => page.$eval(selector, (element) => element.textContent);
  const photograph = (state) => page.screenshot({ path: join(screenshots, `firefox-${state}.png`) });
  const until = (check) => page.waitForFunction(check, { polling: 100 });

  await page.goto(url);
  await page.waitForSelector("#welcome", { visible: true });
  seen.first = { headline: await text("#headline"), status: await text("#status") };
  await photograph("first");

  await page.click("#start-camera");
  await until(() => document.querySelector("#status").dataset.state === "live");
  // A second of answers is needed for a rate.
  await until(() => Number.parseFloat(document.querySelector("#answered-rate").textContent) >= 1);
  seen.camera = await page.evaluate(() => {
    const video = document.querySelector("#video");
    const { state, transport } = document.querySelector("#status").dataset;
    return {
      state,
      transport,
      status: document.querySelector("#status").textContent,
      answered: Number.parseFloat(document.querySelector("#answered-rate").textContent),
      round_trip: document.querySelector("#round-trip").textContent,
      width: video.videoWidth,
      playing: !video.paused,
      faces: document.querySelectorAll("#faces li").length,
      message: document.querySelector("#message").hidden ? null : document.querySelector("#message").textContent,
    };
  });
  await photograph("camera");

  await page.evaluate(() => (globalThis.cameraTracks = document.querySelector("#video").srcObject.getTracks()));
  await page.click("#stop");
  await page.waitForSelector("#welcome", { visible: true });
  seen.stopped = await page.evaluate(() => ({
    status: document.querySelector("#status").textContent,
    tracks: globalThis.cameraTracks.map((track) => track.readyState),
    view_hidden: document.querySelector("#view").hidden,
  }));
  await photograph("stopped");

  const input = await page.$("#picture-file");
  await input.uploadFile(picture);
  await until(() => /^Analysed in/.test(document.querySelector("#status").textContent));
  seen.picture = await page.evaluate(() => ({
    expressions: [...document.querySelectorAll("#faces li")].map((face) => face.dataset.expression),
    scores: document.querySelectorAll("#faces li dl:not([hidden]) > div").length,
    width: document.querySelector("#picture").naturalWidth,
    drawn: (() => {
      const canvas = document.querySelector("#overlay");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    })(),
  }));
  await photograph("picture");
} catch (thrown) {
  seen.error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exit(seen.error === null ? 0 : 1);
