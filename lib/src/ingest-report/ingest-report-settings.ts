/** Settings of what a process reports of its own ingest (ingest-report.ts). */
import { hostname } from 'node:os'
import { labelValueBytesMax } from '@minutely/schema/limits'
import { z } from 'zod'
import { type ConfigOf, onOff, type Settings } from '../config.ts'

export const ingestReportSettings = {
  isOn: {
    name: 'INGEST_REPORT',
    shape: onOff,
    default: 'on',
    description:
      'Whether this process stores what it counted (accepted, rejected, late samples) as metrics of its own, for `/ingest`',
  },
  source: {
    name: 'INGEST_SOURCE',
    shape: z
      .string()
      .max(labelValueBytesMax / 4)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
    default: '',
    description: 'Its name in these metrics, which no other process may have; blank: the host name and the port',
  },
} satisfies Settings

export type IngestReportConfig = ConfigOf<typeof ingestReportSettings>

/** `port` 0 is any free one: the process id tells two of them apart, too. */
export function sourceName(config: IngestReportConfig, port: number): string {
  if (config.source !== '') return config.source
  return `${hostname()
    .replaceAll(/[^\x21-\x7e]/g, '-')
    .slice(0, 100)}:${port === 0 ? `pid-${process.pid}` : port}`
}
