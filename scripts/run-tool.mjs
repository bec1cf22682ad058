/**
 * Runs one tool to its end with our terminal, and resolves with its exit code.
 *
 * A signal to us is passed on and ends us too once the tool has ended; a tool must not go on writing behind the back of
 * a process that has already given up its lock.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { root } from './clone.mjs'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']

export function runTool(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: 'inherit', ...options })
    let received
    const forward = (signal) => {
      received ??= signal
      child.kill(signal)
    }
    const dispose = () => {
      for (const signal of signals) process.off(signal, forward)
    }
    for (const signal of signals) process.on(signal, forward)
    if (child.pid !== undefined) options.onSpawn?.(child.pid)
    if (options.onMessage) child.on('message', options.onMessage)
    child.on('error', (error) => {
      dispose()
      reject(error)
    })
    child.on('close', (code, signal) => {
      dispose()
      if (received) process.exit(128 + constants.signals[received])
      resolve(code ?? 128 + (constants.signals[signal] ?? 0))
    })
  })
}

/** Seconds since a performance.now() for people: "3.2 s". */
export function secondsSince(startMs) {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`
}

/** Says what went wrong in one line and ends the process. */
export function giveUp(message) {
  console.error(`\nMinutely: ${message}`)
  process.exit(1)
}
