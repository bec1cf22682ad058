/**
 * What a CPU profile's time was for: each sample goes to the stage of its innermost frame that is ours and says something. Pure.
 *
 *   zstdDecompressSync (node) <- decompressSync (collector-api/src/decompress.ts) <- ...      ->  decompress
 *   encodeSampleRecord (schema) <- packRecords (collector-api/src/record-packing.ts) <- ...   ->  gather, append
 *
 * schema/ and some of lib/ serve several stages, so their frames are their callers'. Where no frame is ours, the package or Node's module decides. A new file
 * of a service that no rule names becomes `other: <file>`, so that it is seen.
 */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  /** us before each sample. */
  readonly timeDeltas: readonly number[]
}

export interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

export const stages: readonly (readonly [string, RegExp])[] = [
  ['receive (HTTP)', /^(collector-api\/src\/(routes|receive-body|byte-budget|overload|service|main)|lib\/src\/http-)/],
  ['decompress', /^collector-api\/src\/decompress/],
  ['judge', /^collector-api\/src\/(accept|json-|read-json)/],
  [
    'gather, append',
    /^(collector-api\/src\/(linger|record-packing|series-routing)|lib\/src\/sample-log\/postgres-log-writer)/,
  ],
  ['gather, append', /^lib\/src\/kafka-log\/(kafka-producer|gatherer|topic-)/],
  ['read the log', /^lib\/src\/(sample-log|kafka-log)\//],
  ['fold', /^aggregator\/src\/(consume|fold-record|minute-window|open-minute|series-slots|section-check|w)/],
  ['fold', /^aggregator\/src\/(stubbornly|crash-guard|set-aside|partition-gauges|bookmark)/],
  ['close, encode', /^aggregator\/src\/(roll-up|minute-copy|merge-minute|live-minutes)/],
  [
    'store',
    /^aggregator\/src\/(store-minutes|minute-|partition-|postgres-minute-store|series-dictionary|seen-servers|service)/,
  ],
  ['store', /^lib\/src\/postgres\//],
  ['ring', /^(aggregator\/src\/(ring-|push-minutes)|lib\/src\/(recent-ring|redis))/],
  ['seal hours', /^(aggregator\/src\/sealing|lib\/src\/minute-tiers)/],
  ['queries, live', /^(query-api|lib\/src\/(live|open-answers))/],
]

const foreign: readonly (readonly [string, RegExp])[] = [
  ['garbage collection', /^\(garbage collector\)$/],
  ['native code without a frame', /^\(program\)$/],
  ['Postgres client', /node_modules\/pg[-/]|node_modules\/(postgres-|split2)/],
  ['Kafka client', /node_modules\/(kafkajs|@platformatic)/],
  ['Redis client', /node_modules\/(ioredis|redis-)/],
  [
    'receive (HTTP)',
    /node_modules\/(fastify|@fastify|find-my-way|light-my-request|avvio|secure-json)|node:(_http|internal\/http)/,
  ],
  ['sockets, streams, timers', /^[^(]*node:/],
]

/** Pass through to their callers. */
const transparent = new RegExp(
  [
    '^(schema/|loadtest/|all-in-one/)',
    '^lib/src/(clock|timer-heap|lifecycle|logging|schema-registry)',
    // Both ways through Kafka.
    '^lib/src/kafka-log/(kafka-(bytes|cluster|sample-log|wire)|crc32c|log-re|record-)',
  ].join('|'),
)
const ours = /\/((?:schema|lib|agent|aggregator|collector-api|query-api|all-in-one|loadtest)\/src\/.*)$/

interface Line {
  readonly node: ProfileNode
  readonly parent: Line | undefined
}

/** Share of the busy time by stage, largest first; together 1. Idle time does not count. */
export function stageShares({ nodes, samples, timeDeltas }: CpuProfile): { stage: string; share: number }[] {
  const lines = linesOf(nodes)
  const stageById = new Map<number, string>()
  const sums = new Map<string, number>()
  let busyUs = 0
  for (const [index, id] of samples.entries()) {
    const line = lines.get(id)
    if (line === undefined || line.node.callFrame.functionName === '(idle)') continue
    const stage = stageById.get(id) ?? stageOf(line)
    stageById.set(id, stage)
    // The first of them may be negative.
    const us = Math.max(0, timeDeltas[index] ?? 0)
    sums.set(stage, (sums.get(stage) ?? 0) + us)
    busyUs += us
  }
  return [...sums].map(([stage, us]) => ({ stage, share: us / busyUs })).sort((a, b) => b.share - a.share)
}

function linesOf(nodes: readonly ProfileNode[]): Map<number, Line> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const lines = new Map<number, Line>()
  const isChild = new Set(nodes.flatMap(({ children = [] }) => children))
  const pending: Line[] = nodes.flatMap((node) => (isChild.has(node.id) ? [] : [{ node, parent: undefined }]))
  for (let line = pending.pop(); line !== undefined; line = pending.pop()) {
    lines.set(line.node.id, line)
    for (const id of line.node.children ?? []) {
      const node = byId.get(id)
      if (node !== undefined) pending.push({ node, parent: line })
    }
  }
  return lines
}

function stageOf(leaf: Line): string {
  let unknown: string | undefined
  for (let line: Line | undefined = leaf; line !== undefined; line = line.parent) {
    const path = ownPath(line.node.callFrame.url)
    if (path === undefined || transparent.test(path)) continue
    const stage = stageOfPath(path)
    if (stage !== undefined) return stage
    // A file that no rule names may be part of what its caller does.
    unknown ??= `other: ${path}`
  }
  return unknown ?? foreignStage(leaf)
}

/** `path`: from the root of the repository. */
export function stageOfPath(path: string): string | undefined {
  return stages.find(([, pattern]) => pattern.test(path))?.[0]
}

function ownPath(url: string): string | undefined {
  return url.includes('/node_modules/') ? undefined : ours.exec(url)?.[1]
}

/** The innermost frame that a rule knows; timers and sockets only where nothing else does. */
function foreignStage(leaf: Line): string {
  let weakest: string | undefined
  const last = foreign.at(-1)?.[0]
  for (let line: Line | undefined = leaf; line !== undefined; line = line.parent) {
    const { functionName, url } = line.node.callFrame
    const stage = foreign.find(([, pattern]) => pattern.test(url === '' ? functionName : url))?.[0]
    if (stage === last) weakest ??= stage
    else if (stage !== undefined) return stage
  }
  return weakest ?? 'other'
}
