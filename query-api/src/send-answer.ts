/**
 * An answer on its way to its client: format, ETag, 304, and the points of the budget it holds until it is out.
 *
 * Every one is to be revalidated each time (`no-cache`), none is `immutable`, also where all of it is final: late data may
 * change what was final for as long as agents may send it, and retention takes it away after that (docs/decisions/0022).
 *
 * A client that has not read its answer within answerTimeoutMs is cut off, however it trickles: until then the answer's
 * points are the budget's, and a few such clients would have all of them.
 */
import { Readable } from 'node:stream'
import type { Clock } from '@minutely/lib/clock'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AnswerFormat } from './range-answer.ts'

export interface SentAnswer {
  readonly format: AnswerFormat
  readonly etag: string
  readonly pieces: () => Iterable<string | Buffer>
  /** Gives the points back to the budget; when the answer is out, or the client gone. */
  release(): void
}

export interface SendDeps {
  readonly clock: Clock
  readonly answerTimeoutMs: number
}

export function sendAnswer(
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  answer: SentAnswer,
  deps: SendDeps,
): FastifyReply {
  holdWhileSent(reply, answer, deps)
  const { format, etag } = answer
  reply.header('etag', etag).header('cache-control', 'private, no-cache').header('vary', 'accept')
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send()
  const charset = format === 'text/csv' ? '; charset=utf-8; header=present' : '; charset=utf-8'
  reply.header('content-type', format + charset)
  const pieces = answer.pieces()[Symbol.iterator]()
  const [first, second] = [pieces.next(), pieces.next()]
  // What is one piece needs no stream, and has a length.
  if (second.done === true) return reply.send(first.value ?? '')
  return reply.send(Readable.from(following([first.value as string | Buffer, second.value], pieces)))
}

function* following<T>(first: readonly T[], rest: Iterator<T>): Generator<T> {
  yield* first
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value
}

function holdWhileSent({ raw }: FastifyReply, answer: SentAnswer, { clock, answerTimeoutMs }: SendDeps): void {
  // The client may have gone between the answer and here.
  if (raw.destroyed || raw.closed) {
    answer.release()
    return
  }
  const cancelDeadline = clock.schedule(answerTimeoutMs, () => raw.destroy())
  raw.once('close', () => {
    cancelDeadline()
    answer.release()
  })
}

/** Weak comparison, RFC 9110 section 13.1.2. */
function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '')
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => opaque(tag) === opaque(etag))
}
