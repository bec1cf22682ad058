/**
 * Loaded before an aggregator's main.ts: makes the process end, or stand still, at a chosen step of a flush or of sealing, when it is told
 * to by a message `{ failpoint, signal }` on its IPC channel; `{}` takes that back. The product has no hooks for it: what it calls
 * is wrapped here.
 *
 *   begin ──> copy or merge ──> commit ──> push to the ring ──> commit to the log
 *          ^                 ^         ^ ^                   ^ ^                  ^
 *          before-store      |         | before-push  after-push                  after-log-commit
 *                 before-commit        after-commit            before-log-commit
 *
 * Only transactions that store minutes count, not those that announce series or begin a partition. Sealing an hour, step by step:
 *
 *   begin ──> write blocks ──> mark as sealed ──> drop rows ──> commit
 *   before-seal-begin  before-seal-write    before-seal-drop  before-, after-seal-commit
 *
 * The one that seals says so at each begin, by an empty message.
 */
import { KafkaLogConsumer } from '@minutely/lib/kafka-log/kafka-log-consumer'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import pg from 'pg'
import type { Failpoint, FailpointMessage } from './failpoint-names.ts'

let armed: FailpointMessage = {}

process.on('message', (message: FailpointMessage) => {
  armed = message
})
// Or it would keep the process alive when everything else is stopped.
process.channel?.unref()

function reach(step: Failpoint): void {
  if (armed.failpoint !== step) return
  const { signal = 'SIGKILL' } = armed
  armed = {}
  process.kill(process.pid, signal)
}

/** Clients whose transaction has written minutes, or dropped the rows of a sealed hour. */
const storing = new WeakSet<object>()
const dropping = new WeakSet<object>()
const ownQuery: (...args: unknown[]) => unknown = pg.Client.prototype.query
Object.assign(pg.Client.prototype, {
  query(this: object, ...args: unknown[]): unknown {
    const statement = textOf(args[0])
    if (statement === 'begin') {
      storing.delete(this)
      dropping.delete(this)
    }
    reachSealing(statement)
    if (statement.startsWith('drop table if exists minute_block_')) dropping.add(this)
    if (/^insert into minute_block \(/.test(statement)) {
      storing.add(this)
      reach('before-store')
    }
    const isCommit = statement === 'commit' && (storing.has(this) || dropping.has(this))
    const prefix = dropping.has(this) ? 'seal-' : ''
    if (isCommit) reach(`before-${prefix}commit`)
    const result = ownQuery.apply(this, args)
    // Ours comes first, before whoever waits for the answer.
    if (isCommit && result instanceof Promise) {
      result.then(
        () => reach(`after-${prefix}commit`),
        () => {},
      )
    }
    return result
  },
})

function reachSealing(statement: string): void {
  if (statement.startsWith("update hour_seal set state = 'sealing'")) {
    if (process.connected) process.send?.({}, () => {})
    reach('before-seal-begin')
  }
  if (/^(copy|update) hour_block /.test(statement)) reach('before-seal-write')
  if (statement.startsWith('drop table if exists minute_block_')) reach('before-seal-drop')
}

const ownPush = RedisRecentRing.prototype.push
RedisRecentRing.prototype.push = async function (...args) {
  reach('before-push')
  const outcome = await ownPush.apply(this, args)
  reach('after-push')
  return outcome
}

const ownCommit = KafkaLogConsumer.prototype.commit
KafkaLogConsumer.prototype.commit = async function (...args) {
  reach('before-log-commit')
  await ownCommit.apply(this, args)
  reach('after-log-commit')
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement
  return String((statement as { text?: string } | undefined)?.text ?? '')
}
