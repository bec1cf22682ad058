/** How to get data in, shown where there is none yet. The command is complete: copy, paste, run. */
import { Button, CopyButton } from '@mantine/core'

export function FirstSamples() {
  const curl = [
    `curl -sS ${location.origin}/v1/samples -H 'content-type: application/json' -d '{"samples":[`,
    `  {"serverId":"my-server","metricId":"demo.temperature","value":21.5,"ts":'$(date +%s)000'}]}'`,
  ].join('\n')
  return (
    <section className="first" aria-labelledby="first-title">
      <h2 id="first-title">Send the first samples</h2>
      <p>
        <code>npm start</code> watches the machine it runs on by itself (unless <code>MINUTELY_LOCAL_AGENT=off</code>):
        its first minute appears here about 75 s after the start.
      </p>
      <p>Anything else that can POST can send samples too:</p>
      <div className="first-command">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
        <pre tabIndex={0}>{curl}</pre>
        <CopyButton value={curl}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </div>
      <p className="dim">
        A minute is stored 10 s after it ended. This page looks again every 15 s; there is no need to reload it.
      </p>
    </section>
  )
}
