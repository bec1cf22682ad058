/**
 * `npm run dead-letters`: what was set aside because it could not be read, for a person to look at and to put back.
 *
 *   list [--limit n] [--json]     newest last: where it was, when, why, how large
 *   show <id> [--out file]        all of one; its bytes as they are into a file
 *   replay <id>... | --all        back to the end of its partition, to be read once more; it stays listed
 *
 * A replay is for records that today's code can read (after an upgrade, or once the registry knows their schema again);
 * any other comes back as another dead letter. Replaying what was folded already changes nothing.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { DeadLetter, DeadLetters } from '@minutely/lib/sample-log/sample-log'

export const deadLettersUsage = `Usage: npm run dead-letters -- list [--limit n] [--json]
       npm run dead-letters -- show <id> [--out file]
       npm run dead-letters -- replay <id>...
       npm run dead-letters -- replay --all

Kafka is found by MINUTELY_KAFKA_BROKERS and MINUTELY_KAFKA_TOPIC_PREFIX, as by the services.`

const verbs = new Set(['list', 'show', 'replay'])
const listedMax = 100
const shownBytesMax = 256

export interface DeadLettersDeps {
  readonly deadLetters: DeadLetters
  readonly write: (line: string) => void
}

/** What was asked for makes no sense; the message is for the person who asked. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Before anything is connected. @throws UsageError */
export function checkArguments(args: readonly string[]): void {
  const [verb] = parse(args).positionals
  if (!verbs.has(verb ?? '')) throw new UsageError(verb === undefined ? 'Say what to do' : `There is no ${verb}`)
}

/** @throws UsageError */
export async function runDeadLetters(args: readonly string[], deps: DeadLettersDeps): Promise<void> {
  checkArguments(args)
  const { positionals, values } = parse(args)
  const [verb, ...ids] = positionals
  switch (verb) {
    case 'list':
      return list({ limit: limitOf(values.limit), json: values.json === true }, deps)
    case 'show':
      return show(ids, values.out, deps)
    case 'replay':
      return replay(ids, values.all === true, deps)
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        limit: { type: 'string' },
        json: { type: 'boolean' },
        out: { type: 'string' },
        all: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function limitOf(written: string | undefined): number {
  const limit = written === undefined ? listedMax : Number(written)
  if (Number.isSafeInteger(limit) && limit > 0) return limit
  throw new UsageError(`--limit ${written} is not a number above 0`)
}

async function list({ limit, json }: { limit: number; json: boolean }, deps: DeadLettersDeps): Promise<void> {
  const newest: DeadLetter[] = []
  let count = 0
  for await (const letter of deps.deadLetters.list()) {
    count++
    newest.push(letter)
    if (newest.length > limit) newest.shift()
  }
  for (const letter of newest) deps.write(json ? JSON.stringify(describe(letter)) : lineOf(letter))
  if (json) return
  if (count === 0) deps.write('There are no dead letters.')
  else if (count > newest.length)
    deps.write(`${count - newest.length} older ones are not shown; --limit ${count} shows all`)
}

async function show(ids: readonly string[], out: string | undefined, deps: DeadLettersDeps): Promise<void> {
  const [id] = ids
  if (id === undefined || ids.length > 1) throw new UsageError('show takes one id')
  const [letter] = await find([id], deps)
  if (letter === undefined) return
  for (const [key, value] of Object.entries(describe(letter))) deps.write(`${key.padEnd(14)} ${String(value)}`)
  for (const [key, value] of Object.entries(letter.headers ?? {})) deps.write(`header ${key}: ${value.toString('hex')}`)
  if (out === undefined) {
    const head = letter.payload.subarray(0, shownBytesMax)
    deps.write(`first ${head.length} bytes\n${head.toString('hex').replaceAll(/(.{64})/g, '$1\n')}`)
    return
  }
  writeFileSync(out, letter.payload)
  deps.write(`wrote ${letter.payload.length} bytes to ${out}`)
}

async function replay(ids: readonly string[], all: boolean, deps: DeadLettersDeps): Promise<void> {
  if (all === ids.length > 0) throw new UsageError('replay takes ids, or --all')
  const letters = all ? await Array.fromAsync(deps.deadLetters.list()) : await find(ids, deps)
  for (const letter of letters) {
    await deps.deadLetters.replay(letter)
    deps.write(`put ${letter.id} back at the end of ${letter.topic}/${letter.partition}`)
  }
  deps.write(`${letters.length} replayed`)
}

/** @throws UsageError naming those that are not there. */
async function find(ids: readonly string[], { deadLetters }: DeadLettersDeps): Promise<DeadLetter[]> {
  const missing = new Set(ids)
  const found: DeadLetter[] = []
  for await (const letter of deadLetters.list()) if (missing.delete(letter.id)) found.push(letter)
  if (missing.size === 0) return found
  throw new UsageError(`There is no dead letter ${[...missing].join(', ')}; list shows those that there are`)
}

function describe({ id, topic, partition, position, appendedAtMs, reason, detail, payload }: DeadLetter) {
  const appendedAt = new Date(appendedAtMs).toISOString()
  return { id, topic, partition, position, appendedAt, reason, detail, bytes: payload.length }
}

function lineOf(letter: DeadLetter): string {
  const { id, topic, partition, position, appendedAt, reason, detail, bytes } = describe(letter)
  return `${id}  ${appendedAt}  ${topic}/${partition} @ ${position}  ${bytes} B  ${reason}: ${detail}`
}
