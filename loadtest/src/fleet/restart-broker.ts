/** Asks a scripts/servers.mjs that is our child for one of its three Kafka brokers, which has ended. */
import type { ChildProcess } from 'node:child_process'

interface Answer {
  readonly broker: number
  readonly pid?: number
  readonly failure?: string
}

/** @returns its new pid when it is ready. @throws with what it said when it is not. */
export async function restartBroker(servers: ChildProcess, broker: number): Promise<number> {
  const answer = await new Promise<Answer>((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      if ((message as Answer).broker !== broker) return
      settle()
      resolve(message as Answer)
    }
    const onExit = (): void => {
      settle()
      reject(new Error(`scripts/servers.mjs ended while broker ${broker} was started again`))
    }
    const settle = (): void => void servers.off('message', onMessage).off('exit', onExit)
    servers.on('message', onMessage).on('exit', onExit)
    servers.send({ restartBroker: broker })
  })
  if (answer.pid === undefined) throw new Error(answer.failure ?? `broker ${broker} was not started`)
  return answer.pid
}
