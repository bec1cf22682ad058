/**
 * The page of ingest health in a real browser, over the real process: empty before anything comes, then what was accepted and refused, by
 * reason and host with what to do, in both themes and at phone width, without accessibility violations; an outage is said and ends by
 * itself. Waits for one minute to close.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { complaintsOf, launchBrowser, screenshot, violationsOf } from './browser-page.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'

const waitMs = 120_000

describe('ingest health', { timeout: 300_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser
  let page: Page
  let complaints: string[]
  const verdict = () => page.locator('[data-testid=ingest-verdict]')
  const tile = async (name: string): Promise<string> =>
    (await page.locator(`[data-testid=ingest-tile][data-name="${name}"] strong`).textContent()) ?? ''

  before(async () => {
    // The minute closes as it ends: what is reported a moment later is merged.
    child = await startChild(await temporaryFolder(), {
      MINUTELY_LATENESS_MS: '0',
      MINUTELY_INGEST_SOURCE: 'the-process',
    })
    browser = await launchBrowser()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
    page.setDefaultTimeout(waitMs)
    complaints = complaintsOf(page)
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  const post = async (samples: unknown[]): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    await fetch(`${child.url}/v1/samples`, { method: 'POST', headers, body: JSON.stringify({ samples }) })
  }
  const row = (serverId: string, more: Record<string, unknown> = {}) => ({
    serverId,
    metricId: 'm',
    value: 1,
    ts: Date.now(),
    ...more,
  })

  test('says that nothing came, and where to begin', async () => {
    await page.goto(`${child.url}/ingest`)
    await page.locator('[data-testid=ingest-verdict][data-health=unknown]').waitFor()
    assert.match((await verdict().textContent()) ?? '', /Nothing came in/)
    assert.equal(await tile('Refused'), '0')
    assert.deepEqual(await violationsOf(page), [])
    await screenshot(page, 'ingest-empty')
  })

  test('shows by itself what came and what was refused, of whom, and what to do', async () => {
    await post(Array.from({ length: 500 }, (_, i) => row(`web-${i % 20}`, { metricId: `m${i}` })))
    await post([...Array.from({ length: 12 }, () => row('web-7', { ts: 5 })), row('web-8', { value: 'x' }), row('x y')])
    await page.locator('[data-testid=ingest-verdict][data-health=warn]').waitFor()
    assert.equal(await tile('Refused'), '14')
    const reasons = page.locator('[data-testid=ingest-reasons] tbody tr')
    assert.equal(await reasons.count(), 3)
    assert.match((await reasons.first().textContent()) ?? '', /time-too-old.*milliseconds.*12/)
    const hosts = page.locator('[data-testid=ingest-hosts] tbody tr')
    const names = await Promise.all((await hosts.all()).map((host) => host.getAttribute('data-host')))
    assert.deepEqual(names, ['web-7', '(no valid name)', 'web-8'])
    assert.match((await page.locator('[data-testid=ingest-sources]').textContent()) ?? '', /the-process500/)
    await page.locator('[data-chart="Refused a minute, by reason"]:not([data-points="0"]) canvas').waitFor()
    await screenshot(page, 'ingest-dark')
  })

  test('is without accessibility violations in both themes and at phone width, where nothing sticks out', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      assert.deepEqual(await violationsOf(page), [], colorScheme)
      await screenshot(page, `ingest-${colorScheme}`)
    }
    await page.setViewportSize({ width: 390, height: 844 })
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390)
    assert.deepEqual(await violationsOf(page), [])
    await screenshot(page, 'ingest-phone')
    await page.setViewportSize({ width: 1280, height: 900 })
  })

  test('is in the navigation, and its keys change the range that the address holds', async () => {
    await page.goto(child.url)
    await page.getByRole('navigation').getByRole('link', { name: 'Ingest' }).click()
    await page.waitForURL('**/ingest')
    await verdict().waitFor()
    await page.keyboard.press(']')
    await page.waitForURL('**/ingest?range=3h')
    await page.getByRole('link', { name: 'web-7' }).click()
    await page.waitForURL('**/servers/web-7')
    await page.goBack()
    assert.deepEqual(complaints, [])
  })

  test('says an outage, keeps what it knows, and goes on by itself', async () => {
    await page.locator('[data-testid=ingest-reasons]').waitFor()
    await page.route('**/v1/**', (route) => route.abort())
    await page.getByRole('radio', { name: 'Last 6 hours' }).check({ force: true })
    await page.getByRole('alert').waitFor()
    assert.equal(await page.locator('[data-testid=ingest-reasons] tbody tr').count(), 3)
    await page.unroute('**/v1/**')
    await page.getByRole('alert').waitFor({ state: 'detached' })
  })
})
