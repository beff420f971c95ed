import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // Relative addresses: the page also works below a path of a reverse proxy.
  base: "./",
  build: {
    target: "es2022",
    // The Content-Security-Policy is `default-src 'self'`: a data: URL would be refused.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8080" } },
});
