/** The commands that get data in, complete as far as this page knows: copy, paste, run. */

/** What other hosts have to write in place of it: a loopback address is this machine on each of them. */
export const addressUnknown = 'THIS-MACHINE'

/** Where other hosts reach the collector that serves this page. */
export function collectorUrl({ protocol, hostname, port }: Readonly<Record<'protocol' | 'hostname' | 'port', string>>) {
  const name = isLoopback(hostname) ? addressUnknown : hostname
  return `${protocol}//${name}${port === '' ? '' : `:${port}`}`
}

export function agentCommand(url: string): string {
  return ['npm ci', `MINUTELY_COLLECTOR_URL=${url} node_modules/.bin/node agent/src/main.ts`].join('\n')
}

export function curlCommand(origin: string): string {
  return [
    `curl -sS ${origin}/v1/samples -H 'content-type: application/json' -d '{"samples":[`,
    `  {"serverId":"my-server","metricId":"demo.temperature","value":21.5,"ts":'$(date +%s)000'}]}'`,
  ].join('\n')
}

export function isLoopback(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}
