/**
 * Starts the long-lived things of a process in order and stops them in reverse. The only file that listens for
 * signals.
 *
 *   start a ── start b ── (run) ── stop b ── stop a ── exit
 *                │          └ signal, parent's end, defect
 *                └ the same: b's start may end first, for half of the time; then stop b, stop a
 *
 * SIGINT, SIGTERM, SIGHUP, and the parent's end (the IPC channel that scripts/start.mjs opens) ask for a graceful stop;
 * more of them change nothing, because a terminal's Ctrl-C reaches the process group and the wrapper both. All stops
 * together are bounded by stopTimeoutMs; what has not stopped by then is named and the process ends at once with 1.
 *
 * An unexpected error anywhere stops the process too, with 1: a supervisor restarts it and the log replays. So is it 1
 * when a stop fails, or something unexpected happens while stopping. 0 means that all went as it should.
 */
import type { Logger } from './logging.ts'

/**
 * A long-lived thing. `stop` resolves when nothing of it is left running. It may be called after a failed start, and
 * while a start is going on that does not end; it should make that start end then.
 */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

export interface LifecycleDeps {
  readonly log: Logger
  /** Tells a person at a terminal why the process could not start; the log has the stack at level debug then. */
  readonly explain?: (message: string) => void
  /** For all stops together. */
  readonly stopTimeoutMs?: number
}

/** Design: every long-lived process shuts down within 10 s. One second is left for the exit itself. */
const defaultStopTimeoutMs = 9_000
const exitTimeoutMs = 1_000

/** Runs until asked to stop; the returned promise resolves with the exit code. */
export async function runServices(services: readonly Service[], deps: LifecycleDeps): Promise<number> {
  const { log, stopTimeoutMs = defaultStopTimeoutMs } = deps
  const watch = watchForStop(log)
  const run: Run = { started: [], starting: undefined }
  let failed = false
  const release = holdProcess()
  try {
    await startAll(services, { run, watch })
    release()
    log.info({ reason: await watch.requested }, 'stopping')
  } catch (error) {
    const message = messageOf(error)
    if (deps.explain === undefined) log.fatal({ err: error }, `start failed: ${message}`)
    else {
      log.debug({ err: error }, 'start failed')
      deps.explain(message)
    }
    failed = true
  }
  release()
  const { unfinished, isClean } = await stopAll(run, { log, stopTimeoutMs })
  watch.dispose()
  if (unfinished.length > 0) {
    log.error({ unfinished }, `not stopped within ${stopTimeoutMs} ms: ${unfinished.join(', ')}`)
    process.exit(1)
  }
  const exitCode = failed || !isClean || watch.hadDefect() ? 1 : 0
  exitSoon(exitCode, log)
  return exitCode
}

/**
 * Timers of a clock keep no process alive; neither would a start that only waits to try again, and Node would end in the middle
 * of it. @returns what lets the process end.
 */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, 60_000)
  return () => clearInterval(timer)
}

interface Run {
  readonly started: Service[]
  /** The start that was going on when a stop was requested; never rejects. */
  starting: { readonly name: string; readonly ended: Promise<void> } | undefined
}

/** Resolves when all are started, or a stop is requested before. */
async function startAll(services: readonly Service[], { run, watch }: { run: Run; watch: StopWatch }): Promise<void> {
  for (const service of services) {
    if (watch.isRequested()) return
    run.started.push(service)
    const start = service.start()
    await Promise.race([start, watch.requested])
    // An interrupted start may well fail; that is no news.
    if (watch.isRequested()) run.starting = { name: service.name, ended: start.catch(() => {}) }
  }
}

interface StopDeps {
  readonly log: Logger
  readonly stopTimeoutMs: number
}

/** Stops in reverse order. @returns what had not ended in time, and whether every stop succeeded. */
async function stopAll(run: Run, deps: StopDeps): Promise<{ unfinished: string[]; isClean: boolean }> {
  const { log, stopTimeoutMs } = deps
  const { starting } = run
  // In the order of the stops: the first is the one that hangs.
  const unfinished = new Set(run.started.toReversed().map(({ name }) => name))
  let isClean = true
  const stopping = (async () => {
    const started = starting?.ended.then(() => unfinished.delete(startOf(starting.name)))
    if (starting !== undefined) {
      unfinished.add(startOf(starting.name))
      await withinMs(stopTimeoutMs / 2, starting.ended)
    }
    for (const service of run.started.toReversed()) {
      try {
        await service.stop()
      } catch (error) {
        isClean = false
        log.error({ err: error, service: service.name }, 'stop failed')
      }
      unfinished.delete(service.name)
    }
    await started
  })()
  await withinMs(stopTimeoutMs, stopping)
  return { unfinished: [...unfinished], isClean }
}

function startOf(name: string): string {
  return `start of ${name}`
}

/** Resolves when the work has ended or the time is over. */
async function withinMs(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work, timeout])
  clearTimeout(timer)
}

/** Node ends by itself when nothing is open; a socket or a timer that was forgotten must not keep it. */
function exitSoon(exitCode: number, log: Logger): void {
  const timer = setTimeout(() => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ')
    log.warn(`all is stopped but something keeps the process alive after ${exitTimeoutMs} ms: ${open}`)
    process.exit(exitCode)
  }, exitTimeoutMs)
  timer.unref()
}

interface StopWatch {
  /** Resolves with the first reason. */
  readonly requested: Promise<string>
  isRequested(): boolean
  hadDefect(): boolean
  dispose(): void
}

function watchForStop(log: Logger): StopWatch {
  const { promise, resolve } = Promise.withResolvers<string>()
  let isRequested = false
  let hadDefect = false
  const request = (reason: string): void => {
    isRequested = true
    resolve(reason)
  }
  const onDisconnect = (): void => request('the parent process ended')
  const onDefect = (error: unknown): void => {
    hadDefect = true
    log.fatal({ err: error }, `unexpected error: ${messageOf(error)}`)
    request('unexpected error')
  }
  process.on('SIGINT', request).on('SIGTERM', request).on('SIGHUP', request)
  process.on('disconnect', onDisconnect)
  process.on('uncaughtException', onDefect).on('unhandledRejection', onDefect)
  // It ended while our modules were being loaded. Without an IPC channel this is undefined.
  if (process.connected === false) onDisconnect()
  return {
    requested: promise,
    isRequested: () => isRequested,
    hadDefect: () => hadDefect,
    dispose: () => {
      // Signals stay ignored: one in the last moment must not spoil the exit code. The channel's listener holds the process.
      process.off('disconnect', onDisconnect)
      process.off('uncaughtException', onDefect).off('unhandledRejection', onDefect)
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
