/** What the keys do, page by page: what the help says, in its order. The pages act on them (keys.ts). */
import { places } from './places.ts'

export interface KeyMeaning {
  readonly keys: string
  readonly meaning: string
}

export interface KeyGroup {
  readonly title: string
  readonly keys: readonly KeyMeaning[]
}

export const keyGroups: readonly KeyGroup[] = [
  {
    title: 'Everywhere',
    keys: [
      { keys: '/', meaning: 'Search, or filter what the page shows' },
      { keys: 'Esc', meaning: 'Leave the search box, undo a zoom, close this' },
      { keys: '?', meaning: 'This help' },
      ...places.map(({ key, text }) => ({ keys: `g ${key}`, meaning: `Go to ${text}` })),
    ],
  },
  {
    title: 'Fleet',
    keys: [
      { keys: 's', meaning: 'Silent servers only, or all' },
      { keys: '↑ ↓ ← →', meaning: 'Next server, on the map or in the list; with Shift the map moves' },
      { keys: '+ − 0', meaning: 'On the map: zoom in, out, all the way out' },
      { keys: 'Enter', meaning: 'Open the server' },
    ],
  },
  {
    title: 'Charts',
    keys: [
      { keys: '[', meaning: 'Shorter range' },
      { keys: ']', meaning: 'Longer range' },
      { keys: '{', meaning: 'Earlier, by half of what is shown' },
      { keys: '}', meaning: 'Later, by half of what is shown' },
      { keys: '0', meaning: 'Undo a zoom, as a double click does' },
      { keys: '← →', meaning: 'Move the crosshair of all charts' },
      { keys: ', .', meaning: 'Move it by ten points' },
      { keys: 'a', meaning: 'Annotate, at the crosshair' },
    ],
  },
]
