import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type CpuProfile, stageOfPath, stageShares, stages } from './cpu-stages.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Each stack from the outermost frame, with how long it was on top, us. */
function profileOf(stacks: readonly (readonly [readonly string[], number])[]): CpuProfile {
  let id = 1
  const nodes: { id: number; callFrame: { functionName: string; url: string }; children: number[] }[] = [
    { id, callFrame: { functionName: '(root)', url: '' }, children: [] },
  ]
  const samples: number[] = []
  for (const [frames] of stacks) {
    let parent = nodes[0]
    for (const frame of frames) {
      const [functionName = '', url = ''] = frame.split('@')
      const node = { id: ++id, callFrame: { functionName, url }, children: [] }
      parent?.children.push(node.id)
      nodes.push(node)
      parent = node
    }
    samples.push(id)
  }
  return { nodes, samples, timeDeltas: stacks.map(([, us]) => us) }
}

const own = (path: string): string => `f@file:///home/somebody/minutely/${path}`

test('time goes to the innermost frame that is ours and says something', () => {
  const shares = stageShares(
    profileOf([
      [[own('collector-api/src/routes.ts'), own('collector-api/src/decompress.ts'), 'zstd@node:zlib'], 100],
      [
        [
          own('collector-api/src/routes.ts'),
          own('collector-api/src/accept/judge-time.ts'),
          own('schema/src/limits.ts'),
        ],
        200,
      ],
      [
        [
          'tick@node:internal/process/task_queues',
          own('aggregator/src/consume.ts'),
          own('aggregator/src/minute-window.ts'),
        ],
        300,
      ],
      [['read@node:net', 'parse@file:///x/minutely/node_modules/pg-protocol/dist/parser.js', 'slice@node:buffer'], 50],
      [['read@node:net', 'on@node:_http_server', 'emit@node:events'], 50],
      [[own('lib/src/kafka-log/kafka-producer.ts'), own('lib/src/kafka-log/record-batch.ts')], 100],
      [['(garbage collector)@'], 100],
      [['(program)@'], 50],
      [['(idle)@'], 10_000],
      [['run@node:internal/timers'], 40],
      [[own('aggregator/src/brand-new.ts')], 10],
    ]),
  )
  assert.deepEqual(Object.fromEntries(shares.map(({ stage, share }) => [stage, Math.round(share * 1_000)])), {
    fold: 300,
    judge: 200,
    'garbage collection': 100,
    'gather, append': 100,
    decompress: 100,
    'Postgres client': 50,
    'receive (HTTP)': 50,
    'native code without a frame': 50,
    'sockets, streams, timers': 40,
    'other: aggregator/src/brand-new.ts': 10,
  })
})

test('each rule names files that exist, and each file on a sample’s way has a stage', () => {
  const files = ['collector-api', 'aggregator', 'lib', 'query-api'].flatMap((area) =>
    readdirSync(join(root, area, 'src'), { recursive: true, encoding: 'utf8' }).map((name) => `${area}/src/${name}`),
  )
  for (const [stage, pattern] of stages)
    assert.ok(
      files.some((file) => pattern.test(file)),
      `${stage}: ${pattern}`,
    )
  const onTheWay = [
    'collector-api/src/linger.ts',
    'lib/src/sample-log/postgres-sample-log.ts',
    'aggregator/src/minute-window.ts',
    'aggregator/src/store-minutes.ts',
    'aggregator/src/sealing/pack-slice.ts',
  ]
  for (const file of onTheWay) {
    assert.ok(files.includes(file), `${file} has moved`)
    assert.notEqual(stageOfPath(file), undefined)
  }
})
