/** What `npm run bench:viewers` found, as text. Times in ms, memory in bytes. */
import type { Watching } from './crowd.ts'

export interface IngestPart {
  readonly name: string
  readonly seconds: number
  readonly samples: number
  readonly failed: number
  /** Of requests. */
  readonly tookMs: readonly number[]
  /** CPU of the processes that take samples in, s. */
  readonly cpuS: number
  /** Of the processes that serve the viewers, every 5 s. */
  readonly residentBytes: readonly number[]
}

export interface ViewersResult {
  readonly delaysMs: ReadonlyMap<Watching, readonly number[]>
  /** Viewers x minutes of which no event came. */
  readonly missed: number
  readonly parts: readonly IngestPart[]
  readonly dropped: string
  readonly open: number
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** Growth of the least squares line, bytes a sample. */
export function slope(values: readonly number[]): number {
  const n = values.length
  if (n < 2) return 0
  const meanX = (n - 1) / 2
  const meanY = values.reduce((sum, value) => sum + value, 0) / n
  let [over, under] = [0, 0]
  values.forEach((value, x) => {
    over += (x - meanX) * (value - meanY)
    under += (x - meanX) ** 2
  })
  return over / under
}

/** Of memory. */
const samplesPerMinute = 12
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0)
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

export function viewersReport({ delaysMs, missed, parts, dropped, open }: ViewersResult): string {
  const delays = [...delaysMs].map(
    ([watching, values]) =>
      `| ${watching} | ${values.length} | ${ms(quantile(values, 0.5))} | ${ms(quantile(values, 0.99))} | ${ms(Math.max(...values))} |`,
  )
  const ingest = parts.map(
    ({ name, seconds, samples, failed, tookMs, cpuS }) =>
      `| ${name} | ${(samples / seconds).toFixed(0)} | ${ms(quantile(tookMs, 0.5))} | ${ms(quantile(tookMs, 0.99))} | ` +
      `${((cpuS / samples) * 1e6).toFixed(2)} | ${failed} |`,
  )
  const memory = parts.map(({ name, residentBytes }) => {
    // The first third is warm-up: buffers, compiled code, caches.
    const settled = residentBytes.slice(Math.floor(residentBytes.length / 3))
    const third = Math.max(1, Math.floor(settled.length / 3))
    const [first, last] = [settled.slice(0, third), settled.slice(-third)].map(mean)
    return `| ${name} | ${megabytes(first ?? 0)} | ${megabytes(last ?? 0)} | ${((slope(settled) * samplesPerMinute) / 1e6).toFixed(1)} |`
  })
  return `| watched | events | delay p50 ms | p99 | highest |
|---|--:|--:|--:|--:|
${delays.join('\n')}

${open} streams open, ${missed} times a viewer did not get a minute's event; dropped by the server: ${dropped}

| ingest | samples/s | request p50 ms | p99 | CPU us a sample | not accepted |
|---|--:|--:|--:|--:|--:|
${ingest.join('\n')}

| memory | MB after warm-up | MB at the end | MB a minute by least squares |
|---|--:|--:|--:|
${memory.join('\n')}`
}
