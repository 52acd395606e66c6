import { defineConfig } from "vite";

export default defineConfig({
  // Served from any folder; loaded once: size does not matter, the time to build does.
  base: "./",
  define: { "process.env.NODE_ENV": '"production"' },
  esbuild: { jsx: "automatic" },
  build: { target: "esnext", minify: false, sourcemap: false, reportCompressedSize: false, chunkSizeWarningLimit: 1e6 },
  logLevel: "error",
});
