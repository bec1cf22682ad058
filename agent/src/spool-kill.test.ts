/** An agent as a process that is killed with kill -9 while it writes, round after round, during an outage. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import { type CollectorRequest, createScriptedCollector } from './scripted-collector.ts'
import { seededRandom } from './simulated-spool-files.ts'

const program = fileURLToPath(new URL('./known-values-agent.ts', import.meta.url))
/** Nobody listens there. */
const closedUrl = 'http://127.0.0.1:1'
const speed = 40
const rounds = 6
const seed = Number(process.env['MINUTELY_TEST_SEED'] ?? 17)

const folder = await mkdtemp(join(tmpdir(), 'minutely-spool-'))
const children = new Set<ReturnType<typeof spawn>>()
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

function start(url: string, { firstValue, startMs }: { firstValue: number; startMs: number }) {
  const args = [program, url, folder, String(firstValue), String(startMs), String(speed)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  return child
}

/** Kills it in the middle of its n-th reading, or soon after. @returns the values of all readings that it began. */
async function killAtReading(child: ReturnType<typeof start>, n: number): Promise<number[]> {
  const values: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    values.push(Number(line))
    if (values.length === n) child.kill('SIGKILL')
  }
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
  children.delete(child)
  return values
}

/** Adds what a request holds: the second of each value. Every value must be where its series' values are. */
function receive({ batch }: CollectorRequest, into: Map<number, number>): void {
  for (const block of batch.blocks) {
    const matrix = Buffer.from(block.values)
    for (const [row, { metricId }] of decodeSeriesList(block.series).entries()) {
      for (let slot = 0; slot < block.slotCount; slot += 1) {
        const value = matrix.readDoubleLE((row * block.slotCount + slot) * 8)
        if (Number.isNaN(value)) continue
        assert.equal(metricId, `known.m${(value % 1) * 4 + 1}`, `${value} is a value of another series`)
        const secondMs = block.startMs + slot * 1000
        assert.ok([undefined, secondMs].includes(into.get(value)), `${value} arrived as two seconds`)
        into.set(value, secondMs)
      }
    }
  }
}

test('6 rounds of kill -9 during an outage: all arrives but the reading that each was in', async () => {
  const random = seededRandom(seed)
  const startMs = Date.now()
  const mustArrive: number[] = []
  const read: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const child = start(closedUrl, { firstValue: round * 1000, startMs })
    const values = await killAtReading(child, 3 + Math.floor(random() * 60))
    read.push(...values)
    mustArrive.push(...values.slice(0, -1))
  }
  assert.ok((await readdir(folder)).some((name) => name.endsWith('.cell')))

  const collector = await createScriptedCollector()
  const child = start(collector.url, { firstValue: rounds * 1000, startMs })
  const readAfterwards: number[] = []
  createInterface({ input: child.stdout }).on('line', (line) => readAfterwards.push(Number(line)))
  const arrived = new Map<number, number>()
  const isMissing = (value: number) => !arrived.has(value) || !arrived.has(value + 0.25) || !arrived.has(value + 0.5)
  let requestCount = 0
  while (mustArrive.some(isMissing)) {
    requestCount += 1
    receive(await collector.request(requestCount), arrived)
  }
  child.kill('SIGTERM')
  await once(child, 'exit')
  for (const request of collector.requests.slice(requestCount)) receive(request, arrived)
  assert.equal(child.exitCode, 0)

  const all = [...read, ...readAfterwards]
  for (const value of arrived.keys()) assert.ok(all.includes(Math.floor(value)), `${value} was never read`)
  const seconds = all.filter((value) => arrived.has(value)).map((value) => arrived.get(value) ?? 0)
  assert.deepEqual(
    seconds,
    [...seconds].sort((a, b) => a - b),
  )
  assert.deepEqual(readAfterwards.filter(isMissing), [])
  const left = await readdir(folder)
  assert.deepEqual(
    left.filter((name) => name.endsWith('.cell')),
    [],
  )
  await collector.close()
})
