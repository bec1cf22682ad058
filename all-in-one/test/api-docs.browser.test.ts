/** The browsable page of the API, in a real browser: it shows every operation, asks nobody else, and breaks no policy of its own. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Browser, chromium } from 'playwright-core'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'

describe('the page of the API', { timeout: 300_000 }, () => {
  let child: EmbeddedChild
  let browser: Browser

  before(async () => {
    child = await startChild(await temporaryFolder())
    const executablePath = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium'
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] })
  })
  after(async () => {
    await browser?.close()
    assert.equal(await child?.stop(), 0)
  })

  test('shows every operation and runs one, asking nobody else', async () => {
    const page = await browser.newPage()
    const [complaints, elsewhere]: [string[], string[]] = [[], []]
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(child.url)) elsewhere.push(request.url())
    })
    const answer = await page.goto(`${child.url}/v1/docs`)
    assert.match(answer?.headers()['content-security-policy'] ?? '', /default-src 'none'.*connect-src 'self'/)
    const document = (await (await fetch(`${child.url}/v1/openapi.json`)).json()) as { paths: Record<string, object> }
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods))
    await page
      .locator('.opblock')
      .nth(operations.length - 1)
      .waitFor()
    assert.equal(await page.locator('.opblock').count(), operations.length)
    const servers = page.locator('#operations-ranges-listServers')
    await servers.locator('.opblock-summary-control').click()
    await servers.getByRole('button', { name: 'Execute' }).click()
    await servers.locator('.live-responses-table').getByText('nextCursor').first().waitFor()
    assert.deepEqual([complaints, elsewhere], [[], []])
  })
})
