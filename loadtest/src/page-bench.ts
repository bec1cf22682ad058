/**
 * `npm run bench:page -- --hosts 10000 --runs 5`: how the fleet's page does with a generated fleet, in headless Chromium, by Chromium's
 * own trace: until the wall is painted, cold; frames while it is zoomed in and out by a wheel event a frame; frames and blank rows
 * while the list is scrolled. Browser, page and Minutely share the machine, and pixels are drawn by its CPU.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright-core'
import { interruption } from './interruption.ts'
import { pageHosts, sendMinute } from './page/page-fleet.ts'
import {
  type Frames,
  framesBetween,
  navigationToMarkMs,
  quantile,
  readTrace,
  traceCategories,
} from './page/page-trace.ts'
import { AskedServer } from './queries/asked-server.ts'
import { startEmbedded } from './start-embedded.ts'

const minuteMs = 60_000
const historyMinutes = 4
const zoomMs = 5_000
const scrollMs = 4_000
const mark = 'fleet-wall-painted'
/** Runs in the page, by the debugger: its policy lets nobody else. */
const painted = `new Promise((resolve) => {
  const see = (list) => list.getEntriesByName('${mark}').length > 0 && resolve()
  new PerformanceObserver(see).observe({ type: 'mark', buffered: true })
})`
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const { values: options } = parseArgs({
  options: { hosts: { type: 'string', default: '10000' }, runs: { type: 'string', default: '5' } },
})
const folder = await mkdtemp(join(tmpdir(), 'minutely-page-'))
let stop = async (): Promise<void> => {}
try {
  await Promise.race([run(Number(options.hosts), Number(options.runs)), interruption()])
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await stop()
  await rm(folder, { recursive: true, force: true })
}
process.exit()

async function run(hostCount: number, runs: number): Promise<void> {
  const server = await startEmbedded(folder)
  stop = () => server.stop()
  await sendHistory(server.url, hostCount)
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync', '--no-first-run'],
  })
  stop = async () => {
    await browser.close()
    await server.stop()
  }
  say(`${hostCount} hosts; ${cpus().length} cores, load ${loadText()}`)
  await askApi(server, hostCount)
  const opened: number[] = []
  for (let at = 0; at < runs; at++) opened.push(await openCold(browser, server.url))
  say(
    `opens, cold: ${opened.map((ms) => ms.toFixed(0)).join(', ')} ms; median ${quantile(opened, 0.5).toFixed(0)} ms; load ${loadText()}`,
  )
  const page = await pageOf(browser, server.url)
  for (let at = 0; at < runs; at++) say(`zoom: ${framesText(await traced(browser, page, zoom))}; load ${loadText()}`)
  for (let at = 0; at < runs; at++) {
    const frames = await traced(browser, page, scroll)
    const { blankFrames, frames: seen } = (await page.evaluate('window.scrollSeen')) as {
      blankFrames: number
      frames: number
    }
    say(`scroll: ${framesText(frames)}; ${blankFrames} of ${seen} frames with blank rows; load ${loadText()}`)
  }
}

