/** Waits for what a person would wait for, as long as a slow machine needs. */
import assert from 'node:assert/strict'

const waitMs = 240_000
const lookEveryMs = 200

export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAtMs = Date.now() + waitMs
  while (!(await condition())) {
    assert.ok(Date.now() < giveUpAtMs, `${what}: not within ${waitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
}
