/** The embedded process for a test: its own data folder, a free port, no agent of its own, real time unless told otherwise. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface StartedEmbedded {
  readonly url: string
  readonly pid: number
  /** What its clock says. */
  nowMs(): number
  stop(): Promise<void>
}

/** Settings come from the environment, as for `npm start`, and from `settings`. @throws when it ends before it listens. */
export async function startEmbedded(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
  clock: { readonly speed: number; readonly startMs: number } = { speed: 1, startMs: Date.now() },
): Promise<StartedEmbedded> {
  const file = fileURLToPath(new URL('./embedded-under-test.ts', import.meta.url))
  const child = spawn(process.execPath, [file, String(clock.speed), String(clock.startMs)], {
    env: {
      ...process.env,
      ...settings,
      MINUTELY_DATA_DIR: dataDir,
      MINUTELY_PORT: '0',
      MINUTELY_LOCAL_AGENT: 'off',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const listening = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const line = await Promise.race([listening, ended.then(() => undefined)])
  if (line === undefined) throw new Error('the embedded process ended before it listened; see above')
  const { url, startedAtMs, realMs } = JSON.parse(line[0]) as { url: string; startedAtMs: number; realMs: number }
  return {
    url,
    pid: child.pid ?? 0,
    nowMs: () => startedAtMs + (Date.now() - realMs) * clock.speed,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
