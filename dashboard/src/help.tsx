/** What the keys do, and what the marks on a chart mean. */
import { Kbd } from '@mantine/core'
import { Dialog } from './dialog.tsx'
import { keyGroups } from './key-list.ts'
import './help.css'

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard and charts" onClose={onClose}>
      {keyGroups.map(({ title, keys }) => (
        <section key={title} className="help-group">
          <h3>{title}</h3>
          <dl className="help">
            {keys.map(({ keys: pressed, meaning }) => (
              <div key={pressed}>
                <dt>
                  {pressed.split(' ').map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <ul className="help-marks">
        <li>
          The line is the average of each step, the band around it reaches from the lowest to the highest sample.
          Several lines show averages; point at them for the rest.
        </li>
        <li>
          The filter looks for each word in names and labels; a word with a star, such as <code>system.cpu.*</code>, has
          to match all of a name or of a label's value.
        </li>
        <li>
          On the map a hatched server is silent, a plain grey one has no value of this metric. Its colours stay what
          they mean until you fit or set the scale.
        </li>
        <li>A gap is a time without samples. Nothing is drawn across it.</li>
        <li>Hatched and dashed is provisional: the minute is still open and its values will change.</li>
        <li>
          A small foot on the axis is a late correction: data came after the minute was final, and changed it while you
          watched.
        </li>
        <li>A flag with a dashed line, or a ground under a stretch, is an annotation. Point at it to read it.</li>
        <li>
          Minutes are kept for two days unless set otherwise, hours for longer: longer ranges have coarser points, and
          the bar says which.
        </li>
        <li>Drag over a chart to zoom all of them; double-click to go back. The address always holds what you see.</li>
      </ul>
    </Dialog>
  )
}
