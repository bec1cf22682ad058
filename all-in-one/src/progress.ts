/** What a person sees while the process starts: a line per step with the time since the start, then the banner. */
import type { Clock } from '@minutely/lib/clock'

export class Progress {
  readonly #clock: Clock
  readonly #startedAtMs: number
  readonly #write: (text: string) => void

  constructor(deps: { clock: Clock; write: (text: string) => void }) {
    this.#clock = deps.clock
    this.#startedAtMs = deps.clock.nowMs()
    this.#write = deps.write
  }

  readonly step = (message: string): void => {
    const seconds = ((this.#clock.nowMs() - this.#startedAtMs) / 1000).toFixed(1)
    this.#write(`${seconds.padStart(6)} s  ${message}\n`)
  }

  banner(about: { url: string; dataDir: string; serverId: string | undefined }): void {
    const { url, dataDir, serverId } = about
    const shown = serverId ?? 'my-server'
    this.#write(`
  Minutely is listening on ${url}

    look    open ${url} in a browser${serverId === undefined ? '' : '; the first minute of this machine closes within 90 s'}
    read    curl '${url}/v1/servers/${encodeURIComponent(shown)}/series?from=-15m'
    write   curl ${url}/v1/samples -H 'content-type: application/json' \\
              -d '{"samples":[{"serverId":"my-server","metricId":"my.metric","value":1,"ts":'$(date +%s000)'}]}'
    data    ${dataDir}
    stop    Ctrl-C

`)
  }
}
