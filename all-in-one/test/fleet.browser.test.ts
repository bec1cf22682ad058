/**
 * The fleet's page in a real browser, over the real process with 300 generated servers: the map shows them, zooms, and leads to them, by
 * mouse and by keyboard; the list never has blank rows; silent servers look silent; both themes, phone width, no accessibility
 * violations; an outage is said and ends by itself. No timing is asserted: `npm run bench:page` measures.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { complaintsOf, launchBrowser, screenshot, violationsOf } from './browser-page.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import type { Sample } from './sample-model.ts'
import { requestsOf, send } from './send-samples.ts'

const minuteMs = 60_000
const serverCount = 300
const silentEvery = 50
/** A minute closes 10 s after its end, and the machine may be busy. */
const waitMs = 100_000

describe('fleet', { timeout: 500_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser
  let page: Page
  let complaints: string[]
  const wall = () => page.locator('[data-testid=wall]')
  const rows = () => page.locator('[data-testid=server-row]')
  const wallText = async (name: string): Promise<string> => (await wall().getAttribute(name)) ?? ''

  before(async () => {
    child = await startChild(await temporaryFolder())
    await sendFleet(child.url)
    browser = await launchBrowser()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
    page.setDefaultTimeout(waitMs)
    complaints = complaintsOf(page)
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  const open = async (path = '/'): Promise<void> => {
    await page.goto(child.url + path)
    await page.locator(`[data-testid=wall][data-cells="${serverCount}"]`).waitFor()
    await page.locator('.legend-numbers').waitFor()
  }
  /** Cells of the wall by how they look, from its pixels. */
  const picture = (): Promise<string> => page.evaluate("document.querySelector('[data-testid=wall]').toDataURL()")
  const until = async (condition: () => Promise<boolean>, what: string): Promise<void> => {
    const giveUpAtMs = Date.now() + waitMs
    while (!(await condition())) {
      assert.ok(Date.now() < giveUpAtMs, `${what}: not within ${waitMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  test('the map has every server, the list the same, and both say how many are silent', async () => {
    await open()
    await rows().first().waitFor()
    const head = page.locator('.fleet-head')
    assert.match((await head.textContent()) ?? '', /300 servers, 6 silent/)
    assert.equal(await page.getByRole('grid').getAttribute('aria-rowcount'), '301')
    await screenshot(page, 'fleet-300-dark')
  })

  test('the wheel zooms until names appear, and the address keeps the place', async () => {
    await open()
    const before = await picture()
    const box = await wall().boundingBox()
    assert.ok(box !== null)
    await page.mouse.move(box.x + box.width / 3, box.y + box.height / 3)
    await until(async () => {
      await page.mouse.wheel(0, -240)
      return (await wallText('data-detail')) === 'name'
    }, 'names in cells')
    assert.notEqual(await picture(), before)
    await until(async () => new URL(page.url()).searchParams.has('zoom'), 'the place is in the address')
    const factor = Number(await wallText('data-zoom'))
    await page.reload()
    await until(async () => Math.abs(Number(await wallText('data-zoom')) / factor - 1) < 0.05, 'the same zoom again')
    await page.getByRole('application').focus()
    await page.keyboard.press('0')
    await until(async () => (await wallText('data-zoom')) === '1.00', 'zoomed out')
    assert.equal(new URL(page.url()).searchParams.has('zoom'), false)
  })

  test('keys move over the map, tell the server, and open it; so does a click', async () => {
    await open()
    await page.getByRole('application').focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')
    const readout = page.locator('[data-testid=wall-readout]')
    await readout.waitFor()
    const name = (await readout.locator('strong').textContent()) ?? ''
    assert.match(name, /^api-\d+$/)
    await page.keyboard.press('+')
    await until(async () => Number(await wallText('data-zoom')) > 1, 'zoomed by key')
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/servers/${name}`)
    await open()
    const box = await wall().boundingBox()
    assert.ok(box !== null)
    await page.mouse.move(box.x + 30, box.y + 40)
    await readout.waitFor()
    const pointed = (await readout.locator('strong').textContent()) ?? ''
    await page.mouse.click(box.x + 30, box.y + 40)
    await page.waitForURL(`**/servers/${pointed}`)
  })

  test('the list has no blank rows wherever it is scrolled to, and sorts', async () => {
    await open()
    await rows().first().waitFor()
    for (const share of [0.3, 1, 0.7, 0.05, 0]) {
      // In the frame after the scroll: what is painted then has to be there.
      const blankPx = await page.evaluate(blankAfterScroll(share))
      assert.equal(blankPx, 0, `${blankPx} px without a row at ${share} of the list`)
    }
    await page.getByRole('button', { name: 'Value' }).click()
    await until(async () => {
      const values = await page.locator('.row-value').allTextContents()
      const numbers = values.map((text) => Number.parseFloat(text))
      return numbers.length > 10 && numbers.every((value, at) => at === 0 || value <= (numbers[at - 1] ?? 0))
    }, 'sorted by value, highest first')
    assert.equal(new URL(page.url()).searchParams.get('sort'), 'value:desc')
  })

  test('search narrows the list and dims the map; silent servers are listed alone', async () => {
    await open()
    const before = await picture()
    await page.keyboard.press('/')
    await page.keyboard.type('api-001')
    await until(async () => (await rows().count()) === 10, '10 servers')
    assert.notEqual(await picture(), before)
    await page.keyboard.press('Escape')
    await until(async () => (await rows().count()) > 10, 'all servers again')
    await page.getByRole('button', { name: /^Silent/ }).click()
    await until(async () => (await rows().count()) === serverCount / silentEvery, 'the silent ones')
    assert.equal(await page.locator('[data-testid=server-row][data-silent=false]').count(), 0)
    await page.reload()
    await until(async () => (await rows().count()) === serverCount / silentEvery, 'the same from the address')
  })

  test('another metric, another aggregation, a scale that is set', async () => {
    await open('/?metric=app.requests.rate&agg=max&scale=0~5000')
    await page.getByText('app.requests.rate').first().waitFor()
    const numbers = page.locator('.legend-numbers')
    assert.match((await numbers.textContent()) ?? '', /5000/)
    await page.getByRole('button', { name: 'Scale set' }).click()
    await page.getByRole('button', { name: 'By the values' }).click()
    await until(async () => !((await numbers.textContent()) ?? '').includes('5000'), 'a scale by the values')
    await page.getByRole('combobox', { name: 'Metric of the wall' }).click()
    await page.getByRole('option', { name: 'CPU busy' }).click()
    await until(async () => !new URL(page.url()).searchParams.has('metric'), 'CPU busy again')
  })

  test('the list of servers alone has more about each', async () => {
    await page.goto(`${child.url}/servers`)
    await rows().first().waitFor()
    await page.getByRole('columnheader', { name: 'Series' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('f')
    await wall().waitFor()
  })

  for (const scheme of ['dark', 'light'] as const) {
    test(`no accessibility violations, ${scheme}; phone width`, async () => {
      await page.emulateMedia({ colorScheme: scheme })
      for (const [name, path] of [
        ['fleet', '/'],
        ['servers', '/servers'],
      ] as const) {
        await page.goto(child.url + path)
        await rows().first().waitFor()
        assert.deepEqual(await violationsOf(page), [])
        await screenshot(page, `${name}-300-${scheme}`)
        await page.setViewportSize({ width: 390, height: 844 })
        await until(() => page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${name} fits a phone`)
        assert.deepEqual(await violationsOf(page), [])
        await screenshot(page, `${name}-300-${scheme}-phone`)
        await page.setViewportSize({ width: 1280, height: 900 })
      }
    })
  }

  test('the next minute arrives without a reload, and the scale stays', async () => {
    await open()
    await page.evaluate('window.sameDocument = true')
    const live = page.locator('[data-testid=fleet-live]')
    const scale = await page.locator('.legend-numbers').textContent()
    const before = await live.textContent()
    await until(async () => (await live.textContent()) !== before, 'another minute')
    assert.equal(await page.evaluate('window.sameDocument'), true, 'without a reload')
    assert.equal(await page.locator('.legend-numbers').textContent(), scale)
  })

  test('a metric that nobody sends is said, and the list stays', async () => {
    await page.goto(`${child.url}/?metric=no.such.metric`)
    await page.getByText('No server sends no.such.metric').waitFor()
    await rows().first().waitFor()
  })

  test('an outage is said, what was known stays, and the page recovers by itself', async () => {
    await open()
    await page.route('**/v1/**', (route) => route.abort())
    await page.getByRole('button', { name: /^Silent/ }).click()
    await page.getByRole('combobox', { name: 'Of the minute' }).selectOption('max')
    await page.locator('.notice[data-tone=bad]').waitFor()
    assert.equal(await rows().count(), serverCount / silentEvery)
    await page.unroute('**/v1/**')
    await page.locator('.notice[data-tone=bad]').waitFor({ state: 'detached' })
    // Chromium's own words for the outage.
    const own = complaints.filter((line) => !line.includes('net::ERR_FAILED'))
    assert.deepEqual(own, [])
  })
})

/** Runs in the page: px of the list's window that no row covers in the first frame after a jump. */
const blankAfterScroll = (share: number): string => `new Promise((resolve) => {
  const list = document.querySelector('[data-testid=fleet-list]')
  list.scrollTop = ${share} * (list.scrollHeight - list.clientHeight)
  requestAnimationFrame(() => {
    const head = list.querySelector('.rows-head').getBoundingClientRect().bottom
    const end = list.getBoundingClientRect().top + list.clientTop + list.clientHeight
    let covered = 0
    for (const row of list.querySelectorAll('[data-testid=server-row]')) {
      const { top, bottom } = row.getBoundingClientRect()
      covered += Math.max(0, Math.min(end, bottom) - Math.max(head, top))
    }
    resolve(Math.round(Math.max(0, end - head - covered)))
  })
})`

/** The last minutes of 300 servers, and the next, so that they stay alive while tests run; each 50th was last seen ten minutes ago. */
async function sendFleet(url: string): Promise<void> {
  const nowMinuteMs = Math.floor(Date.now() / minuteMs) * minuteMs
  const samples: Sample[] = []
  for (let server = 0; server < serverCount; server++) {
    const role = server < 200 ? 'web' : 'api'
    const serverId = `${role}-${String((server % 200) + 1).padStart(4, '0')}`
    const minutes = server % silentEvery === 3 ? [10] : [10, 3, 2, 1, 0, -1, -2, -3, -4]
    for (const minutesAgo of minutes) {
      const ts = nowMinuteMs - minutesAgo * minuteMs
      const busy = ((server * 37) % 100) / 100
      const put = (metricId: string, labels: Record<string, string>, value: number) =>
        samples.push({ serverId, metricId, labels, value, ts })
      put('system.cpu.utilization', { 'cpu.mode': 'idle' }, Math.round(100 * (1 - busy)) / 100)
      put('system.cpu.utilization', { 'cpu.mode': 'user' }, busy)
      put('app.requests.rate', { region: server % 3 === 0 ? 'eu' : 'us' }, 10 * server)
    }
  }
  for (const request of requestsOf(samples, { form: 'rows', encoding: 'zstd' })) {
    assert.equal(await send(url, request), 202)
  }
}
