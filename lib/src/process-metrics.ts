/** A registry of its own for every process (never prom-client's global one), with Node's own figures in it. */
import { collectDefaultMetrics, Registry } from 'prom-client'

export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}
