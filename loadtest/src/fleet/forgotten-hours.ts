/**
 * Which minutes retention may have dropped by now: those of hours that ended before it, as hours are dropped whole. Of these anything
 * may be gone; what is there must be right all the same. Instants are ms since the epoch.
 */
export const hourMs = 3_600_000

/** Without a retention nothing is forgotten. */
export function isForgotten(minute: number, nowMs: number, retentionHours = Number.POSITIVE_INFINITY): boolean {
  const hourEndMs = (Math.floor(minute / hourMs) + 1) * hourMs
  return hourEndMs <= nowMs - retentionHours * hourMs
}
