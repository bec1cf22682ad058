/** Kafka, schema registry, Redis and PostgreSQL of one run, in its folder. */
import type { ServerAddresses } from '../fleet/server-addresses.ts'
import { OwnServer, type OwnServerKind } from './own-server.ts'

export class OwnServers {
  readonly kafka: OwnServer
  readonly registry: OwnServer
  readonly redis: OwnServer
  readonly postgres: OwnServer

  constructor(folder: string, { brokers }: { brokers: number }) {
    this.kafka = new OwnServer('kafka', { folder, brokers })
    this.registry = new OwnServer('registry', { folder })
    this.redis = new OwnServer('redis', { folder })
    this.postgres = new OwnServer('postgres', { folder })
  }

  get all(): readonly OwnServer[] {
    return [this.kafka, this.registry, this.redis, this.postgres]
  }

  get addresses(): ServerAddresses {
    return {
      kafkaBootstrap: this.kafka.address,
      schemaRegistryUrl: this.registry.address,
      redisUrl: this.redis.address,
      postgresUrl: this.postgres.address,
    }
  }

  /** Not ready yet. */
  get starting(): readonly OwnServerKind[] {
    return this.all.filter(({ state }) => state === 'new').map(({ kind }) => kind)
  }

  async start({ say }: { say: (message: string) => void }): Promise<void> {
    await Promise.all(
      this.all.map(async (one) => {
        await one.start()
        const left = this.starting
        say(`${one.kind} is ready${left.length === 0 ? '' : `; still starting: ${left.join(', ')}`}`)
      }),
    )
  }

  /** Those that a fault left down. */
  async recover(): Promise<void> {
    await Promise.all(this.all.filter(({ state }) => state === 'down').map((one) => one.start()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((one) => one.end()))
  }
}
