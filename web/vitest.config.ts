import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: { include: ["{client,page}/test/**/*.test.ts"], testTimeout: 10_000 },
});
