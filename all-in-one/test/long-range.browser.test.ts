/**
 * Weeks on the page, in a real browser, over the real process: three weeks of minutes are imported, and all but two days of them dropped by
 * retention, so that only hours are left of the rest. Whatever range one asks for is drawn in a step that has data, and the page says which.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { complaintsOf, launchBrowser, screenshot } from './browser-page.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { until } from './until.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const daysImported = 21
const importFile = fileURLToPath(new URL('../../aggregator/src/import/import-main.ts', import.meta.url))

describe('long ranges', { timeout: 600_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser
  let page: Page
  let complaints: string[]
  let endMs: number
  const chart = () => page.locator('[data-testid=chart]').first()
  const numberOf = async (selector: string, name: string): Promise<number> =>
    Number(await page.locator(selector).first().getAttribute(name))
  const stepMs = (): Promise<number> => numberOf('[data-testid=step]', 'data-step-ms')
  const points = (): Promise<number> => numberOf('[data-testid=chart]', 'data-points')
  const show = async (at: string): Promise<void> => {
    await page.goto(child.url + at)
    await chart().scrollIntoViewIfNeeded()
    await until(async () => (await points()) > 0, 'points are drawn')
  }

  before(async () => {
    const folder = await temporaryFolder()
    const longer = { MINUTELY_RETENTION_HOURS: '720' }
    child = await startChild(folder, longer)
    endMs = Math.floor(Date.now() / hourMs) * hourMs
    const file = join(folder, 'history.jsonl')
    await writeFile(file, history(endMs))
    await importInto(folder, { ...longer, file })
    assert.equal(await child.stop(), 0)
    child = await startChild(folder)
    // Retention is applied when an aggregator starts.
    await until(async () => (await oldestMinuteMs(child.url)) > endMs - 4 * dayMs, 'old minutes are dropped')
    browser = await launchBrowser()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
    page.setDefaultTimeout(60_000)
    complaints = complaintsOf(page)
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  for (const [name, at] of [
    ['server', '/servers/web-1'],
    ['metric', '/metrics/app.load'],
    ['compare', '/compare?server=web-1&server=web-2&metric=app.load'],
  ] as const) {
    const search = (query: string): string => `${at}${at.includes('?') ? '&' : '?'}${query}`

    test(`the ${name} page shows 30 days by the hour and a day by minutes`, async () => {
      await show(search('range=30d'))
      assert.equal(await stepMs(), hourMs)
      const lines = name === 'compare' ? 2 : 1
      assert.ok((await points()) >= lines * (daysImported * 24 - 2), `${await points()} hours`)
      await screenshot(page, `${name}-30d`)
      await show(search('range=1d'))
      assert.equal(await stepMs(), 2 * minuteMs)
    })

    test(`three hours two weeks ago are drawn by the hour on the ${name} page`, async () => {
      const fromMs = endMs - 14 * dayMs
      await show(search(`from=${fromMs}&to=${fromMs + 3 * hourMs}`))
      assert.equal(await stepMs(), hourMs)
      assert.equal(await points(), name === 'compare' ? 6 : 3)
    })
  }

  test('no page asked for steps that are no more', () => {
    assert.deepEqual(complaints, [])
  })
})

/** A point a minute of two servers, up to two hours before the end: those may still be unsealed. */
function history(endMs: number): string {
  const lines: string[] = []
  for (const server of [1, 2]) {
    for (let day = daysImported; day > 0; day--) {
      const startMs = endMs - day * dayMs
      const values = Array.from({ length: day === 1 ? 22 * 60 : 24 * 60 }, (_, minute) => {
        return Math.round(100 * (server + Math.sin((startMs / minuteMs + minute) / 230))) / 100
      })
      const series = [{ metricId: 'app.load', labels: {}, values }]
      lines.push(JSON.stringify({ serverId: `web-${server}`, startMs, stepMs: minuteMs, series }))
    }
  }
  return `${lines.join('\n')}\n`
}

async function importInto(dataDir: string, { file, ...settings }: Record<string, string>): Promise<void> {
  const env = { ...process.env, ...settings, MINUTELY_DATA_DIR: dataDir }
  const child = spawn(process.execPath, [importFile, String(file)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(child, 'exit')) as [number | null]
  assert.equal(code, 0, output)
}

async function oldestMinuteMs(url: string): Promise<number> {
  const { tiers } = (await (await fetch(`${url}/v1/storage`)).json()) as {
    tiers: { tier: string; oldestMs: number | null }[]
  }
  return tiers.find(({ tier }) => tier === 'sealed-minutes')?.oldestMs ?? 0
}
