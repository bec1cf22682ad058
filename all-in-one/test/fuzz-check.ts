/**
 * Whether an answer is one that the OpenAPI document says can come: its status, its type, its shape, and of errors the id. Nothing of 5xx
 * is ever right here, documented or not: the fuzz overloads nothing.
 */
import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { ApiDocument, FuzzRequest } from './fuzz-requests.ts'

export interface FuzzAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export class AnswerCheck {
  readonly #document: ApiDocument
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()

  constructor(document: ApiDocument) {
    this.#document = document
    this.#ajv.addSchema(document, 'api')
  }

  /** @throws with what is wrong. */
  check(request: FuzzRequest, { status, headers, text }: FuzzAnswer): void {
    assert.ok(status < 500, `${status}: ${text.slice(0, 500)}`)
    const type = String(headers['content-type'] ?? '').split(';')[0] ?? ''
    const isDocumented = request.method === request.documentedMethod
    if (!isDocumented && this.#refusesMethod(request, { status, headers, text })) return
    const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase()
    const operation = this.#document.paths[request.path]?.[method]
    assert.ok(operation, `${status} for a method that is not documented: ${text.slice(0, 300)}`)
    const response = operation.responses[String(status)]
    assert.ok(response, `${status} is not documented: ${text.slice(0, 300)}`)
    if (text === '' || type === 'text/event-stream') return
    const content = response.content?.[type]
    assert.ok(content, `${status} is not documented as ${type}`)
    if (type !== 'application/json') return
    const body = JSON.parse(text) as { error?: string; message?: string }
    const place = ['paths', request.path, method, 'responses', String(status), 'content', type, 'schema']
    const validate = this.#validatorOf(place)
    assert.ok(validate(body), `${this.#ajv.errorsText(validate.errors)}: ${text.slice(0, 500)}`)
    if (status < 400) return
    assert.ok(
      Object.keys(content.examples ?? {}).includes(body.error ?? ''),
      `${status} ${body.error} is not documented`,
    )
    assert.ok((body.message ?? '').length > 10, 'an error says what to do')
  }

  #validatorOf(place: readonly string[]): ValidateFunction {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const known = this.#validators.get(pointer) ?? this.#ajv.compile({ $ref: `api#/${pointer}` })
    this.#validators.set(pointer, known)
    return known
  }

  /** 405, with those methods that there are; also where the path became another one's. */
  #refusesMethod(request: FuzzRequest, { status, headers, text }: FuzzAnswer): boolean {
    if (status !== 405) return false
    assert.ok(String(headers['allow'] ?? '').length > 0, '405 without Allow')
    if (request.method !== 'HEAD') assert.equal((JSON.parse(text) as { error: string }).error, 'method-not-allowed')
    return true
  }
}
