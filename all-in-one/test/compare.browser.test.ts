/**
 * Servers and metrics beside each other, in a real browser, over the real process: chosen by search, each with its colour in every chart,
 * read and zoomed together, in an address that can be passed on; ways in from a server's and a metric's page; no accessibility violations.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { complaintsOf, launchBrowser, screenshot, violationsOf } from './browser-page.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import type { Sample } from './sample-model.ts'
import { requestsOf, send } from './send-samples.ts'
import { until } from './until.ts'

const minuteMs = 60_000
const minutesSent = 40
const both = '/compare?range=1h&server=web-1&server=web-2&metric=app.*'

describe('compare', { timeout: 600_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser
  let page: Page
  let complaints: string[]
  const charts = () => page.locator('[data-testid=chart]')
  const areDrawn = (count: number): Promise<void> =>
    until(async () => {
      const points = await charts().evaluateAll((all) => all.map((one) => Number(one.getAttribute('data-points'))))
      return points.length === count && points.every((one) => one > 0)
    }, `${count} charts are drawn`)
  /** Of each chart: its lines with their colours. */
  const legends = (): Promise<string[]> =>
    page.evaluate(`[...document.querySelectorAll('[data-testid=chart]')].map((chart) =>
      [...chart.querySelectorAll('.line')].map((line) =>
        line.querySelector('.line-name').textContent + ' ' + line.querySelector('.swatch').style.getPropertyValue('--swatch')
      ).join(', '))`)

  before(async () => {
    child = await startChild(await temporaryFolder())
    await sendServers(child.url)
    browser = await launchBrowser()
    const looks = { colorScheme: 'dark', reducedMotion: 'reduce' } as const
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...looks })
    page.setDefaultTimeout(60_000)
    complaints = complaintsOf(page)
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  test('servers and metrics are searched and chosen, and the address holds them', async () => {
    await page.goto(`${child.url}/compare`)
    await page.locator('.offer').first().waitFor()
    await page.keyboard.press('/')
    for (const name of ['web-2', 'web-1']) {
      await page.keyboard.type(name)
      await page.getByRole('option', { name }).click()
    }
    assert.deepEqual(await violationsOf(page), [])
    await page.getByRole('button', { name: /^app\.\*/ }).click()
    await page.waitForURL(/server=web-2&server=web-1&metric=app\.\*/)
    await areDrawn(2)
    const metrics = page.getByLabel('Metrics', { exact: true }).first()
    await metrics.fill('memory')
    await metrics.press('Enter')
    await page.waitForURL(/metric=app\.\*&metric=\*memory\*/)
    await areDrawn(3)
  })

  test('each server has its colour in every chart, also for who is given the address', async () => {
    await page.goto(child.url + both)
    await areDrawn(2)
    const [first = '', second] = await legends()
    assert.match(first, /^web-1 #[0-9a-f]{6}, web-2 #[0-9a-f]{6}$/)
    assert.equal(first, second)
    const other = await browser.newPage()
    await other.goto(page.url())
    await other.locator('[data-testid=chart]').nth(1).waitFor()
    await other.close()
    await page.getByRole('combobox', { name: 'Charts' }).selectOption('server')
    await page.waitForURL(/by=server/)
    await areDrawn(4)
    await screenshot(page, 'compare-by-server')
  })

  test('the crosshair is on the same minute in all charts, and so is a zoom', async () => {
    await page.goto(child.url + both)
    await areDrawn(2)
    const clocks = (): Promise<string[]> => page.locator('.card-head > :last-child').allTextContents()
    const plot = await page.locator('.card-plot canvas').first().boundingBox()
    assert.ok(plot !== null)
    await page.mouse.move(plot.x + 260, plot.y + 60)
    await until(async () => /^\d\d:\d\d$/.test((await clocks())[1] ?? ''), 'the other chart is read as well')
    const [here, there] = await clocks()
    assert.equal(here, there)
    await screenshot(page, 'compare-crosshair')
    await page.mouse.down()
    await page.mouse.move(plot.x + 380, plot.y + 60, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/from=\d+&to=\d+/)
    await page.mouse.dblclick(plot.x + 260, plot.y + 60)
    await page.waitForURL((url) => !url.search.includes('from='))
  })

  test('a server that there is not is said, the other is shown', async () => {
    await page.goto(`${child.url}/compare?range=1h&server=web-1&server=web-99&metric=app.requests`)
    await page.getByText(/^web-99: /).waitFor()
    await areDrawn(1)
    complaints.splice(0, complaints.length, ...complaints.filter((line) => !line.includes('404')))
  })

  test('a server and a metric lead here, with what they showed', async () => {
    await page.goto(`${child.url}/servers/web-1?range=3h&filter=requests`)
    await page.getByRole('link', { name: 'Compare with…' }).click()
    await page.waitForURL(/\/compare\?server=web-1&metric=\*requests\*&range=3h/)
    await areDrawn(1)
    await page.goto(`${child.url}/metrics/app.requests?range=3h`)
    for (const server of ['web-1', 'web-3']) await page.getByLabel(`Compare ${server}`).check()
    await page.getByRole('button', { name: 'Compare 2 servers' }).click()
    await page.waitForURL(/\/compare\?metric=app\.requests&range=3h&server=web-1&server=web-3/)
    await areDrawn(1)
  })

  for (const scheme of ['dark', 'light'] as const) {
    test(`no accessibility violations, ${scheme}; phone width`, async () => {
      await page.emulateMedia({ colorScheme: scheme })
      await page.goto(child.url + both)
      await areDrawn(2)
      assert.deepEqual(await violationsOf(page), [])
      await screenshot(page, `compare-${scheme}`)
      await page.setViewportSize({ width: 390, height: 844 })
      const fits = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth <= innerWidth')
      await until(fits, 'phone width without sideways scrolling')
      assert.deepEqual(await violationsOf(page), [])
      await screenshot(page, `compare-${scheme}-phone`)
      await page.setViewportSize({ width: 1280, height: 900 })
    })
  }

  test('the page complained about nothing', () => {
    assert.deepEqual(complaints, [])
  })
})

async function sendServers(url: string): Promise<void> {
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - minutesSent * minuteMs
  const samples: Sample[] = []
  for (const server of [1, 2, 3]) {
    for (let second = 0; second < minutesSent * 60; second += 10) {
      const at = { serverId: `web-${server}`, ts: startMs + second * 1_000 }
      const wave = Math.sin(second / 400 + server)
      const value = Math.round(1_000 + 500 * wave) / 100
      samples.push({ ...at, metricId: 'app.requests', labels: {}, value })
      samples.push({ ...at, metricId: 'app.errors', labels: {}, value: Math.round(value) / 10 })
      const labels = { 'system.memory.state': 'used' }
      samples.push({ ...at, metricId: 'system.memory.utilization', labels, value: Math.round(50 + 20 * wave) / 100 })
    }
  }
  for (const request of requestsOf(samples, { form: 'columns', encoding: 'zstd' }))
    assert.equal(await send(url, request), 202)
}
