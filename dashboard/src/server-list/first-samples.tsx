/** In place of the list while there is no server: what is on its way by itself, and how to send more. */
import { WaysToSend } from './ways-to-send.tsx'
import './server-list.css'

export function FirstSamples() {
  return (
    <section className="first" aria-labelledby="first-title">
      <h2 id="first-title">Waiting for the first samples</h2>
      <p>
        The machine that Minutely runs on measures itself and appears here within about 20 s of the start, unless
        Minutely was started with <code>MINUTELY_LOCAL_AGENT=off</code>. There is no need to reload this page.
      </p>
      <WaysToSend />
    </section>
  )
}
