/** Asks a process that has profile-on-message.ts loaded for its CPU profile. */
import { access } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProfileMessage } from './profile-on-message.ts'

/** Below the root of the repository. */
export const preloadFile = 'loadtest/src/bench/profile-on-message.ts'
/** In front of the script. */
export const preload = ['--import', new URL('./profile-on-message.ts', import.meta.url).href]

const pollMs = 100
const deadlineMs = 60_000

/** Resolves when the file is there. */
export async function askForProfile(tell: (message: ProfileMessage) => void, file: string): Promise<void> {
  tell({ profile: 'stop', file })
  for (const untilMs = Date.now() + deadlineMs; Date.now() < untilMs; ) {
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return
    await delay(pollMs)
  }
  throw new Error(`no CPU profile within ${deadlineMs} ms: ${file}`)
}
