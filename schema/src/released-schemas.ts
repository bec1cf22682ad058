/**
 * Every version of our Avro schemas that was ever released, from avro/ and avro/history/. Old ones stay, because old agents
 * send them and logs hold them. How to add one, and what may change: docs/schema-evolution.md.
 */
import { readFileSync } from 'node:fs'

export type SchemaName = 'series-list' | 'sample-batch' | 'sample-record' | 'sample-bundle'

/** Files below avro/, oldest first; the last is what is written today. A file that was released never changes. */
export const releasedSchemaFiles: Readonly<Record<SchemaName, readonly string[]>> = {
  // Its bytes have no mark of their own, so it can have no second version: what is new goes into what carries it.
  'series-list': ['series-list.avsc'],
  'sample-batch': ['sample-batch.avsc'],
  'sample-record': ['sample-record.avsc'],
  'sample-bundle': ['sample-bundle.avsc'],
}

/** Oldest first. */
export function releasedSchemas(name: SchemaName): unknown[] {
  return releasedSchemaFiles[name].map((file) =>
    JSON.parse(readFileSync(new URL(`../avro/${file}`, import.meta.url), 'utf8')),
  )
}
