// Uses the page in Firefox, with its fake camera, a picture and a video of a face, and prints what was seen.
//
//   node interop/firefox.mjs FIREFOX http://127.0.0.1:8080 face.jpg face.webm SCREENSHOTS
//
// One line of JSON: the states in the order in which they were brought about, "troubles" of the
// console, "strangers" (addresses asked for elsewhere) and "error": null if every step succeeded.
// Keeps a screenshot of each state in the folder SCREENSHOTS as firefox-<state>.png.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { launch } from "puppeteer-core";

const [executablePath, url, picture, video, screenshots] = process.argv.slice(2);
if (!executablePath || !url || !picture || !video || !screenshots) {
  console.error("usage: node interop/firefox.mjs FIREFOX BASE_URL PICTURE VIDEO SCREENSHOTS");
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

  const give = async (selector, file) => (await page.$(selector)).uploadFile(file);
  const faces = () => page.$$eval("#faces li", (items) => items.map((face) => face.dataset.expression));
  // The left and right side of the drawn box in pixels of the picture, from its left: both are met a little above its lower edge.
  const drawnBox = () =>
    page.evaluate(() => {
      const overlay = document.querySelector("#overlay");
      const { width, height } = overlay;
      // Drawn by a worker: it has no context here.
      const copy = new OffscreenCanvas(width, height).getContext("2d");
      copy.drawImage(overlay, 0, 0);
      const { data } = copy.getImageData(0, 0, width, height);
      let bottom = -1;
      for (let place = 3; place < data.length; place += 4) if (data[place] > 128) bottom = Math.floor(place / 4 / width);
      if (bottom < 40) return null;
      const row = data.subarray(4 * (bottom - 40) * width, 4 * (bottom - 39) * width);
      const painted = Array.from({ length: width }, (_, x) => x).filter((x) => row[4 * x + 3] > 128);
      // The picture keeps its shape (4:3) in the middle.
      const scale = Math.min(width / 640, height / 480);
      const inPicture = (x) => 320 + (x - width / 2) / scale;
      return painted.length > 0 ? { left: inPicture(painted[0]), right: inPicture(painted.at(-1)) } : null;
    });
  const untilDrawn = async () => {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const box = await drawnBox();
      if (box || Date.now() > deadline) return box;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  await give("#picture-file", picture);
  await until(() => /^Analysed in/.test(document.querySelector("#status").textContent));
  seen.picture = {
    expressions: await faces(),
    scores: await page.$$eval("#faces li dl:not([hidden]) > div", (rows) => rows.length),
    width: await page.$eval("#picture", (element) => element.naturalWidth),
    box: await untilDrawn(),
  };
  await photograph("picture");

  await give("#video-file", video);
  await until(() => /whole clip/.test(document.querySelector("#clip-progress-text").textContent));
  const seek = async (seconds) => {
    await page.$eval(
      "#clip-position",
      (slider, value) => {
        slider.value = value;
        slider.dispatchEvent(new Event("input"));
      },
      String(seconds),
    );
    // The picture, the panel and the boxes follow.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { seconds, expressions: await faces(), box: await drawnBox() };
  };
  seen.video = { status: await text("#status"), moments: [await seek(0.5), await seek(2)] };
  await photograph("video");
} catch (thrown) {
  seen.error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exit(seen.error === null ? 0 : 1);
