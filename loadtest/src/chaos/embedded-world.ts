/**
 * One embedded process, to be broken: agents and readers reach it through a gate. Its PostgreSQL is its own child, and outlives
 * it when it is killed; the next start finds and stops it.
 */
import { join } from 'node:path'
import { isPostmasterOf, readPostmasterState, stopPostmaster } from '@minutely/lib/postgres/postmaster'
import { ServiceProcess } from '../fleet/service-process.ts'
import { TcpGate } from '../fleet/tcp-gate.ts'
import type { ChaosPart, ChaosWorld, Door } from './chaos-world.ts'
import { Keeper, type KeeperDeps } from './keeper.ts'
import { readSealings, type Sealings, sealingSettings } from './sealed-hours.ts'

const readyDeadlineMs = 60_000

export class EmbeddedWorld implements ChaosWorld {
  readonly keeper: Keeper
  /** What is past the retention is refused. */
  readonly hoursBack = 2
  readonly process: ServiceProcess
  readonly #gate: TcpGate
  readonly #clusterDir: string
  readonly #say: (message: string) => void
  #isAbandoned = false

  constructor({ folder }: { folder: string }, deps: KeeperDeps) {
    this.keeper = new Keeper(deps)
    this.#say = deps.say
    const dataDir = join(folder, 'data')
    this.#clusterDir = join(dataDir, 'database', 'cluster')
    this.process = new ServiceProcess({
      name: 'minutely',
      main: 'all-in-one/src/main.ts',
      // Its log is what says which hours were sealed.
      settings: {
        MINUTELY_DATA_DIR: dataDir,
        MINUTELY_LOCAL_AGENT: 'off',
        MINUTELY_LOG_LEVEL: 'info',
        ...sealingSettings,
      },
      logFile: join(folder, 'minutely.log'),
    })
    this.#gate = new TcpGate(() => this.process.url)
  }

  get doors(): readonly Door[] {
    return [{ process: this.process, gate: this.#gate }]
  }

  readonly collectorUrls = (): readonly string[] => [this.#gate.url]
  readonly queryUrls = (): readonly string[] => [this.process.url]

  parts(): readonly ChaosPart[] {
    return [{ name: this.process.name, isUp: this.process.state === 'running' }]
  }

  sealings(): Promise<Sealings> {
    return readSealings([this.process.logFile])
  }

  async start(): Promise<void> {
    this.#say('starting the embedded process')
    await this.#gate.open()
    if (this.#isAbandoned) throw new Error('stopped while it was starting')
    await this.process.start()
    await this.process.awaitReady(readyDeadlineMs)
    this.keeper.mind([this.process])
  }

  abandonStart(): readonly string[] {
    this.#isAbandoned = true
    if (this.process.state !== 'running') return []
    void this.process.stop()
    return [this.process.name]
  }

  async recover(): Promise<void> {
    this.#gate.reopen()
    this.#gate.cutNext({ when: 'before', times: 0 })
    await this.keeper.recover([this.process])
  }

  async stop(): Promise<readonly string[]> {
    this.keeper.stop()
    const { exitCode, wasRunning } = await this.#stopProcess()
    this.#gate.close()
    const orphan = await this.postmasterPid()
    if (orphan !== undefined) await stopPostmaster(orphan, async () => (await this.postmasterPid()) === undefined)
    return wasRunning && exitCode !== 0 ? [`minutely ended with ${exitCode}:\n${this.process.lastWords}`] : []
  }

  /** Of its PostgreSQL, if that runs. */
  async postmasterPid(): Promise<number | undefined> {
    const state = await readPostmasterState(this.#clusterDir)
    return state !== undefined && (await isPostmasterOf(state.pid, this.#clusterDir)) ? state.pid : undefined
  }

  async #stopProcess(): Promise<{ exitCode: number | null; wasRunning: boolean }> {
    const { state, hasListened } = this.process
    const wasRunning = state === 'running' && hasListened
    if (state === 'new') return { exitCode: 0, wasRunning }
    return { exitCode: (await this.process.stop()).exitCode, wasRunning }
  }
}
