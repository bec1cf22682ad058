/**
 * Hosts with wrong clocks, and one that falls silent. Nobody else may notice: that the minutes of the others close when they
 * should, complete, is what the final watch and the check see to.
 */
import type { ChaosWorld } from './chaos-world.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'
import type { StrangeSample } from './strange-hosts.ts'

export const hourMs = 3_600_000
const batchSeconds = 15

type Context = FaultContext<ChaosWorld>

/** 15 s that end now, or so long before or after. */
export function batch({ random }: Pick<Context, 'random'>, offsetMs: number): StrangeSample[] {
  const endMs = Math.floor(Date.now() / 1_000) * 1_000 + offsetMs
  const value = (): number => Math.floor(random.between(0, 100_000)) / 100
  return Array.from({ length: batchSeconds }, (_, second) => ({ ts: endMs - second * 1_000, value: value() }))
}

export function nameOf({ random }: Pick<Context, 'random'>, kind: string): string {
  return `strange-${kind}-${Math.floor(random.next() * 2 ** 31).toString(36)}`
}

/** It is told so: every sample is refused, with the reason and by how much. */
async function clockAhead(context: Context): Promise<boolean> {
  const answer = await context.strangers.send(nameOf(context, 'ahead'), batch(context, hourMs))
  if (answer === undefined) return false
  if (answer.status !== 422 || !answer.text.includes('time-in-future'))
    throw new Error(`a host whose clock is an hour ahead was answered ${answer.status} ${answer.text}`)
  context.say('a host with its clock an hour ahead was told so')
  context.tally.add('strangeHosts')
  return true
}

async function clockBehind(context: Context): Promise<boolean> {
  const name = nameOf(context, 'behind')
  for (let turn = 0; turn < 3; turn++) {
    const answer = await context.strangers.send(name, batch(context, -hourMs))
    if (answer === undefined) return false
    await context.sleep(2_000)
  }
  context.say('a host with its clock an hour behind sends')
  context.tally.add('strangeHosts')
  return true
}

/** The same seconds twice, with other values: the first ones stay. */
async function clockJumpsBack(context: Context): Promise<boolean> {
  const name = nameOf(context, 'jump')
  const first = batch(context, 0)
  for (const samples of [first, batch(context, -hourMs), first.map(({ ts, value }) => ({ ts, value: value + 1 }))]) {
    if ((await context.strangers.send(name, samples)) === undefined) return false
  }
  context.say("a host's clock jumps back by an hour, and to seconds that it had sent before")
  context.tally.add('strangeHosts')
  return true
}

async function singleSample(context: Context): Promise<boolean> {
  const samples = batch(context, 0).slice(0, 1)
  const answer = await context.strangers.send(nameOf(context, 'single'), samples)
  if (answer === undefined) return false
  context.say('a host sends one sample and falls silent')
  context.tally.add('strangeHosts')
  return true
}

export const faultsOnHosts: readonly FaultKind<ChaosWorld>[] = [
  {
    name: 'clock-ahead',
    lane: 'hosts',
    describes: "a host's clock is an hour ahead: it is refused and told why",
    weight: 1,
    run: clockAhead,
  },
  {
    name: 'clock-behind',
    lane: 'hosts',
    describes: "a host's clock is an hour behind: its samples go to the minutes they name",
    weight: 1,
    run: clockBehind,
  },
  {
    name: 'clock-jumps-back',
    lane: 'hosts',
    describes: "a host's clock jumps back, so it sends seconds again with other values",
    weight: 1,
    run: clockJumpsBack,
  },
  {
    name: 'single-sample',
    lane: 'hosts',
    describes: 'a host sends one sample and then nothing',
    weight: 1,
    run: singleSample,
  },
]
