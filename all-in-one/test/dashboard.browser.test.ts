/**
 * The page as a person sees it, in a real browser, over the real process with this machine's own samples: charts of real
 * data, a new minute without a reload, dark and light, phone width, no accessibility violations. Screenshots go to
 * MINUTELY_SCREENSHOT_DIR when it is set.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import type { Sample } from './sample-model.ts'
import { requestsOf, send } from './send-samples.ts'

const screenshotDir = process.env['MINUTELY_SCREENSHOT_DIR']
const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** A minute closes 10 s after its end; an agent's last batch needs up to 8 s more, and the machine may be busy. */
const minuteTimeoutMs = 120_000
const minuteMs = 60_000

describe('dashboard', { timeout: 600_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  before(async () => {
    child = await startChild(await temporaryFolder(), {
      MINUTELY_LOCAL_AGENT: 'on',
      MINUTELY_SERVER_ID: 'this-machine',
    })
    const executablePath = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium'
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    })
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  test('an empty fleet says how to send the first samples', async () => {
    const empty = await startChild(await temporaryFolder())
    await page.goto(empty.url)
    await page.getByText('/v1/samples').first().waitFor()
    await screenshot(page, 'empty-dark')
    assert.equal(await empty.stop(), 0)
    complaints.length = 0
  })

  test('the list shows this machine, and others as they report', async () => {
    await sendHistory(child.url)
    await page.goto(child.url)
    await page.locator('[data-testid=server-row][data-server-id="web-1"]').waitFor()
    await page.locator('[data-testid=server-row][data-server-id="this-machine"]').waitFor({ timeout: minuteTimeoutMs })
    await page.keyboard.press('/')
    await page.keyboard.type('web')
    await page.locator('[data-testid=server-row][data-server-id="this-machine"]').waitFor({ state: 'detached' })
    assert.equal(await page.locator('[data-testid=server-row]').count(), 3)
    await screenshot(page, 'search-dark')
  })

  test('the list says what is stored and what is free', async () => {
    const text = await page.locator('[data-testid=disk]').textContent()
    assert.match(text ?? '', /^Disk: [\d.]+ [KMG]iB, [\d.]+ [MGT]iB free/)
  })

  test('charts are drawn from real data and a new minute arrives without a reload', async () => {
    await page.goto(`${child.url}/servers/this-machine?range=15m`)
    const chart = page.locator('[data-testid=chart][data-metric-id="system.cpu.utilization"]')
    await chart.waitFor({ timeout: minuteTimeoutMs })
    await chart.scrollIntoViewIfNeeded()
    await page.evaluate('window.sameDocument = true')
    const lastMinute = async (): Promise<number> => Number(await chart.getAttribute('data-last-minute-ms'))
    await until(
      async () => Number(await chart.getAttribute('data-points')) > 0 && (await lastMinute()) > 0,
      'points are drawn',
    )
    assert.ok((await inkOf(page, '[data-metric-id="system.cpu.utilization"] canvas')) > 100, 'the canvas is not blank')
    const first = await lastMinute()
    await until(async () => (await lastMinute()) >= first + minuteMs, 'a new minute')
    assert.equal(await page.evaluate('window.sameDocument'), true, 'without a reload')
    await screenshot(page, 'this-machine-dark')
  })

  test('a gap in the data is a gap in the line', async () => {
    await page.goto(`${child.url}/servers/web-1?range=1h`)
    const chart = page.locator('[data-testid=chart][data-metric-id="app.requests"]')
    await chart.scrollIntoViewIfNeeded()
    // 50 minutes were sent, 10 of them missing in between.
    await until(async () => Number(await chart.getAttribute('data-points')) === 40, '40 points')
    await screenshot(page, 'gap-dark')
  })

  for (const scheme of ['dark', 'light'] as const) {
    test(`no accessibility violations, ${scheme}; phone width`, async () => {
      await page.emulateMedia({ colorScheme: scheme })
      for (const [name, path] of [
        ['list', '/'],
        ['server', '/servers/web-1?range=1h'],
      ] as const) {
        await page.goto(child.url + path)
        await page.locator('[data-testid=server-row], [data-testid=chart]').first().waitFor()
        await page.addScriptTag({ path: axeFile }).catch(() => page.evaluate(readAxe()))
        const violations = (await page.evaluate(
          'axe.run().then((result) => result.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target).join(" ")))',
        )) as string[]
        assert.deepEqual(violations, [])
        await screenshot(page, `${name}-${scheme}`)
        await page.setViewportSize({ width: 390, height: 844 })
        const fits = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth <= innerWidth')
        await until(fits, `${name} at phone width without sideways scrolling`)
        await screenshot(page, `${name}-${scheme}-phone`)
        await page.setViewportSize({ width: 1280, height: 900 })
      }
    })
  }

  test('an outage is shown, the data stays, and the page recovers by itself', async () => {
    await page.goto(`${child.url}/servers/web-1?range=1h`)
    await page.locator('[data-testid=live-state][data-live=connected]').waitFor()
    complaints.length = 0
    await page.context().setOffline(true)
    await page.evaluate('window.dispatchEvent(new Event("offline"))')
    await page.context().setOffline(false)
    await page.locator('[data-testid=live-state][data-live=connected]').waitFor()
    assert.ok((await page.locator('[data-testid=chart]').count()) > 0)
    // Chromium's own words for the outage.
    complaints.splice(0, complaints.length, ...complaints.filter((line) => !line.includes('ERR_INTERNET_DISCONNECTED')))
  })

  test('the page complained about nothing', () => {
    assert.deepEqual(complaints, [])
  })
})

/** The page's policy forbids foreign script tags; evaluating goes through the debugger instead. */
function readAxe(): string {
  return createRequire(import.meta.url)('node:fs').readFileSync(axeFile, 'utf8')
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAtMs = Date.now() + minuteTimeoutMs
  while (!(await condition())) {
    assert.ok(Date.now() < giveUpAtMs, `${what}: not within ${minuteTimeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

/** Pixels of a canvas that are not transparent. */
async function inkOf(page: Page, selector: string): Promise<number> {
  const script = `(() => {
    const canvas = document.querySelector(${JSON.stringify(selector)})
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let ink = 0
    for (let index = 3; index < data.length; index += 4) if (data[index] > 0) ink++
    return ink
  })()`
  return (await page.evaluate(script)) as number
}

async function screenshot(page: Page, name: string): Promise<void> {
  if (screenshotDir === undefined) return
  mkdirSync(screenshotDir, { recursive: true })
  await page.screenshot({ path: join(screenshotDir, `${name}.png`) })
}

/** An hour of three servers, web-1 with a gap of ten minutes. */
async function sendHistory(url: string): Promise<void> {
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - 50 * minuteMs
  for (const server of [1, 2, 3]) {
    const samples: Sample[] = []
    for (let second = 0; second < 50 * 60; second += 5) {
      const minute = Math.floor(second / 60)
      if (server === 1 && minute >= 20 && minute < 30) continue
      const wave = Math.sin(second / 300 + server)
      const at = { serverId: `web-${server}`, ts: startMs + second * 1_000 }
      samples.push({ ...at, metricId: 'app.requests', labels: {}, value: Math.round(5_000 + 3_000 * wave) / 100 })
      samples.push({
        ...at,
        metricId: 'system.memory.utilization',
        labels: { 'system.memory.state': 'used' },
        value: Math.round(50 + 20 * wave) / 100,
      })
    }
    for (const request of requestsOf(samples, { form: 'columns', encoding: 'zstd' }))
      assert.equal(await send(url, request), 202)
  }
}
