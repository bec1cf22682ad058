/** What the live channel over Redis counts. One instance per process. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function createLiveMetrics(registry: Registry) {
  const registers = [registry]
  return {
    watchedServers: new Gauge({
      name: 'minutely_live_watched_servers',
      help: 'Servers with a viewer, by side: reader (of this process), writer (of any, served), unserved (of any, past MINUTELY_LIVE_WATCHED_SERVERS_MAX)',
      labelNames: ['side'] as const,
      registers,
    }),
    messages: new Counter({
      name: 'minutely_live_messages_total',
      help: 'Messages by kind (minute, question, answer) and direction (sent, received)',
      labelNames: ['kind', 'direction'] as const,
      registers,
    }),
    dropped: new Counter({
      name: 'minutely_live_dropped_total',
      help: 'Messages that did not get through, by reason: disconnected, timeout, full, refused (by Redis), too-large, unreadable, late (an answer nobody waits for any more)',
      labelNames: ['reason'] as const,
      registers,
    }),
    questions: new Counter({
      name: 'minutely_live_questions_total',
      help: 'Questions for open minutes by result: answered (by all aggregators), partial (some did not answer in time), disconnected, overloaded, failed; the last three had no open minutes',
      labelNames: ['result'] as const,
      registers,
    }),
    questionsInFlight: new Gauge({
      name: 'minutely_live_questions_in_flight',
      help: 'Questions without an answer; bounded by MINUTELY_LIVE_QUESTIONS_MAX',
      registers,
    }),
  }
}

export type LiveMetrics = ReturnType<typeof createLiveMetrics>
