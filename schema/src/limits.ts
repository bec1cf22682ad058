/**
 * Limits of the contract: what a well-formed name, value and request is. They are part of the wire format (agents may
 * rely on them), so they are constants here and not settings; settings live in each service's config.ts.
 *
 * Lengths of names are in characters (they are ASCII), label values in UTF-8 bytes.
 */
export const serverIdLengthMax = 200
export const metricIdLengthMax = 200
export const labelNameLengthMax = 128
export const labelValueBytesMax = 512
export const labelsPerSeriesMax = 20
/** |value| above this is refused: 60 of them must still add up to a finite double. */
export const valueMax = 1e290
/** Resolution of the system: one sample per series per second. */
export const secondMs = 1000
export const minuteMs = 60_000
export const secondsPerMinute = 60

/** Hostnames, cloud instance ids, `host:port`. */
export const serverIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:@-]*$/
/** OpenTelemetry and Prometheus names both fit. */
export const metricIdPattern = /^[A-Za-z_][A-Za-z0-9_.:/-]*$/
/** A leading `__` is reserved, as in Prometheus; it also keeps `__proto__` out. */
export const labelNamePattern = /^(?!__)[A-Za-z_][A-Za-z0-9_./-]*$/
/** No control characters: they break terminals, Postgres (NUL) and our own key separator. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
export const controlCharacterPattern = /[\u0000-\u001f\u007f]/
