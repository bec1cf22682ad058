/** What the keys do, and what the marks on a chart mean. */
import { Kbd, Modal } from '@mantine/core'
import './help.css'

const keys: readonly [key: string, meaning: string][] = [
  ['/', 'Search servers, or filter metrics'],
  ['[', 'Shorter range'],
  [']', 'Longer range'],
  ['Esc', 'Leave the search box, undo a zoom, close this'],
  ['?', 'This help'],
]

export function Help({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard and charts" closeButtonProps={{ 'aria-label': 'Close' }}>
      <dl className="help">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <Kbd>{key}</Kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <ul className="help-marks">
        <li>
          The line is the average of each step, the band around it reaches from the lowest to the highest sample.
          Several lines show averages; point at them for the rest.
        </li>
        <li>
          The filter looks for each word in names and labels; a word with a star, such as <code>system.cpu.*</code>, has
          to match all of a name or of a label's value.
        </li>
        <li>A gap is a time without samples. Nothing is drawn across it.</li>
        <li>Hatched and dashed is provisional: the minute is still open and its values will change.</li>
        <li>Drag over a chart to zoom all of them; double-click to go back. The address always holds what you see.</li>
      </ul>
    </Modal>
  )
}
