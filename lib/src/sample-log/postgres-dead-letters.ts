/**
 * Dead letters of the Postgres log: a table that keeps the newest deadLettersMax. Adding what is there already changes nothing.
 * Replaying appends the payload to the partition it came from.
 */
import type { Pool } from '../postgres/pool.ts'
import type { DeadLetter, DeadLetters, LogAppend, NewDeadLetter } from './sample-log.ts'

/** Read at once when listing. */
const pageLength = 100

export interface PostgresDeadLettersDeps {
  readonly pool: Pool
  readonly deadLettersMax: number
  readonly append: (records: readonly LogAppend[]) => Promise<void>
}

interface Row {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly position: number
  readonly at_ms: number
  readonly reason: string
  readonly detail: string
  readonly payload: Buffer
  readonly headers: Record<string, string> | null
  readonly unreadable: DeadLetter['unreadable'] | null
}

export class PostgresDeadLetters implements DeadLetters {
  readonly #deps: PostgresDeadLettersDeps

  constructor(deps: PostgresDeadLettersDeps) {
    this.#deps = deps
  }

  async add(letter: NewDeadLetter): Promise<void> {
    const { topic, partition, position, appendedAtMs, reason, detail, payload, headers, unreadable } = letter
    const hex = headers && Object.entries(headers).map(([name, content]) => [name, content.toString('hex')])
    const { rows } = await this.#deps.pool.query<{ id: string }>(
      `insert into dead_letter (topic, partition, position, appended_at_ms, reason, detail, payload, headers, unreadable)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (topic, partition, position) do nothing
       returning dead_letter_id as id`,
      [
        topic,
        partition,
        position,
        Math.floor(appendedAtMs),
        reason,
        // Text of Postgres cannot hold it.
        detail.replaceAll('\0', '\ufffd'),
        payload,
        hex ? JSON.stringify(Object.fromEntries(hex)) : null,
        unreadable ? JSON.stringify(unreadable) : null,
      ],
    )
    if (rows[0] === undefined) return
    await this.#deps.pool.query(
      `delete from dead_letter where dead_letter_id <=
         (select dead_letter_id from dead_letter order by dead_letter_id desc offset $1 limit 1)`,
      [this.#deps.deadLettersMax],
    )
  }

  async *list(): AsyncIterable<DeadLetter> {
    for (let after = '0', page: DeadLetter[] = []; ; ) {
      page = await this.#page(after)
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < pageLength) return
      after = last.id
    }
  }

  async replay({ topic, partition, payload }: DeadLetter): Promise<void> {
    await this.#deps.append([{ topic, partition, payload }])
  }

  async #page(after: string): Promise<DeadLetter[]> {
    const { rows } = await this.#deps.pool.query<Row>(
      `select dead_letter_id as id, topic, partition, position::float8 as position, appended_at_ms::float8 as at_ms,
         reason, detail, payload, headers, unreadable
       from dead_letter where dead_letter_id > $1 order by dead_letter_id limit ${pageLength}`,
      [after],
    )
    return rows.map(letterOf)
  }
}

function letterOf({ id, at_ms, headers, unreadable, ...facts }: Row): DeadLetter {
  const kept = headers && Object.entries(headers).map(([name, content]) => [name, Buffer.from(content, 'hex')])
  return {
    ...facts,
    id: String(id),
    appendedAtMs: at_ms,
    ...(kept ? { headers: Object.fromEntries(kept) } : {}),
    ...(unreadable ? { unreadable } : {}),
  }
}
