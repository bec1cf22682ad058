/**
 * The five questions, as paths for us and for peers, over generated minutes; and whether an answer is right: as many points as there are
 * minutes, and each of them what was generated. Which server, metric and hours are asked changes from question to question.
 */
import { type FleetShape, generate, metricIdOf, mixed, serverIdOf, toMsOf } from './generated-minutes.ts'

/** one: the value that peers have, `max`; four: min, max, avg and count. */
export type Variant = 'one' | 'four'
export const variants: readonly Variant[] = ['one', 'four']

export interface Question {
  readonly name: string
  /** The same question to all, by its number. */
  ask(number: number): AskedQuestion
}

export interface AskedQuestion {
  ours(variant: Variant): string
  readonly peers: string
  /** @throws when something is wrong. */
  checkOurs(body: Buffer, variant: Variant): void
  checkPeers(body: Buffer): void
}

interface Span {
  readonly fromMs: number
  readonly hours: number
}

const hourMs = 3_600_000
const minuteMs = 60_000

export function questionsFor(shape: FleetShape): readonly Question[] {
  const { servers, metrics, hours } = shape
  const whole: Span = { fromMs: shape.fromMs, hours }
  const part = (number: number, wanted: number): Span => {
    const length = Math.min(wanted, hours)
    return { fromMs: shape.fromMs + (mixed(number + 77) % (hours - length + 1)) * hourMs, hours: length }
  }
  const server = (number: number): number => mixed(number) % servers
  const metric = (number: number): number => mixed(number + 31) % metrics
  const all = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => (from + index) % count)
  return [
    {
      name: `1 server, 1 metric, ${hours} h`,
      ask: (n) => ofServer({ server: server(n), metrics: [metric(n)], isAll: false }, whole),
    },
    {
      name: `1 server, ${metrics} metrics, ${hours} h`,
      ask: (n) => ofServer({ server: server(n), metrics: all(metrics), isAll: true }, whole),
    },
    {
      name: `1 server, ${Math.min(10, metrics)} metrics, 1 h`,
      ask: (n) => {
        const some = all(metrics, metric(n))
          .slice(0, 10)
          .sort((a, b) => a - b)
        return ofServer({ server: server(n), metrics: some, isAll: false }, part(n, 1))
      },
    },
    {
      name: `average over ${servers} servers, ${Math.min(12, hours)} h`,
      ask: (n) => average(metric(n), servers, part(n, 12)),
    },
    {
      name: `maximum by server, ${servers} servers, ${Math.min(12, hours)} h`,
      ask: (n) => byServer(metric(n), servers, part(n, 12)),
    },
  ]
}

const aggregationsOf = (variant: Variant): string => (variant === 'one' ? 'max' : 'min,max,avg,count')
const rangeOf = ({ fromMs, hours }: Span): string => `from=${fromMs}&to=${fromMs + hours * hourMs}&stepMs=${minuteMs}`

/** Both ends of a peer's range are in it. */
function peerPath(query: string, { fromMs, hours }: Span): string {
  const lastMs = fromMs + hours * hourMs - minuteMs
  return `/api/v1/query_range?query=${encodeURIComponent(query)}&start=${fromMs / 1_000}&end=${lastMs / 1_000}&step=60`
}

function ofServer(asked: { server: number; metrics: readonly number[]; isAll: boolean }, span: Span): AskedQuestion {
  const { server, metrics, isAll } = asked
  const serverId = serverIdOf(server)
  const names = metrics.map(metricIdOf)
  const series = metrics.map((metric) => ({ server, metric }))
  const selector = isAll ? '' : names.length === 1 ? (names[0] ?? '') : ''
  const matcher = isAll || names.length === 1 ? '' : `,__name__=~"${names.join('|')}"`
  const metricIds = isAll ? '' : `&metricId=${names.join(',')}`
  return {
    ours: (variant) => `/v1/servers/${serverId}/series?${rangeOf(span)}&agg=${aggregationsOf(variant)}${metricIds}`,
    peers: peerPath(`${selector}{server="${serverId}"${matcher}}`, span),
    checkOurs: (body, variant) => checkColumns(body, { variant, series, span }),
    checkPeers: (body) => checkPeerSeries(body, series, span),
  }
}

function byServer(metric: number, servers: number, span: Span): AskedQuestion {
  const name = metricIdOf(metric)
  const series = Array.from({ length: servers }, (_, server) => ({ server, metric }))
  return {
    ours: (variant) => `/v1/metrics/${name}/series?${rangeOf(span)}&agg=${aggregationsOf(variant)}&limit=${servers}`,
    peers: peerPath(`max by (server) (${name})`, span),
    checkOurs: (body, variant) => checkColumns(body, { variant, series, span }),
    checkPeers: (body) => checkPeerSeries(body, series, span),
  }
}

