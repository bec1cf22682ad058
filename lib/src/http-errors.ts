/**
 * The answer to an error of any origin, in the one shape of schema/src/error-catalogue.ts: ours (ApiError), fastify's,
 * a defect, or a request that is not HTTP at all and so has no reply to send it with.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from './logging.ts'

/** How long a request may take to arrive, ms, and how large its headers may be. */
export interface RequestLimits {
  readonly headerTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly headerBytesMax: number
}

export function sendError(error: unknown, reply: FastifyReply, log: Logger): FastifyReply {
  const known = error instanceof ApiError ? error : translate(error, log)
  if (known.retryAfterS !== undefined) reply.header('retry-after', String(known.retryAfterS))
  return reply.code(known.status).send(bodyOf(known))
}

export function routeNotFound({ method, url }: FastifyRequest): ApiError {
  const message = `There is no ${method} ${url.split('?')[0]}; GET /v1/openapi.json lists what there is`
  return new ApiError('route-not-found', message)
}

/** Answers what node could not read as HTTP. The caller has made sure that no other answer has begun on the socket. */
export function answerBadHttp(error: NodeJS.ErrnoException, socket: Socket, limits: RequestLimits): void {
  const known = badHttp(error, limits)
  const body = JSON.stringify(bodyOf(known))
  const head = [
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Only ended, it would stay half open for as long as the other side likes.
  socket.destroySoon()
}

function badHttp(error: NodeJS.ErrnoException, limits: RequestLimits): ApiError {
  const { headerTimeoutMs, requestTimeoutMs, headerBytesMax } = limits
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError(
        'request-timeout',
        `The request did not arrive in time: headers have ${headerTimeoutMs / 1000} s, the whole of it ${requestTimeoutMs / 1000} s`,
      )
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('headers-too-large', `The request line and headers exceed ${headerBytesMax} bytes`)
    default:
      return new ApiError('request-invalid', `The request could not be read: ${error.message}`)
  }
}

function bodyOf({ id, message, details }: ApiError): object {
  return { error: id, message, ...(details === undefined ? {} : { details }) }
}

function translate(error: unknown, log: Logger): ApiError {
  // Anything can be thrown.
  const { code, statusCode = 500, message } = (error instanceof Error ? error : {}) as Partial<FastifyError>
  if (message !== undefined) {
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiError('body-too-large', message)
    if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new ApiError('content-type-unsupported', message)
    if (statusCode < 500) return new ApiError('request-invalid', message)
  }
  log.error({ err: error }, 'a request failed unexpectedly')
  return new ApiError('internal-error', 'The request failed because of a defect of Minutely; the log has the details')
}
