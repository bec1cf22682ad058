/**
 * One metric over all servers, in a real browser, over the real process: found by search, its spread and its ranks drawn, a gap left a gap, read
 * at the crosshair by keys, zoomed, annotated; a closed minute and a late correction arrive by themselves; an outage is said and ends;
 * both themes, phone width, no accessibility violations.
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
const serverCount = 12
const minutesSent = 50
/** Nobody sends in these; and in the ones after, every third server does not. */
const gap = { from: 20, to: 25 }
const few = { from: 25, to: 35 }
const path = '/metrics/app.requests?range=1h'

describe('metric page', { timeout: 900_000 }, () => {
  let child: EmbeddedChild
  let folder: string
  let browser: Browser
  let page: Page
  let complaints: string[]
  let startMs: number
  const chart = () => page.locator('[data-testid=chart]').first()
  const numberOf = async (name: string): Promise<number> => Number(await chart().getAttribute(name))
  const isDrawn = (): Promise<void> => until(async () => (await numberOf('data-points')) > 0, 'points are drawn')
  const open = async (at: string): Promise<void> => {
    await page.goto(child.url + at)
    await isDrawn()
  }

  before(async () => {
    folder = await temporaryFolder()
    child = await startChild(folder)
    startMs = await sendFleet(child.url)
    browser = await launchBrowser()
    // Dialogs appear at once, so that what axe sees is not half transparent.
    const looks = { colorScheme: 'dark', reducedMotion: 'reduce' } as const
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...looks })
    page.setDefaultTimeout(60_000)
    complaints = complaintsOf(page)
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  test('the list is searched, and leads to the page', async () => {
    await page.goto(`${child.url}/metrics/`)
    const rows = page.locator('[data-testid=metric-row]')
    const cpu = page.locator('[data-testid=metric-row][data-metric-id="system.cpu.utilization"]')
    await cpu.waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('app.requ')
    await until(async () => (await rows.count()) === 1, 'one is found')
    assert.match(page.url(), /query=app.requ/)
    assert.match((await rows.textContent()) ?? '', new RegExp(`app\\.requests.*${serverCount}`))
    await page.keyboard.type('xyz')
    await page.getByRole('button', { name: 'Show all metrics' }).click()
    await cpu.waitFor()
    await page.getByRole('link', { name: 'app.requests' }).click()
    await isDrawn()
    await page.keyboard.press('/')
    await page.getByRole('searchbox', { name: 'Search metrics' }).waitFor()
    await page.keyboard.type('util')
    await until(async () => (await rows.count()) === 1, 'searched again, from there')
  })

  test('the spread and the ranks are drawn, a gap stays a gap', async () => {
    await open(path)
    const expected = minutesSent - (gap.to - gap.from)
    await until(async () => (await numberOf('data-points')) === expected, `${expected} steps`)
    const ranked = page.locator('[data-testid=ranked]')
    assert.equal(await ranked.count(), 10)
    // Each server's values are around its number.
    assert.equal(await ranked.first().getAttribute('data-server-id'), 'web-12')
    assert.equal(await numberOf('data-lines'), 10)
    await page.getByRole('combobox', { name: 'Lines', exact: true }).selectOption('bottom')
    await page.locator('[data-testid=ranked][data-server-id=web-1]').waitFor()
    assert.match(page.url(), /order=bottom/)
    await screenshot(page, 'metric-dark')
  })

  test('of the modes of a CPU one is chosen, visibly, and another can be', async () => {
    await open('/metrics/system.cpu.utilization?range=1h')
    const mode = page.getByLabel('cpu.mode')
    assert.equal(await mode.inputValue(), 'user')
    await mode.selectOption('idle')
    await until(async () => /label=cpu.mode%3Aidle/.test(page.url()), 'the address says so')
    await until(
      async () => /[89]\d(\.\d)? %/.test((await page.locator('.ranking-now').first().textContent()) ?? ''),
      'idle',
    )
    await mode.selectOption('')
    await page.getByLabel('Spread over').waitFor()
  })

  test('keys move the crosshair, and all charts are read there', async () => {
    await open(path)
    assert.equal(await page.locator('.readout').count(), 0)
    await page.keyboard.press('ArrowLeft')
    for (let step = 0; step < 2; step++) await page.keyboard.press(',')
    const readout = page.locator('.readout')
    await readout.waitFor()
    assert.match((await readout.textContent()) ?? '', /median.*25 % – 75 %.*servers\d+/)
    assert.match((await page.locator('.ranking thead').textContent()) ?? '', /\d\d:\d\d/)
    const time = await page.locator('.readout-time').textContent()
    await page.keyboard.press('ArrowRight')
    await until(async () => (await page.locator('.readout-time').textContent()) !== time, 'a minute later')
  })

  test('dragging zooms, 0 leads back, brackets change the range, and the step is said', async () => {
    await open(path)
    const box = await page.locator('.spread-plot canvas').boundingBox()
    assert.ok(box !== null)
    await page.mouse.move(box.x + 300, box.y + 100)
    await page.mouse.down()
    await page.mouse.move(box.x + 420, box.y + 100, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/from=\d+&to=\d+/)
    await page.keyboard.press('0')
    await page.waitForURL((url) => !url.search.includes('from='))
    await page.keyboard.press(']')
    await page.waitForURL(/range=3h/)
    await page.keyboard.press('{')
    await page.waitForURL(/from=\d+&to=\d+/)
    await open('/metrics/app.requests?range=90d')
    const step = page.locator('[data-testid=step]')
    assert.equal(Number(await step.getAttribute('data-step-ms')), 180 * minuteMs)
    assert.match((await step.textContent()) ?? '', /3 h/)
  })

  test('another range is asked for in a dialog', async () => {
    await open(path)
    await page.getByRole('button', { name: 'Other…' }).click()
    await page.getByRole('button', { name: 'Show' }).waitFor()
    assert.deepEqual(await violationsOf(page), [])
    const from = page.getByLabel('From')
    const to = await page.getByLabel('To', { exact: true }).inputValue()
    await from.fill(to)
    await page.getByRole('button', { name: 'Show' }).click()
    await page.getByText('It has to begin before it ends.').waitFor()
    await from.fill(`${Number(to.slice(0, 4)) - 1}${to.slice(4)}`)
    await page.getByRole('button', { name: 'Show' }).click()
    await page.waitForURL(/from=\d+&to=\d+/)
  })

  test('a server is one click away, at the same range', async () => {
    await open(path)
    await page.locator('[data-testid=ranked] a').first().click()
    await page.waitForURL(/\/servers\/web-12\?filter=app.requests&range=1h/)
    await until(async () => (await numberOf('data-points')) > 0, 'its chart')
    await page.locator('[data-metric-id="app.requests"] h3 a').click()
    await page.waitForURL(/\/metrics\/app.requests\?range=1h/)
  })

  test('an annotation is added by a key, marked, and deleted; what the API refuses is said in its words', async () => {
    await open(path)
    await page.keyboard.press('ArrowLeft')
    for (let step = 0; step < 3; step++) await page.keyboard.press(',')
    await page.keyboard.press('a')
    await page.getByLabel('What happened').fill('Released web 1.2')
    await page.getByLabel('Tags').fill('bad!tag')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByText('The body is no annotation: tags.0').waitFor()
    complaints.splice(0, complaints.length, ...complaints.filter((line) => !line.includes('400')))
    await page.getByLabel('Tags').fill('release, web')
    assert.deepEqual(await violationsOf(page), [])
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('button', { name: '1 annotation' }).click()
    const note = page.locator('[data-testid=annotation]')
    assert.match((await note.textContent()) ?? '', /\d\d:\d\dReleased web 1\.2releaseweb/)
    for (const key of ['ArrowRight', 'ArrowLeft']) await page.keyboard.press(key)
    await page.locator('.readout').getByText('Released web 1.2').waitFor()
    await screenshot(page, 'annotated-dark')
    await note.getByRole('button').click()
    await note.getByRole('button', { name: /Really delete/ }).click()
    await page.getByRole('button', { name: 'No annotations' }).waitFor()
  })

  test('a closed minute arrives without a reload, and a late correction is marked', async () => {
    await open(path)
    await page.evaluate('window.sameDocument = true')
    await sendNow(child.url)
    const first = await numberOf('data-last-minute-ms')
    await until(async () => (await numberOf('data-last-minute-ms')) > first, 'a closed minute')
    await sendSamples(child.url, samplesOf(startMs, { minutes: [gap.from + 1], servers: [1, 2, 3] }))
    const corrected = page.locator('[data-testid=corrected]')
    await until(async () => (await corrected.getAttribute('data-corrected')) === '1', 'one corrected step')
    assert.match((await corrected.textContent()) ?? '', /1 point corrected late/)
    assert.equal(await page.evaluate('window.sameDocument'), true, 'without a reload')
    await screenshot(page, 'corrected-dark')
  })

  for (const scheme of ['dark', 'light'] as const) {
    test(`no accessibility violations, ${scheme}; phone width`, async () => {
      await page.emulateMedia({ colorScheme: scheme })
      for (const [name, at] of [
        ['metrics', '/metrics/'],
        ['metric', path],
      ] as const) {
        await page.goto(child.url + at)
        await page.locator('[data-testid=metric-row], [data-testid=ranked]').first().waitFor()
        assert.deepEqual(await violationsOf(page), [])
        await screenshot(page, `${name}-${scheme}`)
        await page.setViewportSize({ width: 390, height: 844 })
        const fits = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth <= innerWidth')
        await until(fits, `${name} at phone width without sideways scrolling`)
        assert.deepEqual(await violationsOf(page), [])
        await screenshot(page, `${name}-${scheme}-phone`)
        await page.setViewportSize({ width: 1280, height: 900 })
      }
    })
  }

  test('a metric that nobody sends is said to be none', async () => {
    await page.goto(`${child.url}/metrics/no.such.metric`)
    await page.getByText('No server has sent a metric named').waitFor()
  })

  test('an outage is said, what is there stays, and the page recovers by itself', async () => {
    await open(path)
    assert.deepEqual(complaints, [], 'the page complained about nothing so far')
    assert.equal(await child.stop(), 0)
    await page.locator('[data-testid=live-state][data-live=reconnecting]').waitFor()
    await page.getByText(/cannot be reached/).waitFor()
    await page.getByText('What you see is stale').waitFor()
    assert.ok((await numberOf('data-points')) > 0)
    await screenshot(page, 'metric-outage')
    child = await startChild(folder, { MINUTELY_PORT: new URL(child.url).port })
    await page.locator('[data-testid=live-state][data-live=connected]').waitFor()
    await page.locator('.notice[data-tone=bad]').waitFor({ state: 'detached' })
    await isDrawn()
  })
})

