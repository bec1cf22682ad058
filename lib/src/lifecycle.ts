/**
 * Starts the long-lived things of a process in order and stops them in reverse. The only file that listens for
 * signals.
 *
 * SIGINT, SIGTERM, and the parent's end (the IPC channel that scripts/start.mjs opens) ask for a graceful stop; more
 * of them change nothing, because a terminal's Ctrl-C reaches the process group and the wrapper both. Each stop is
 * bounded by stopTimeoutMs in total; what has not stopped by then is named and the process exits with 1. An
 * unexpected error anywhere stops the process too, with 1: a supervisor restarts it and the log replays.
 */
import type { Logger } from './logging.ts'

/** A long-lived thing. `stop` resolves when nothing of it is left running, and may be called after a failed start. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

export interface LifecycleDeps {
  readonly log: Logger
  /** Tells a person at a terminal why the process could not start; the log has the stack at level debug then. */
  readonly explain?: (message: string) => void
}

/** Design: every long-lived process shuts down within 10 s. One second is left for the exit itself. */
const stopTimeoutMs = 9_000

/** Runs until asked to stop; the returned promise resolves with the exit code. */
export async function runServices(services: readonly Service[], deps: LifecycleDeps): Promise<number> {
  const { log } = deps
  const started: Service[] = []
  const { stopRequested, dispose } = watchForStop(log)
  let exitCode = 0
  try {
    for (const service of services) {
      if (stopRequested.reason !== undefined) break
      started.push(service)
      await Promise.race([service.start(), stopRequested.promise])
    }
    const reason = await stopRequested.promise
    log.info({ reason: reason.text }, 'stopping')
    exitCode = reason.exitCode
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (deps.explain === undefined) log.fatal({ err: error }, `start failed: ${message}`)
    else {
      log.debug({ err: error }, 'start failed')
      deps.explain(message)
    }
    exitCode = 1
  }
  const unfinished = await stopAll(started, log)
  dispose()
  if (unfinished.length > 0) {
    log.error({ unfinished }, `not stopped within ${stopTimeoutMs} ms: ${unfinished.join(', ')}`)
    exitCode = 1
  }
  return exitCode
}

async function stopAll(started: readonly Service[], log: Logger): Promise<string[]> {
  const unfinished = new Set(started.map(({ name }) => name))
  const stopping = (async () => {
    for (const service of started.toReversed()) {
      try {
        await service.stop()
      } catch (error) {
        log.error({ err: error, service: service.name }, 'stop failed')
      }
      unfinished.delete(service.name)
    }
  })()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, stopTimeoutMs)
  })
  await Promise.race([stopping, timeout])
  clearTimeout(timer)
  return [...unfinished]
}

interface StopReason {
  readonly text: string
  readonly exitCode: number
}

function watchForStop(log: Logger): {
  stopRequested: { readonly promise: Promise<StopReason>; reason: StopReason | undefined }
  dispose: () => void
} {
  const { promise, resolve } = Promise.withResolvers<StopReason>()
  const stopRequested: { promise: Promise<StopReason>; reason: StopReason | undefined } = { promise, reason: undefined }
  const request = (text: string, exitCode: number): void => {
    stopRequested.reason ??= { text, exitCode }
    resolve({ text, exitCode })
  }
  const onSignal = (signal: NodeJS.Signals): void => request(signal, 0)
  const onDisconnect = (): void => request('the parent process ended', 0)
  const onDefect = (error: unknown): void => {
    log.fatal({ err: error }, `unexpected error: ${error instanceof Error ? error.message : String(error)}`)
    request('unexpected error', 1)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal)
  process.on('disconnect', onDisconnect)
  process.on('uncaughtException', onDefect).on('unhandledRejection', onDefect)
  const dispose = (): void => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal)
    process.off('disconnect', onDisconnect)
    process.off('uncaughtException', onDefect).off('unhandledRejection', onDefect)
  }
  return { stopRequested, dispose }
}
