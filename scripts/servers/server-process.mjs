/**
 * One process of a server: spawned with its output in a file, waited for, stopped.
 *
 * It runs in a session of its own, so that Ctrl-C in a terminal reaches us but not it. Its output goes to a file and not
 * through us, so it never waits for us, and never dies of a broken pipe before the watchdog ends it in order.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const readyTimeoutMs = 120_000
const pollMs = 100
/** The whole stop has 10 s, whatever a server does. */
const stopGraceMs = 7000
/** For one whose data is thrown away. */
export const hastyStopMs = 2000
const lastLinesMax = 15

export function spawnServer({ name, file, args, logFile, watchdog, withChannel = false, graceMs = stopGraceMs }) {
  const log = openSync(logFile, 'w')
  const stdio = ['ignore', log, log, ...(withChannel ? ['ipc'] : [])]
  const child = spawn(file, args, { stdio, detached: true })
  closeSync(log)
  let hasEnded = child.pid === undefined
  let isStopping = false
  let reason = `cannot be started`
  if (child.pid !== undefined) watchdog.watch(child.pid)
  const ended = new Promise((resolve) => {
    child.on('error', (error) => {
      reason = error.message
      if (child.pid === undefined) resolve()
    })
    child.on('exit', (code, signal) => {
      hasEnded = true
      reason = `ended (${signal ?? `exit code ${code}`})`
      watchdog.forget(child.pid)
      resolve()
    })
  })
  const lastWords = () => `${name} ${reason}. The last lines of ${logFile}:\n${lastLines(logFile)}`
  return {
    name,
    pid: child.pid,
    logText: () => readFileSync(logFile, 'utf8'),
    onMessage: (listener) => child.on('message', listener),
    /** Resolves with what it said last if it ends by itself; never because of stop(). */
    surprise: new Promise((resolve) => {
      ended.then(() => isStopping || resolve(lastWords()))
    }),
    /** Resolves when `check` does with something true. */
    until: async (check) => {
      for (let waitedMs = 0; ; waitedMs += pollMs) {
        if (hasEnded) throw new Error(lastWords())
        if (await check()) return
        if (waitedMs >= readyTimeoutMs) {
          reason = `is not ready after ${readyTimeoutMs / 1000} s`
          throw new Error(lastWords())
        }
        await delay(pollMs)
      }
    },
    stop: async () => {
      isStopping = true
      if (hasEnded) return
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(kill)
    },
  }
}

function lastLines(file) {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.slice(-lastLinesMax).join('\n') || '(nothing)'
}
