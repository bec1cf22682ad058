import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSealings } from './sealed-hours.ts'

const sealed = (hourAt: string): string =>
  JSON.stringify({ level: 'info', hourAt, blocks: 5, bytes: 90, msg: 'sealed an hour' })

test('hours sealed, sealed again and dropped are counted over the logs of all processes, torn lines left out', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-seal-logs-'))
  const [eight, nine] = ['2026-11-21T08:00:00.000Z', '2026-11-21T09:00:00.000Z']
  const dropped = JSON.stringify({
    dropped: ['minute_2026112105', 'minute_2026112106'],
    msg: 'dropped what is past the retention',
  })
  const busy = JSON.stringify({ hourAt: eight, outcome: 'busy', msg: 'an hour is not sealed yet; it is tried again' })
  const files = [join(folder, 'one.log'), join(folder, 'other.log')]
  await writeFile(files[0] ?? '', [sealed(eight), dropped, sealed(nine), sealed(eight).slice(0, -20)].join('\n'))
  await writeFile(files[1] ?? '', [sealed(eight), busy, dropped].join('\n'))
  assert.deepEqual(await readSealings(files), { sealed: 2, resealed: 1, dropped: 4 })
  await rm(folder, { recursive: true })
})
