/** Which format a file has, by its first line: only what cannot be anything else. Pure. */
export const importFormats = ['jsonl', 'csv', 'victoria-metrics'] as const
export type ImportFormat = (typeof importFormats)[number]

/** `firstLine`: its beginning will do. @returns undefined when it cannot be told. */
export function detectFormat(firstLine: string): ImportFormat | undefined {
  const line = firstLine.replace(/^\uFEFF/, '').trimStart()
  // As written: a line may be longer than what was looked at.
  if (/^\{\s*"metric"\s*:\s*\{/.test(line)) return 'victoria-metrics'
  if (/^\{\s*"(serverId|samples|series|metricId|startMs|stepMs|labels|value|ts)"\s*:/.test(line)) return 'jsonl'
  if (/^"?[A-Za-z_][\w .:/-]*"?\s*[,;\t]\s*"?[A-Za-z_]/.test(line)) return 'csv'
  return undefined
}
