/**
 * A process run by the lifecycle, for src/lifecycle.test.ts: its argument is a JSON list of services and what each does.
 * It writes what happens to standard output, a line each, then the log as JSON lines.
 */

import pino from 'pino'
import { runServices, type Service } from '../src/lifecycle.ts'

export interface Plan {
  readonly services: readonly ServicePlan[]
  readonly stopTimeoutMs?: number
  readonly explain?: boolean
  /** Begins only when the parent's IPC channel is gone. */
  readonly waitForDisconnect?: boolean
  /** Something that nobody stops. */
  readonly leaveOpen?: boolean
}

export interface ServicePlan {
  readonly name: string
  /** `until-stop` ends when stop is called, `until-told` when the parent closes standard input. */
  readonly start?: 'fail' | 'hang' | 'until-stop' | 'until-told' | 'fail-when-told'
  /** `until-told` as above. */
  readonly stop?: 'fail' | 'hang' | 'until-told' | 'throw-elsewhere' | 'reject-elsewhere'
}

const plan = JSON.parse(process.argv[2] ?? '') as Plan
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const never = new Promise<void>(() => {})

function toldByParent(): Promise<void> {
  return new Promise((resolve) => process.stdin.resume().on('end', resolve))
}

function serviceOf({ name, start, stop }: ServicePlan): Service {
  const stopped = Promise.withResolvers<void>()
  return {
    name,
    async start() {
      say(`start ${name}`)
      if (start === 'fail') throw new Error(`${name} cannot start`)
      if (start === 'hang') await never
      if (start === 'until-stop') await stopped.promise
      if (start === 'until-told' || start === 'fail-when-told') await toldByParent()
      if (start === 'fail-when-told') throw new Error(`${name} was interrupted`)
      say(`started ${name}`)
    },
    async stop() {
      say(`stop ${name}`)
      stopped.resolve()
      if (stop === 'fail') throw new Error(`${name} cannot stop`)
      if (stop === 'hang') await never
      if (stop === 'until-told') await toldByParent()
      if (stop === 'throw-elsewhere') {
        process.nextTick(() => {
          throw new Error('a second failure')
        })
      }
      if (stop === 'reject-elsewhere') void Promise.reject(new Error('a second failure'))
      // A turn of the loop, so that what happens elsewhere happens before the next service.
      await new Promise((resolve) => setImmediate(resolve))
      say(`stopped ${name}`)
    },
  }
}

process.on('message', (message) => {
  if (message === 'throw') {
    setImmediate(() => {
      throw new Error('a defect')
    })
  }
  if (message === 'reject') void Promise.reject(new Error('a forgotten promise'))
})
if (plan.waitForDisconnect) await new Promise<void>((resolve) => process.once('disconnect', () => resolve()))
// Holds the process as a socket or a timer would.
const open = setInterval(() => {}, 1 << 30)
const log = pino(
  { level: 'debug', formatters: { level: (label) => ({ level: label }) } },
  pino.destination({ fd: 1, sync: true }),
)
process.exitCode = await runServices(plan.services.map(serviceOf), {
  log,
  ...(plan.stopTimeoutMs === undefined ? {} : { stopTimeoutMs: plan.stopTimeoutMs }),
  ...(plan.explain ? { explain: (message: string) => say(`explained: ${message}`) } : {}),
})
say('end')
process.removeAllListeners('message')
if (!plan.leaveOpen) clearInterval(open)
