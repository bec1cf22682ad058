/** Both readers against the contract, on this machine: systeminformation reads Linux, too. */
import pino from 'pino'
import type { HostConfig } from '../config.ts'
import type { HostReader, HostReaderDeps } from '../host-metrics.ts'
import { createLinuxHost } from '../linux/linux-host.ts'
import { hostReaderContract, type ReaderUnderTest } from './host-reader-contract.ts'
import { createPortableHost } from './portable-host.ts'

/** Interfaces are all read: a container may have nothing but lo. */
const config: HostConfig = { cpuPerCore: true, interfacesIgnored: /^$/ }

function underTest(create: (config: HostConfig, deps: HostReaderDeps) => HostReader): ReaderUnderTest {
  let nowMs = 0
  return {
    reader: create(config, { log: pino({ level: 'silent' }), monotonicMs: () => nowMs }),
    advance: (ms) => {
      nowMs += ms
    },
  }
}

if (process.platform === 'linux') hostReaderContract('linux', () => underTest(createLinuxHost))
hostReaderContract('portable', () => underTest(createPortableHost))
