/**
 * The pages of the top navigation, and the keys that lead there: the one list behind the bar, the jumps and the help. A place is
 * shown from the moment that its page is there.
 *
 * The list of metrics is at `/metrics/`, for `/metrics` is what every service answers to Prometheus.
 */
export interface Place {
  readonly href: string
  readonly text: string
  /** After `g`. */
  readonly key: string
  /** Links lead only to pages that are there. */
  readonly isThere: boolean
  /** The address is this place's, or of something in it. */
  readonly holds: (path: string) => boolean
}

const below =
  (root: string) =>
  (path: string): boolean =>
    path === root || path.startsWith(`${root}/`)

const all: readonly Place[] = [
  { href: '/', text: 'Fleet', key: 'f', isThere: true, holds: (path) => path === '/' },
  { href: '/servers', text: 'Servers', key: 's', isThere: true, holds: below('/servers') },
  { href: '/metrics/', text: 'Metrics', key: 'm', isThere: true, holds: below('/metrics') },
  { href: '/compare', text: 'Compare', key: 'c', isThere: true, holds: below('/compare') },
  { href: '/ingest', text: 'Ingest', key: 'i', isThere: true, holds: below('/ingest') },
]

export const places: readonly Place[] = all.filter(({ isThere }) => isThere)
