/** What keys do on the wall: arrows move the cursor from cell to cell, with Shift the map; plus, minus and 0 zoom; Enter opens. */
export interface WallControls {
  readonly moveBy: (step: { readonly dx: number; readonly dy: number }) => void
  readonly moveTo: (end: 'first' | 'last') => void
  /** In shares of the wall's size. */
  readonly pan: (dx: number, dy: number) => void
  readonly zoomBy: (factor: number) => void
  readonly zoomOut: () => void
  readonly open: () => void
  readonly leave: () => void
}

export const zoomStep = 1.5
const panShare = 0.25
const arrows: Readonly<Record<string, readonly [dx: number, dy: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** Undefined: the key is not the wall's. */
export function wallKey(key: string, isShift: boolean, controls: WallControls): (() => void) | undefined {
  const arrow = arrows[key]
  if (arrow !== undefined) {
    const [dx, dy] = arrow
    return isShift ? () => controls.pan(dx * panShare, dy * panShare) : () => controls.moveBy({ dx, dy })
  }
  switch (key) {
    case '+':
    case '=':
      return () => controls.zoomBy(zoomStep)
    case '-':
      return () => controls.zoomBy(1 / zoomStep)
    case '0':
      return controls.zoomOut
    case 'Home':
      return () => controls.moveTo('first')
    case 'End':
      return () => controls.moveTo('last')
    case 'Enter':
      return controls.open
    case 'Escape':
      return controls.leave
    default:
      return undefined
  }
}
