/** A page in Debian's Chromium for tests of the dashboard: what it complains about, accessibility, screenshots. */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

const screenshotDir = process.env['MINUTELY_SCREENSHOT_DIR']
const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
}

/** Errors of the page and of its console, as they come. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return complaints
}

/** What axe finds wrong with the page as it is. */
export async function violationsOf(page: Page): Promise<string[]> {
  // The page's policy forbids foreign script tags; evaluating goes through the debugger instead.
  if (!(await page.evaluate('typeof axe !== "undefined"'))) await page.evaluate(readFileSync(axeFile, 'utf8'))
  return page.evaluate(
    'axe.run().then((result) => result.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target).join(" ")))',
  )
}

/** Into MINUTELY_SCREENSHOT_DIR, when that is set. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (screenshotDir === undefined) return
  mkdirSync(screenshotDir, { recursive: true })
  await page.screenshot({ path: join(screenshotDir, `${name}.png`) })
}