function average(metric: number, servers: number, span: Span): AskedQuestion {
  const name = metricIdOf(metric)
  const truth = meanOfMax(metric, servers, span)
  return {
    ours: (variant) =>
      `/v1/metrics/${name}/summary?${rangeOf(span)}&agg=${variant === 'one' ? 'avg' : aggregationsOf(variant)}&by=max&quantile=none&buckets=0`,
    peers: peerPath(`avg(${name})`, span),
    checkOurs: (body) => {
      const { across } = JSON.parse(body.toString()) as { across: { avg: number[] } }
      checkMeans(across.avg, truth, span)
    },
    checkPeers: (body) => {
      const [values = []] = peerSeries(body).values()
      checkMeans(values, truth, span)
    },
  }
}

function checkMeans(values: readonly number[], truth: (minute: number) => number, span: Span): void {
  assertEqual(values.length, span.hours * 60, 'points')
  values.forEach((value, minute) => {
    const wanted = truth(minute)
    if (Math.abs(value - wanted) > 1e-9 * Math.abs(wanted)) assertEqual(value, wanted, `average of minute ${minute}`)
  })
}

function meanOfMax(metric: number, servers: number, { fromMs }: Span): (minute: number) => number {
  const made = { min: 0, max: 0, sum: 0 }
  return (minute) => {
    let sum = 0
    for (let server = 0; server < servers; server++) {
      generate({ server, metric }, fromMs / minuteMs + minute, made)
      sum += made.max
    }
    return sum / servers
  }
}

interface SeriesNumber {
  readonly server: number
  readonly metric: number
}

function checkColumns(
  body: Buffer,
  {
    variant,
    series,
    span,
  }: { readonly variant: Variant; readonly series: readonly SeriesNumber[]; readonly span: Span },
): void {
  const answer = JSON.parse(body.toString()) as {
    series: { serverId?: string; metricId: string; min: number[]; max: number[]; avg: number[]; count: number[] }[]
  }
  assertEqual(answer.series.length, series.length, 'series')
  const made = { min: 0, max: 0, sum: 0 }
  const found = new Map(answer.series.map((columns) => [`${columns.serverId ?? ''} ${columns.metricId}`, columns]))
  for (const { server, metric } of series) {
    const name = metricIdOf(metric)
    const columns = found.get(`${serverIdOf(server)} ${name}`) ?? found.get(` ${name}`)
    assertEqual(columns?.max.length, span.hours * 60, `points of ${serverIdOf(server)} ${name}`)
    for (let minute = 0; minute < span.hours * 60; minute++) {
      generate({ server, metric }, span.fromMs / minuteMs + minute, made)
      assertEqual(columns?.max[minute], made.max, `max of ${name}, minute ${minute}`)
      if (variant === 'one') continue
      assertEqual(columns?.min[minute], made.min, `min of ${name}, minute ${minute}`)
      assertEqual(columns?.avg[minute], made.sum / 60, `avg of ${name}, minute ${minute}`)
      assertEqual(columns?.count[minute], 60, `count of ${name}, minute ${minute}`)
    }
  }
}

function checkPeerSeries(body: Buffer, series: readonly SeriesNumber[], span: Span): void {
  const found = peerSeries(body)
  assertEqual(found.size, series.length, 'series')
  const made = { min: 0, max: 0, sum: 0 }
  for (const { server, metric } of series) {
    const values = found.get(`${serverIdOf(server)} ${metricIdOf(metric)}`) ?? found.get(`${serverIdOf(server)} `)
    assertEqual(values?.length, span.hours * 60, `points of ${serverIdOf(server)} ${metricIdOf(metric)}`)
    values?.forEach((value, minute) => {
      generate({ server, metric }, span.fromMs / minuteMs + minute, made)
      assertEqual(value, made.max, `minute ${minute} of ${metricIdOf(metric)}`)
    })
  }
}

/** Values by `server metric`. */
function peerSeries(body: Buffer): Map<string, number[]> {
  const { data } = JSON.parse(body.toString()) as {
    data: { result: { metric: { __name__?: string; server?: string }; values: [number, string][] }[] }
  }
  return new Map(
    data.result.map(({ metric, values }) => [
      `${metric.server ?? ''} ${metric.__name__ ?? ''}`,
      values.map(([, value]) => Number(value)),
    ]),
  )
}

function assertEqual(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)}, generated were ${String(wanted)}`)
}

export const spanText = (shape: FleetShape): string =>
  `${new Date(shape.fromMs).toISOString()} to ${new Date(toMsOf(shape)).toISOString()}`
