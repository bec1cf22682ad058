/**
 * The files of the spool as a disk that may fail: never throws for what the operating system says, and knows how many bytes
 * the files have.
 *
 * After a failed append or removal nothing is appended for retryMs (monotonic); reading and removing go on. It is said once,
 * and once more when appends have worked for retryMs: on a disk that is nearly full a small one works now and then. A failed
 * append counts with all its bytes: how many of them there are is not known.
 */
import type { Logger } from '@minutely/lib/logging'
import type { SpoolMetrics } from './metrics.ts'
import type { SpoolFiles } from './spool-files.ts'

const retryMs = 60_000

export interface SpoolDiskDeps {
  readonly files: SpoolFiles
  readonly log: Logger
  readonly metrics: SpoolMetrics
  readonly monotonicMs: () => number
}

export class SpoolDisk {
  readonly #deps: SpoolDiskDeps
  readonly #fileBytes = new Map<string, number>()
  #bytes = 0
  #failure: { readonly message: string; readonly retryAtMs: number; worksSinceMs?: number } | undefined
  #isUnreadableSaid = false
  #syncing: Promise<void> | undefined

  /** @throws what the disk says when the folder cannot be listed. */
  constructor(deps: SpoolDiskDeps) {
    this.#deps = deps
    for (const { name, bytes } of deps.files.list()) this.#count(name, bytes)
  }

  /** Of all files. */
  get bytes(): number {
    return this.#bytes
  }

  get names(): string[] {
    return [...this.#fileBytes.keys()]
  }

  /** Why nothing is written at present, for a person. */
  get trouble(): string | null {
    return this.#failure?.message ?? null
  }

  get isWritable(): boolean {
    return this.#failure === undefined || this.#deps.monotonicMs() >= this.#failure.retryAtMs
  }

  has(name: string): boolean {
    return this.#fileBytes.has(name)
  }

  bytesOf(name: string): number {
    return this.#fileBytes.get(name) ?? 0
  }

  /** False when it was not written as a whole. */
  append(name: string, bytes: Buffer): boolean {
    if (!this.isWritable) return false
    this.#count(name, bytes.length)
    try {
      this.#deps.files.append(name, bytes)
    } catch (error) {
      this.#fail(error)
      return false
    }
    this.#succeed()
    return true
  }

  remove(name: string): boolean {
    if (!this.has(name)) return true
    try {
      this.#deps.files.remove(name)
    } catch (error) {
      this.#fail(error)
      return false
    }
    this.#bytes -= this.bytesOf(name)
    this.#fileBytes.delete(name)
    return true
  }

  /** The whole file or a range of it; shorter where the file is. Undefined when it cannot be read at present. */
  read(name: string, range = { offset: 0, length: this.bytesOf(name) }): Buffer | undefined {
    try {
      return this.#deps.files.read(name, range)
    } catch (error) {
      if (!isDiskError(error)) throw error
      if (error.code === 'ENOENT') return Buffer.alloc(0)
      this.#deps.metrics.failures.inc()
      const level = this.#isUnreadableSaid ? 'debug' : 'warn'
      this.#isUnreadableSaid = true
      this.#deps.log[level](`the spool cannot be read: ${error.message}; what is there waits, trying again`)
      return undefined
    }
  }

  /** In the background, one at a time: the next one covers what came meanwhile. */
  sync(name: string): void {
    this.#syncing ??= this.#deps.files
      .sync(name)
      .catch((error: unknown) => {
        // Acknowledged and removed meanwhile.
        if (this.has(name)) this.#fail(error)
      })
      .finally(() => {
        this.#syncing = undefined
      })
  }

  /** Resolves when no sync is under way. */
  async settled(): Promise<void> {
    await this.#syncing
  }

  #succeed(): void {
    if (this.#failure === undefined) return
    const nowMs = this.#deps.monotonicMs()
    this.#failure.worksSinceMs ??= nowMs
    if (nowMs < this.#failure.worksSinceMs + retryMs) return
    this.#failure = undefined
    this.#deps.log.info('the spool can be written again')
  }

  #fail(error: unknown): void {
    if (!isDiskError(error)) throw error
    const { log, metrics, monotonicMs } = this.#deps
    metrics.failures.inc()
    const message = `the spool cannot be written: ${error.message}`
    const level = this.#failure === undefined ? 'warn' : 'debug'
    log[level](`${message}; going on in memory, trying again in ${retryMs / 1000} s`)
    this.#failure = { message, retryAtMs: monotonicMs() + retryMs }
  }

  #count(name: string, bytes: number): void {
    this.#fileBytes.set(name, this.bytesOf(name) + bytes)
    this.#bytes += bytes
  }
}

/** What the operating system says, not a defect of ours. */
function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  const { errno, syscall } = error as NodeJS.ErrnoException
  return error instanceof Error && typeof errno === 'number' && typeof syscall === 'string'
}
