/** Reads what a service tells Prometheus: its /metrics as rows of name, labels and value. */
export interface MetricRow {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const rowPattern = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$/i
const labelPattern = /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"/gi

export function parseMetrics(text: string): MetricRow[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = rowPattern.exec(line) ?? []
    if (name === undefined || value === undefined) return []
    const pairs = [...labels.matchAll(labelPattern)].map(([, key = '', text = '']) => [key, text] as const)
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })
}

/** Nothing when it does not answer. */
export async function scrape(url: string): Promise<MetricRow[]> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(3_000) })
    return parseMetrics(await answer.text())
  } catch {
    return []
  }
}

/** The values of all rows of one metric. */
export function valuesOfMetric(rows: readonly MetricRow[], name: string): number[] {
  return rows.flatMap((row) => (row.name === name && Number.isFinite(row.value) ? [row.value] : []))
}
