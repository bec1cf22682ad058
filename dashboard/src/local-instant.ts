/** Instants (ms since the epoch) in inputs of type datetime-local, which speak the browser's own time zone and know no seconds here. */

/** 2025-11-24T14:05 */
export function toLocalInput(instantMs: number): string {
  const date = new Date(instantMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Undefined when it is not filled in. */
export function fromLocalInput(text: string): number | undefined {
  if (!/^\d{4,6}-\d\d-\d\dT\d\d:\d\d/.test(text)) return undefined
  const ms = new Date(text).getTime()
  return Number.isSafeInteger(ms) && ms >= 0 ? ms : undefined
}
