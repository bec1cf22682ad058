/**
 * A fleet of agents for k6, as ../src/load-plan.ts plans it; started by `npm run loadtest`, which prepares the bodies and
 * names the plan in PLAN. Instants are ms since the epoch.
 *
 * An open model: a batch leaves when it is due, whether or not earlier ones have been answered. Each virtual user is a
 * worker with its share of the agents; it waits for the next batch's time, sends without waiting for the answer, and goes on.
 * So few virtual users do, and a slow server meets as many requests at once as it would in the field.
 *
 *   202                    accepted; the answer must also say that no sample was rejected
 *   400 413 415 422        failed: it would never be accepted
 *   anything else, nothing sent again, as an agent does: after Retry-After, else after 1 s to 60 s, full jitter;
 *                          failed when it is not accepted giveUpMs after it was due
 */
import exec from 'k6/execution'
import { open as openFile, SeekMode } from 'k6/experimental/fs'
import http from 'k6/http'
import { Counter, Trend } from 'k6/metrics'

const plan = JSON.parse(open(__ENV.PLAN))
const bodiesFile = await openFile(plan.bodiesFile)
const refusedForGood = [400, 413, 415, 422]
const backoffMsMax = 60_000
const errorsShownMax = 3

const accepted = new Counter('batches_accepted')
const failed = new Counter('batches_failed')
const retries = new Counter('batches_sent_again')
const samplesAccepted = new Counter('samples_accepted')
const samplesRejected = new Counter('samples_rejected')
// Without the warm-up.
const otherAnswers = new Counter('requests_not_accepted')
const requestMs = new Trend('request_ms')
const sentLateMs = new Trend('sent_late_ms')
const answers = Object.fromEntries(
  ['202', '429', '503', 'none', 'other'].map((kind) => [kind, new Counter(`answers_${kind}`)]),
)

export const options = {
  scenarios: {
    agents: {
      executor: 'per-vu-iterations',
      vus: plan.workers,
      iterations: 1,
      maxDuration: `${Math.ceil(plan.durationMs / 1_000)}s`,
      gracefulStop: '1s',
    },
  },
  // Idle connections that a virtual user keeps; its default of 6 would make each burst connect anew.
  batch: 1_000,
  batchPerHost: 1_000,
  systemTags: [],
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max', 'count'],
}

const params = { headers: plan.headers, timeout: plan.timeoutMs, responseType: 'text' }
let errorsShown = 0

export default async function () {
  const worker = exec.vu.idInTest - 1
  for (let cell = 0; cell < plan.chunks.length; cell++) {
    const bytes = await readChunk(plan.chunks[cell][worker])
    const view = new DataView(bytes)
    const cellEndMs = plan.firstCellMs + (cell + 1) * plan.cellMs
    const isMeasured = cell >= plan.warmUpCells
    for (let at = 0; at < bytes.byteLength; ) {
      const bodyAt = at + 12
      const dueMs = cellEndMs + view.getUint32(at + 4, true)
      // An agent stays with its collector.
      const url = plan.collectors[view.getUint32(at + 8, true) % plan.collectors.length]
      at = bodyAt + view.getUint32(at, true)
      const waitMs = dueMs - Date.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      if (isMeasured) sentLateMs.add(Date.now() - dueMs)
      send({ url, body: bytes.slice(bodyAt, at), giveUpAtMs: dueMs + plan.giveUpMs, isMeasured }, 0)
    }
  }
}

async function readChunk({ offset, length }) {
  const bytes = new Uint8Array(length)
  await bodiesFile.seek(offset, SeekMode.Start)
  const read = length === 0 ? 0 : await bodiesFile.read(bytes)
  if (read !== length) throw new Error(`${plan.bodiesFile} has ${read} bytes of ${length} at ${offset}`)
  return bytes.buffer
}

function send(batch, attempt) {
  http.asyncRequest('POST', batch.url, batch.body, params).then(
    (response) => take(batch, attempt, response),
    (error) => take(batch, attempt, { status: 0, headers: {}, error: String(error) }),
  )
}

function take(batch, attempt, response) {
  const { status, timings } = response
  if (batch.isMeasured && timings !== undefined) requestMs.add(timings.duration)
  const kind = status === 0 ? 'none' : String(status)
  ;(answers[kind] ?? answers.other).add(1)
  if (status === 202) {
    accepted.add(1)
    const { accepted: taken, rejected } = JSON.parse(response.body)
    samplesAccepted.add(taken)
    for (const { count } of rejected) samplesRejected.add(count)
    if (rejected.length > 0) show(`samples were rejected: ${response.body}`)
    return
  }
  if (batch.isMeasured) otherAnswers.add(1)
  show(`${batch.url} answered ${status}: ${response.error || ''} ${response.body || ''}`)
  const waitMs = retryAfterMs(response.headers) ?? Math.random() * Math.min(backoffMsMax, 1_000 * 2 ** attempt)
  if (refusedForGood.includes(status) || Date.now() + waitMs > batch.giveUpAtMs) {
    failed.add(1)
    return
  }
  retries.add(1)
  setTimeout(() => send(batch, attempt + 1), Math.max(1, waitMs))
}

/** The servers' form of it, seconds. */
function retryAfterMs(headers) {
  const seconds = Number(headers['Retry-After'])
  return seconds > 0 ? seconds * 1_000 : undefined
}

function show(message) {
  if (errorsShown++ < errorsShownMax) console.error(message.slice(0, 500))
}

export function handleSummary({ metrics }) {
  return { [plan.summaryFile]: JSON.stringify(metrics) }
}
