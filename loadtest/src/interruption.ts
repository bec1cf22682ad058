/** Ctrl-C of a program that has a folder and processes to clear away first: an error where it waits, so that `finally` does it. */
export class Interrupted extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}; stopping`)
  }
}

/** Rejects with the first signal; later ones change nothing. */
export function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => reject(new Interrupted(signal)))
  return promise
}