async function sendHistory(url: string, hostCount: number): Promise<void> {
  const hosts = pageHosts(hostCount)
  const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs
  // Also of the minutes to come, so that hosts are alive as long as this runs.
  for (let minute = -historyMinutes; minute < historyMinutes; minute++) {
    await sendMinute(url, { hosts, atMs: nowMs + minute * minuteMs, isFirst: minute === -historyMinutes })
  }
  for (;;) {
    const answer = await fetch(`${url}/v1/latest?metricId=system.memory.utilization&minutes=1`)
    const { servers, completeThroughMs } = (await answer.json()) as { servers?: string[]; completeThroughMs?: number }
    if (servers !== undefined && servers.length > 0.9 * hostCount && (completeThroughMs ?? 0) >= nowMs) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** What the page asks for first, over one warm connection. */
async function askApi(server: { url: string; pid: number }, hostCount: number): Promise<void> {
  const asked = new AskedServer('ours', server)
  const latest = '/v1/latest?metricId=system.cpu.utilization&label=cpu.mode:idle&agg=avg&minutes=3&per=server'
  const questions: readonly [path: string, isNew: boolean][] = [
    [latest, false],
    // Other words for the same, so that its series are looked for in the dictionary each time.
    [`${latest}&label=cpu.mode:!`, true],
    ['/v1/servers?limit=10000&seriesCount=no', false],
  ]
  for (const [path, isNew] of questions) {
    const took: number[] = []
    for (let at = 0; at < 15; at++) took.push((await asked.ask(isNew ? `${path}${at}` : path)).tookMs)
    say(
      `${path}: p50 ${quantile(took.slice(3), 0.5).toFixed(0)} ms, p95 ${quantile(took.slice(3), 0.95).toFixed(0)} ms, ${hostCount} hosts`,
    )
  }
  asked.close()
}

async function openCold(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
  const page = await context.newPage()
  await browser.startTracing(page, { categories: traceCategories })
  await page.goto(url)
  await page.evaluate(painted)
  const events = readTrace(await browser.stopTracing())
  await context.close()
  return navigationToMarkMs(events, mark)
}

async function pageOf(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
  await page.goto(url)
  await page.evaluate(painted)
  return page
}

async function traced(browser: Browser, page: Page, act: (page: Page) => Promise<void>): Promise<Frames> {
  await browser.startTracing(page, { categories: traceCategories })
  await page.evaluate("performance.clearMarks('from'); performance.mark('from')")
  await act(page)
  await page.evaluate("performance.mark('to')")
  return framesBetween(readTrace(await browser.stopTracing()), { from: 'from', to: 'to' })
}

/** In and out, never resting at an end: there nothing would be drawn. d3-zoom keeps the factor at its element. */
async function zoom(page: Page): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const canvas = document.querySelector('[data-testid=wall]')
    const box = canvas.getBoundingClientRect()
    const startedMs = performance.now()
    let isIn = true
    const turn = () => {
      if (performance.now() - startedMs >= ${zoomMs}) return resolve()
      const { k } = canvas.__zoom
      isIn = isIn ? k < 20 : k < 1.3
      canvas.dispatchEvent(new WheelEvent('wheel', {
        deltaY: isIn ? -30 : 30, clientX: box.left + box.width * 0.4, clientY: box.top + box.height * 0.6, bubbles: true, cancelable: true,
      }))
      requestAnimationFrame(turn)
    }
    requestAnimationFrame(turn)
  })`)
}

/** By gestures of the browser's own, fast; each frame is looked at for rows that are missing. */
async function scroll(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    const list = document.querySelector('[data-testid=fleet-list]')
    list.scrollTop = 0
    const seen = window.scrollSeen = { frames: 0, blankFrames: 0 }
    const look = () => {
      const head = list.querySelector('.rows-head').getBoundingClientRect().bottom
      const end = list.getBoundingClientRect().bottom - 1
      let covered = 0
      for (const row of list.querySelectorAll('[data-testid=server-row]')) {
        const { top, bottom } = row.getBoundingClientRect()
        covered += Math.max(0, Math.min(end, bottom) - Math.max(head, top))
      }
      seen.frames++
      if (end - head - covered > 1) seen.blankFrames++
      if (!seen.isOver) requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })()`)
  const box = await page.locator('[data-testid=fleet-list]').boundingBox()
  if (box === null) throw new Error('the list is not there')
  const devtools = await page.context().newCDPSession(page)
  const speed = 6_000
  await devtools.send('Input.synthesizeScrollGesture', {
    x: box.x + box.width / 2,
    y: box.y + box.height / 2,
    yDistance: -(speed * scrollMs) / 1_000,
    speed,
    gestureSourceType: 'mouse',
  })
  await page.evaluate('window.scrollSeen.isOver = true')
  await devtools.detach()
}

function framesText({ perSecond, gapP50Ms, gapP95Ms, gapMaxMs, scriptP50Ms, scriptP95Ms }: Frames): string {
  const gaps = `frame after p50 ${gapP50Ms.toFixed(1)}, p95 ${gapP95Ms.toFixed(1)}, max ${gapMaxMs.toFixed(0)} ms`
  return `${perSecond.toFixed(1)} frames/s, ${gaps}; script CPU a frame p50 ${scriptP50Ms.toFixed(1)}, p95 ${scriptP95Ms.toFixed(1)} ms`
}

function loadText(): string {
  return loadavg()
    .slice(0, 1)
    .map((load) => load.toFixed(2))
    .join()
}
