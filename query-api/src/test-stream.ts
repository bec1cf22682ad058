/** For tests: a live stream, event by event. */
import assert from 'node:assert/strict'

export interface SseEvent {
  event: string
  id: string | undefined
  data: Record<string, unknown>
}

export async function openStream(
  api: { readonly get: (path: string, init?: RequestInit) => Promise<Response> },
  path: string,
  headers: Record<string, string> = {},
) {
  const abort = new AbortController()
  const response = await api.get(path, { headers, signal: abort.signal })
  assert.equal(response.status, 200, path)
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const next = async (): Promise<SseEvent | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end < 0) {
        const { value, done } = await reader.read()
        if (done) return undefined
        text += value
        continue
      }
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      )
      text = text.slice(end + 2)
      const event = fields.get('event')
      // `retry` stands alone.
      if (event !== undefined) return { event, id: fields.get('id'), data: JSON.parse(fields.get('data') ?? 'null') }
    }
  }
  return { next, close: () => abort.abort() }
}
