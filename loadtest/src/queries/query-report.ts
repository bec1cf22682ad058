/** What asking came to, as a table. Times in ms; each phase compares what was asked in turns. */
export interface AskedFigures {
  readonly name: string
  readonly tookMs: readonly number[]
  /** Of all its processes, for one question. */
  readonly cpuMs: number
  readonly bytes: number
}

export interface Phase {
  readonly question: string
  /** The first is ours, the second whom it is compared with. */
  readonly asked: readonly AskedFigures[]
}

export function queryReport(phases: readonly Phase[]): string {
  const rows = phases.flatMap(({ question, asked }) => {
    const peer = asked.find(({ name }) => name === 'VictoriaMetrics')
    return asked.map((figures, index) => {
      const { name, tookMs, cpuMs, bytes } = figures
      const ratios =
        peer === undefined
          ? ['', '']
          : [p(figures, 0.5) / p(peer, 0.5), cpuMs / peer.cpuMs].map((ratio) => ratio.toFixed(2))
      const cells = [
        index === 0 ? question : '',
        name,
        ...[p({ tookMs }, 0.5), p({ tookMs }, 0.95), cpuMs].map((ms) => ms.toFixed(2)),
        sizeOf(bytes),
        ...ratios,
      ]
      return `| ${cells.join(' | ')} |`
    })
  })
  return `| question | asked | p50 ms | p95 ms | server CPU ms | answer | p50 / VictoriaMetrics' | CPU / VictoriaMetrics' |
|---|---|--:|--:|--:|--:|--:|--:|
${rows.join('\n')}`
}

function p({ tookMs }: Pick<AskedFigures, 'tookMs'>, quantile: number): number {
  const sorted = tookMs.toSorted((a, b) => a - b)
  return sorted[Math.floor(quantile * (sorted.length - 1))] ?? Number.NaN
}

function sizeOf(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(2)} MB`
}
