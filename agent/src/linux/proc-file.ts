/**
 * A file of /proc that is read every second: opened once, then read from its start into a buffer of its own.
 * The kernel makes the text anew at every read from position 0; keeping the file open saves half of the system calls.
 * Reads are synchronous because procfs never waits for a device, and 14 rounds through the thread pool would cost more
 * than the reads.
 *
 * A file may be missing (no PSI, a container that hides it) or readable only in theory (PSI switched off answers
 * EOPNOTSUPP). Then text() is null, and it is tried again after a minute.
 */
import { closeSync, openSync, readSync } from 'node:fs'

/** Readings (seconds) until a file that failed is tried again. */
const retryAfterReads = 60
/** Beyond this a file is cut: 256 CPUs and 2,000 interrupts make /proc/stat about 40 KiB. */
const fileBytesMax = 4 * 1024 * 1024

const bufferBytesMin = 8 * 1024

export class ProcFile {
  readonly #path: string
  #fd: number | undefined
  #buffer = Buffer.allocUnsafe(bufferBytesMin)
  #skipReads = 0

  constructor(path: string) {
    this.#path = path
  }

  /** The whole file now, or null where there is none. */
  text(): string | null {
    if (this.#skipReads > 0) {
      this.#skipReads -= 1
      return null
    }
    try {
      this.#fd ??= openSync(this.#path, 'r')
      return this.#readAll(this.#fd)
    } catch {
      this.close()
      this.#skipReads = retryAfterReads
      return null
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** A read returns what the kernel had ready, often one page: the end is a read of 0 bytes. */
  #readAll(fd: number): string {
    let length = 0
    for (;;) {
      if (length === this.#buffer.length) {
        if (length >= fileBytesMax) break
        this.#buffer = Buffer.concat([this.#buffer, Buffer.allocUnsafe(length)])
      }
      const count = readSync(fd, this.#buffer, length, this.#buffer.length - length, length)
      if (count === 0) break
      length += count
    }
    return this.#buffer.toString('latin1', 0, length)
  }
}
