/** How to get data in: an agent on another host, or anything that can POST. Shown on the empty page and in a dialog. */
import { Button, CopyButton } from '@mantine/core'
import { addressUnknown, agentCommand, collectorUrl, curlCommand, isLoopback } from './agent-command.ts'
import './server-list.css'

export function WaysToSend() {
  const isLocal = isLoopback(location.hostname)
  return (
    <div className="ways">
      <h3>An agent on another host</h3>
      <p>It measures the host every second and sends by itself. In a clone of the Minutely repository there:</p>
      <Command text={agentCommand(collectorUrl(location))} />
      <p>
        {isLocal && (
          <>
            <code>{addressUnknown}</code> is the name or address under which that host reaches this one.{' '}
          </>
        )}
        The host appears under its own name, or <code>MINUTELY_SERVER_ID</code>.
      </p>
      <p>
        Minutely listens on loopback only, unless it was started with <code>MINUTELY_HOST=0.0.0.0 npm start</code>.
        There is no authentication yet: whoever reaches the port can read and write, so open it in trusted networks
        only.
      </p>
      <h3>Anything else that can POST</h3>
      <Command text={curlCommand(location.origin)} />
    </div>
  )
}

function Command({ text }: { text: string }) {
  return (
    <div className="ways-command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-sm" variant="default" onClick={copy}>
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </CopyButton>
    </div>
  )
}
