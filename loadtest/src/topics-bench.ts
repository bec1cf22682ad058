/**
 * What many metric topics cost the log on Kafka: writing, reading, the broker, and a group that changes.
 *
 *   node_modules/.bin/node loadtest/src/topics-bench.ts --topics 20,200,2000,2000/200,2000x1
 *
 * A broker of its own in a temporary folder, and on it one case after the other, each with the same samples a second: a writer
 * that does what a collector does, and readers that do what aggregators do, but for HTTP and Postgres. The first case is the
 * baseline; before it, a short case that is not reported warms the broker's JIT up. Linux only: it reads /proc.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { BenchBroker } from './topics/bench-broker.ts'
import { benchClients } from './topics/bench-log.ts'
import { type CaseSettings, runCase } from './topics/topics-case.ts'
import { type CaseFigures, type CaseSpec, nameOf, parseCase, parseLoad, topicsReport } from './topics/topics-report.ts'

const usage = `node_modules/.bin/node loadtest/src/topics-bench.ts [options]

  --topics <cases>     metrics[x partitions][/topics at most], the first is the baseline (20,200,2000)
  --partitions <n>     of a topic, where the case does not say (4)
  --hosts <n>          (250)
  --series <n>         of a host, one sample a second each (200)
  --loads <ms,...>     time between two flushes[/fetches of a reader]; the first also during rebalances (250,100,1000,250/1000)
  --seconds <n>        of each load (60)
  --warm-up <case>     not reported; none for no warm-up (200)
  --client <name>      ours, or platformatic: @platformatic/kafka's producer and consumer in their place (ours)
  --report <file>      writes the tables there
  --profile <folder>   writes CPU profiles of writer and readers there`

const defaultFetchEveryMs = Number(kafkaLogSettings.fetchEveryMs.default)
const text = (fallback: string): { type: 'string'; default: string } => ({ type: 'string', default: fallback })
const { cases, warmUp, settings, report } = readOptions()
const broker = await BenchBroker.start()
try {
  if (warmUp !== undefined) {
    await runCase(warmUp, { ...settings, loads: settings.loads.slice(0, 1), seconds: 10 }, broker)
  }
  const figures: CaseFigures[] = []
  for (const spec of cases) {
    say(`${nameOf(spec)} ...`)
    figures.push(await runCase(spec, settings, broker))
    say(tables(figures))
  }
  if (report !== undefined) await writeFile(report, tables(figures))
} finally {
  await broker.stop()
}

function readOptions(): {
  cases: CaseSpec[]
  warmUp: CaseSpec | undefined
  settings: CaseSettings
  report: string | undefined
} {
  try {
    const { values } = parseArgs({
      options: {
        topics: text('20,200,2000'),
        partitions: text('4'),
        hosts: text('250'),
        series: text('200'),
        loads: text('250,100,1000,250/1000'),
        seconds: text('60'),
        'warm-up': text('200'),
        client: text('ours'),
        report: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      say(usage)
      return process.exit(0)
    }
    const number = (name: string, written: string): number => {
      if (/^[1-9]\d*$/.test(written)) return Number(written)
      throw new Error(`--${name} ${written}: a whole number above 0 is needed`)
    }
    const partitions = number('partitions', values.partitions)
    const client = benchClients.find((name) => name === values.client)
    if (client === undefined) throw new Error(`--client ${values.client}: there are ${benchClients.join(' and ')}`)
    return {
      cases: values.topics.split(',').map((written) => parseCase(written, partitions)),
      warmUp: values['warm-up'] === 'none' ? undefined : parseCase(values['warm-up'], partitions),
      settings: {
        hostCount: number('hosts', values.hosts),
        seriesPerHost: number('series', values.series),
        loads: values.loads.split(',').map((written) => parseLoad(written, defaultFetchEveryMs)),
        seconds: number('seconds', values.seconds),
        client,
        profile: values.profile,
        onProgress: (message) => void process.stderr.write(`  ${message}\n`),
      },
      report: values.report,
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}\n`)
    return process.exit(2)
  }
}

function tables(figures: CaseFigures[]): string {
  const whose = settings.client === 'ours' ? '' : `Client: ${settings.client}.\n\n`
  return `${whose}${topicsReport(figures)}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
