/**
 * Loaded before a service (`--import`): takes a CPU profile between two messages of the parent, so that what the process does until it is
 * ready is not in it. `{ profile: 'start' }`, then `{ profile: 'stop', file }`; the file appears whole.
 */
import { rename, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'

export type ProfileMessage = { readonly profile: 'start' } | { readonly profile: 'stop'; readonly file: string }

const session = new Session()

process.on('message', (message: Partial<ProfileMessage>) => {
  if (message.profile === 'start') void start()
  else if (message.profile === 'stop') void stop((message as { file: string }).file)
})
// A listener would keep the process alive when all else has ended.
process.channel?.unref()

async function start(): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
}

async function stop(file: string): Promise<void> {
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  await writeFile(`${file}.part`, JSON.stringify(profile))
  await rename(`${file}.part`, file)
}
