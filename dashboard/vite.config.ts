/**
 * Builds the dashboard into dashboard/dist, which the query API serves at `/`. In development, /v1 is passed on to a
 * running Minutely.
 *
 * The page must work under `default-src 'self'; style-src 'self' 'unsafe-inline'`: nothing is inlined as a data: URL and
 * no inline script is emitted.
 */
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const { MINUTELY_API: api = 'http://127.0.0.1:7070' } = process.env

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
  },
  server: { proxy: { '/v1': api } },
})
