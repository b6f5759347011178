import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The client library's sources, so that one build sees all of it.
  resolve: { conditions: ["source", "module", "browser", "production"] },
  worker: { format: "es" },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // Nothing is inlined: the page's Content-Security-Policy allows files of its own origin only.
    assetsInlineLimit: 0,
  },
});