function samplesOf(
  startMs: number,
  { minutes, servers }: { readonly minutes: readonly number[]; readonly servers: readonly number[] },
): Sample[] {
  return servers.flatMap((server) =>
    minutes.flatMap((minute) =>
      [0, 10, 20, 30, 40, 50].flatMap((second): Sample[] => {
        const at = { serverId: `web-${server}`, ts: startMs + minute * minuteMs + second * 1_000 }
        const wave = Math.sin(minute / 9 + server)
        const value = Math.round(100 * (server * 10 + 4 * wave)) / 100
        const busy = Math.round(100 * (0.05 + server / 200)) / 100
        const cpu = { ...at, metricId: 'system.cpu.utilization' }
        return [
          { ...at, metricId: 'app.requests', labels: {}, value },
          { ...cpu, labels: { 'cpu.mode': 'user' }, value: busy },
          { ...cpu, labels: { 'cpu.mode': 'idle' }, value: Math.round(100 * (1 - busy)) / 100 },
        ]
      }),
    ),
  )
}

const servers = Array.from({ length: serverCount }, (_, index) => index + 1)

/** @returns when it begins. */
async function sendFleet(url: string): Promise<number> {
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - minutesSent * minuteMs
  const minutes = Array.from({ length: minutesSent }, (_, minute) => minute)
  const isGap = (minute: number) => minute >= gap.from && minute < gap.to
  const isFew = (minute: number) => minute >= few.from && minute < few.to
  for (const server of servers) {
    const own = minutes.filter((minute) => !isGap(minute) && !(isFew(minute) && server % 3 === 0))
    await sendSamples(url, samplesOf(startMs, { minutes: own, servers: [server] }))
  }
  return startMs
}

/** The minute that is being filled. */
function sendNow(url: string): Promise<void> {
  return sendSamples(url, samplesOf(Math.floor(Date.now() / minuteMs) * minuteMs, { minutes: [0], servers }))
}

async function sendSamples(url: string, samples: readonly Sample[]): Promise<void> {
  for (const request of requestsOf(samples, { form: 'columns', encoding: 'zstd' }))
    assert.equal(await send(url, request), 202)
}
