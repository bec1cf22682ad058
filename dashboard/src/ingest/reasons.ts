/** What a refusal means for whoever runs the host that was refused, and what to do: docs/errors.md in a line or two each. */
import type { IngestAnswer } from '@minutely/schema/ingest-wire'

export type Reason = IngestAnswer['rejected'][number]['reason']

export interface Advice {
  readonly what: string
  readonly toDo: string
}

export const reasons: Readonly<Record<Reason, Advice>> = {
  'series-malformed': {
    what: 'A series, sample or block was not of its shape',
    toDo: 'Look at what the sender writes: the answer to its request says where it went wrong.',
  },
  'server-id-invalid': {
    what: 'The server id was missing, no name, or began with minutely:',
    toDo: 'Use up to 200 letters, digits and . _ : @ -, starting with a letter or digit.',
  },
  'metric-id-invalid': {
    what: 'The metric id was missing or no name',
    toDo: 'Use up to 200 letters, digits and _ . : / -, starting with a letter or _.',
  },
  'labels-invalid': {
    what: 'Labels were not an object of short, printable strings',
    toDo: 'At most 20 labels, values of 1 to 512 bytes without control characters.',
  },
  'value-not-a-number': {
    what: 'A value was a string, null or the like',
    toDo: 'Send JSON numbers. Leave out what has no value.',
  },
  'value-not-finite': { what: 'A value was infinite or not a number', toDo: 'Leave such values out.' },
  'value-too-large': { what: 'A value was beyond 1e290', toDo: 'Use a smaller unit.' },
  'time-invalid': {
    what: 'A time was no whole number of milliseconds',
    toDo: 'Send ms since the epoch, with a startMs for each series of columns.',
  },
  'time-in-future': {
    what: "A time was too far ahead of the collector's clock",
    toDo: "Set the host's clock (NTP), and check that it sends milliseconds.",
  },
  'time-too-old': {
    what: 'A time was further back than minutes are kept',
    toDo: 'Check that the host sends milliseconds and not seconds. npm run import takes history, as far back as minutes are kept.',
  },
  'series-per-request': {
    what: 'One request had too many series',
    toDo: 'Send the others in a request of their own.',
  },
  'series-limit': {
    what: 'New series came when there was no room for more',
    toDo: 'Look for an id of something short-lived in a name or label, or raise MINUTELY_ACTIVE_SERIES_MAX.',
  },
}

/** Of whole requests, by the id of their error. */
export function requestAdvice(error: string): Advice {
  return requestErrors[error] ?? { what: 'The request was refused', toDo: 'docs/errors.md explains the id.' }
}

const unreadable = 'Look at what the sender writes; it should not send it again as it is.'
const later = 'The sender keeps the samples and sends them again.'
const requestErrors: Readonly<Record<string, Advice>> = {
  overloaded: {
    what: 'The collector held as much as it may',
    toDo: `${later} If it goes on: a slow log is the usual cause, else add collectors.`,
  },
  'log-unavailable': {
    what: 'The log did not confirm in time',
    toDo: `${later} See whether Kafka, or the Postgres that holds the log, is up and has space.`,
  },
  'log-full': {
    what: 'The log is at its size limit because a reader lags',
    toDo: `${later} See why the aggregator cannot write to Postgres.`,
  },
  'disk-full': { what: 'The disk of the data folder has too little room', toDo: `${later} Make room on it.` },
  'body-unreadable': { what: 'The body could not be parsed', toDo: unreadable },
  'body-not-decompressible': {
    what: 'The body was not what its Content-Encoding says',
    toDo: 'Check the header, and that the whole body is sent.',
  },
  'body-too-large': { what: 'The body was larger than the limit', toDo: 'Send it in parts.' },
  'content-type-unsupported': {
    what: 'The Content-Type was neither JSON nor Avro',
    toDo: 'Set application/json or application/avro.',
  },
  'content-encoding-unsupported': {
    what: 'The Content-Encoding is not known',
    toDo: 'Compress with gzip or zstd, or not at all.',
  },
  'schema-unknown': {
    what: 'An agent is newer than its collector',
    toDo: 'Upgrade the collectors. The agent keeps its samples until then.',
  },
  'internal-error': { what: 'A defect of Minutely', toDo: "The collector's log has the details; please report it." },
}
