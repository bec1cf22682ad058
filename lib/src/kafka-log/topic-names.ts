/**
 * Names of topics, and the hash that spreads servers, metrics and partitions. Pure.
 *
 *   <prefix>.samples.<metric>   a metric of its own    system.cpu.utilization, disk-5freads (the metric disk_reads)
 *   <prefix>.shared.07          metrics past the limit
 *   <prefix>.dead-letters
 *
 * Different metrics have different names, also in the eyes of Kafka, which refuses a_b beside a.b: letters, digits and
 * dots stand for themselves, every other byte of UTF-8 is -hh in hexadecimal, the hyphen too.
 */
const nameLengthMax = 249

export function ownTopic(prefix: string, metricId: string): string | undefined {
  const name = `${prefix}.samples.${encodeMetric(metricId)}`
  return name.length <= nameLengthMax ? name : undefined
}

export function sharedTopic(prefix: string, metricId: string, sharedTopicCount: number): string {
  const digits = String(sharedTopicCount - 1).length
  return `${prefix}.shared.${String(stableHash(metricId) % sharedTopicCount).padStart(digits, '0')}`
}

export function deadLetterTopic(prefix: string): string {
  return `${prefix}.dead-letters`
}

export function isOwnTopic(prefix: string, topic: string): boolean {
  return topic.startsWith(`${prefix}.samples.`)
}

/** Of either kind: what consumers read. */
export function isSampleTopic(prefix: string, topic: string): boolean {
  return isOwnTopic(prefix, topic) || topic.startsWith(`${prefix}.shared.`)
}

/** The metric of a topic of its own. */
export function metricOf(prefix: string, topic: string): string {
  const bytes: number[] = []
  const encoded = topic.slice(`${prefix}.samples.`.length)
  for (let index = 0; index < encoded.length; index++) {
    if (encoded[index] !== '-') {
      bytes.push(encoded.charCodeAt(index))
      continue
    }
    bytes.push(Number.parseInt(encoded.slice(index + 1, index + 3), 16))
    index += 2
  }
  return Buffer.from(bytes).toString('utf8')
}

function encodeMetric(metricId: string): string {
  if (/^[A-Za-z0-9.]*$/.test(metricId)) return metricId
  let encoded = ''
  for (const byte of Buffer.from(metricId, 'utf8')) {
    const character = String.fromCharCode(byte)
    encoded += /[A-Za-z0-9.]/.test(character) ? character : `-${byte.toString(16).padStart(2, '0')}`
  }
  return encoded
}

/** FNV-1a with a final mix, 32 bits. Must never change: it says which partition a server's samples are in. */
export function stableHash(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
