/**
 * For tests, loaded into a process before all else by NODE_OPTIONS=--import, which reaches the processes that it starts as well: a
 * decoder of log records with a defect, as if of the runtime. What it does depends on a metric's name in the record:
 *
 *   deadly.metric      whoever decodes it is gone at once, without a word
 *   endless.metric     whoever decodes it never comes back
 *   deadly.to.owners   the record is sound, but an owner dies whenever it is about to fold it, as if killed from outside
 */
import { registerHooks } from 'node:module'

const plainQuery = 'without-defect'
const deadly = `
export * from './sample-codec.ts?${plainQuery}'
import { decodeSampleRecord as decode } from './sample-codec.ts?${plainQuery}'
const isOwner = !process.argv[1]?.includes('fold-trial')
export function decodeSampleRecord(payload) {
  const bytes = Buffer.from(payload)
  while (bytes.includes('endless.metric'));
  if (bytes.includes('deadly.metric') || (isOwner && bytes.includes('deadly.to.owners'))) process.kill(process.pid, 'SIGKILL')
  return decode(payload)
}
`

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('/schema/src/sample-codec.ts')) return nextLoad(url, context)
    return { format: 'module', source: deadly, shortCircuit: true }
  },
})
