/** Colours that stay with their servers while ranks change: whoever stays keeps its colour, whoever comes takes one that is free. */

/** A colour for as many keys as there are, the first ones first; others have none. */
export function stickyColors(
  before: ReadonlyMap<string, number>,
  keys: readonly string[],
  colors: readonly number[],
): ReadonlyMap<string, number> {
  const kept = keys.slice(0, colors.length)
  const found = new Map<string, number>()
  for (const key of kept) {
    const color = before.get(key)
    if (color !== undefined) found.set(key, color)
  }
  const free = colors.filter((color) => ![...found.values()].includes(color))
  for (const key of kept) {
    if (found.has(key)) continue
    const color = free.shift()
    if (color !== undefined) found.set(key, color)
  }
  return found
}
