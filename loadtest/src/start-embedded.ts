/** The embedded process for a test: its own data folder, a free port, no agent of its own, real time. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface StartedEmbedded {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** Settings come from the environment, as for `npm start`, and from `settings`. @throws when it ends before it listens. */
export async function startEmbedded(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<StartedEmbedded> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./embedded-under-test.ts', import.meta.url))], {
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
  const { url } = JSON.parse(line[0]) as { url: string }
  return {
    url,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
