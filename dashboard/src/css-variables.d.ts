/** The CSS variables of ours that a style may set. */
import 'react'

declare module 'react' {
  interface CSSProperties {
    '--swatch'?: string
    '--rows-wide'?: number
    '--rows-narrow'?: number
  }
}
