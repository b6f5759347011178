import { defineConfig } from "vite";

/** Where `make run` serves. */
const SERVER = process.env["SERVER"] ?? "http://localhost:8080";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  resolve: { conditions: ["source", "module", "browser", "development|production"] },
  worker: { format: "es" },
  server: { proxy: { "/emotion.v1.EmotionService": { target: SERVER, ws: true } } },
});
