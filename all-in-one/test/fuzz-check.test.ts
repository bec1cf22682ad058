/** The check of the fuzz itself: it lets through what is documented and finds what is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerCheck } from './fuzz-check.ts'
import type { ApiDocument, FuzzRequest } from './fuzz-requests.ts'

const document = {
  openapi: '3.1.0',
  paths: {
    '/v1/things/{id}': {
      get: {
        operationId: 'readThing',
        responses: {
          '200': { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          '404': {
            content: {
              'application/json': {
                schema: { type: 'object', required: ['error', 'message'] },
                examples: { 'thing-not-found': { value: {} } },
              },
            },
          },
        },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: { n: { type: 'integer' } },
        required: ['n'],
        additionalProperties: false,
      },
    },
  },
} as unknown as ApiDocument
const request: FuzzRequest = {
  path: '/v1/things/{id}',
  documentedMethod: 'GET',
  method: 'GET',
  url: '/v1/things/1',
  headers: {},
  body: undefined,
  isValid: true,
}
const json = { 'content-type': 'application/json; charset=utf-8' }
const answer =
  (status: number, body: unknown, headers: Record<string, string> = json) =>
  () =>
    new AnswerCheck(document).check(request, { status, headers, text: JSON.stringify(body) })

test('what is documented passes, what is not is found', () => {
  answer(200, { n: 1 })()
  answer(404, { error: 'thing-not-found', message: 'there is none; ask for another' })()
  assert.throws(answer(200, { n: 'x' }), /must be integer/)
  assert.throws(answer(200, { n: 1, more: 2 }), /additional properties/)
  assert.throws(answer(200, {}), /required property 'n'/)
  assert.throws(answer(200, { n: 1 }, { 'content-type': 'text/csv' }), /not documented as text\/csv/)
  assert.throws(answer(400, { error: 'x', message: 'y' }), /400 is not documented/)
  assert.throws(answer(404, { error: 'other', message: 'there is none; ask for another' }), /other is not documented/)
  assert.throws(answer(503, { error: 'overloaded' }), /503/)
  assert.throws(answer(405, { error: 'method-not-allowed' }), /405 is not documented/)
})
