/**
 * Lets a bounded number of tasks run at a time; the others wait in order. Browsers open about six connections to a host, and
 * a list of sparklines must not take all of them from whatever the reader does next.
 */
export interface Gate {
  /** Rejects with the signal's reason, without running the task, when it is aborted while waiting. */
  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>
}

export function createGate(runningMax: number): Gate {
  const waiting: (() => void)[] = []
  let running = 0

  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    if (running < runningMax) {
      running++
      return
    }
    const turn = Promise.withResolvers<void>()
    const leave = () => {
      const at = waiting.indexOf(turn.resolve)
      if (at === -1) return
      waiting.splice(at, 1)
      turn.reject(signal.reason)
    }
    waiting.push(turn.resolve)
    signal.addEventListener('abort', leave, { once: true })
    await turn.promise.finally(() => signal.removeEventListener('abort', leave))
  }

  return {
    async run(task, signal) {
      await enter(signal)
      try {
        return await task()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next() // Its place passes on, so running stays as it is.
      }
    },
  }
}
