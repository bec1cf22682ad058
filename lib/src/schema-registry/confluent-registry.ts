/**
 * The schema registry over Confluent's HTTP API (https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
 * The only file that knows its client.
 *
 * Each call ends within timeoutMs, with an answer, RegistryUnavailableError (ask again later) or SchemaRefusedError (a person
 * has to do something). Nothing is cached and nothing retried here: the client's own cache would hold ids of a registry that
 * was wiped, and its retries would outlast the deadline.
 */
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { Clock } from '../clock.ts'
import type { SchemaRegistryMetrics } from './schema-registry-metrics.ts'

/** The registry did not answer, or not as a registry does. Try again later. */
export class RegistryUnavailableError extends Error {
  override readonly name = 'RegistryUnavailableError'
}

/** The registry will not take our schema, however often it is asked. */
export class SchemaRefusedError extends Error {
  override readonly name = 'SchemaRefusedError'
}

export interface RegistryConnection {
  readonly url: string
  /** '' for none. */
  readonly user: string
  readonly password: string
  readonly timeoutMs: number
}

export interface ConfluentRegistryDeps {
  readonly clock: Clock
  readonly metrics: SchemaRegistryMetrics
}

/** What the registry says about a schema beside one version of a subject. */
export interface Verdict {
  readonly version: number
  readonly isCompatible: boolean
  readonly messages: readonly string[]
}

const compatibility = COMPATIBILITY.FULL_TRANSITIVE
type Operation = 'register' | 'schema' | 'versions'

export class ConfluentRegistry {
  readonly #connection: RegistryConnection
  readonly #deps: ConfluentRegistryDeps
  readonly #stopped = new AbortController()

  constructor(connection: RegistryConnection, deps: ConfluentRegistryDeps) {
    this.#connection = connection
    this.#deps = deps
  }

  /** undefined when the registry says that it has no such schema. */
  async schemaById(id: number): Promise<unknown> {
    return this.#ask('schema', async (client) => {
      const type = await client.getSchema(id)
      // Named fields only: what the client returns for Protobuf or JSON Schema has no such method.
      return 'schema' in type && typeof type.schema === 'function' ? type.schema({ exportAttrs: true }) : undefined
    })
  }

  /** `version` from 1 on, or the latest; undefined when the subject has no such version. */
  async idOfVersion(subject: string, version: number | 'latest'): Promise<number | undefined> {
    return this.#ask('versions', (client) => client.getRegistryId(subject, version))
  }

  /**
   * The id of the schema under the subject, which gets it, and FULL_TRANSITIVE, if it is new.
   * @throws SchemaRefusedError saying what the registry said and what to do.
   */
  async register(subject: string, schema: unknown): Promise<number> {
    const id = await this.#ask('register', async (client) => {
      const register = async (): Promise<number> => {
        const { id } = await client.register(
          { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
          { subject, compatibility },
        )
        return id
      }
      // Another process may be in the middle of the same. What is really refused is refused again.
      const again = (error: ClientError): Promise<number> => {
        if (resultOf(error) !== 'refused') throw error
        return register()
      }
      return register().catch(async (error: ClientError) => {
        if (!hasNoCompatibility(error)) return again(error)
        await client['api'].Subject.updateConfig({ subject, body: { compatibility } }).catch(() => {})
        return register().catch(again)
      })
    }).catch((error: Error) => {
      if (error instanceof SchemaRefusedError) throw new SchemaRefusedError(refusal(subject, error), { cause: error })
      throw error
    })
    if (id !== undefined) return id
    throw new RegistryUnavailableError(
      `the registry at ${this.#connection.url} lost subject ${subject} while we registered`,
    )
  }

  /** What the registry thinks of a schema beside each version of a subject; [] when the subject does not exist. */
  async verdicts(subject: string, schema: unknown): Promise<Verdict[]> {
    const verdicts: Verdict[] = []
    for (let version = 1; ; version++) {
      const answer = await this.#ask('versions', async (client) => {
        const request = { subject, version, body: { schema: JSON.stringify(schema) } }
        // The client has no method of its own for this request.
        const response: { data(): unknown } = await client['api'].Subject.compatible(request)
        return response.data() as { is_compatible: boolean; messages?: string[] }
      })
      if (answer === undefined) return verdicts
      verdicts.push({ version, isCompatible: answer.is_compatible, messages: answer.messages ?? [] })
    }
  }

  /** Ends what is still going on. */
  close(): void {
    this.#stopped.abort()
  }

  /** undefined for what the registry does not have. */
  async #ask<T>(operation: Operation, request: (client: SchemaRegistry) => Promise<T>): Promise<T | undefined> {
    const { requests } = this.#deps.metrics
    try {
      const answer = await this.#withDeadline(request)
      requests.inc({ operation, result: 'ok' })
      return answer
    } catch (error) {
      const result = resultOf(error as ClientError)
      requests.inc({ operation, result })
      if (result === 'not-found') return undefined
      const said = withoutClientName((error as Error).message)
      if (result === 'refused') throw new SchemaRefusedError(said, { cause: error })
      throw new RegistryUnavailableError(
        `the schema registry at ${this.#connection.url} failed: ${said}${hint(error as ClientError)}`,
        {
          cause: error,
        },
      )
    }
  }

  async #withDeadline<T>(request: (client: SchemaRegistry) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#connection
    const ending = new AbortController()
    const { promise, reject } = Promise.withResolvers<never>()
    const end = (reason: string): void => {
      reject(new Error(reason))
      ending.abort()
    }
    const cancel = this.#deps.clock.schedule(timeoutMs, () => end(`no answer within ${timeoutMs} ms`))
    const onStop = (): void => end('this process is stopping')
    this.#stopped.signal.addEventListener('abort', onStop, { once: true })
    try {
      return await Promise.race([request(this.#clientUntil(ending.signal)), promise])
    } finally {
      cancel()
      this.#stopped.signal.removeEventListener('abort', onStop)
    }
  }

  /** A new one for each call: it keeps what it was told, and lets later calls join those that hang. */
  #clientUntil(signal: AbortSignal): SchemaRegistry {
    const { url, user, password } = this.#connection
    return new SchemaRegistry({
      host: url.replace(/\/+$/, ''),
      ...(user === '' ? {} : { auth: { username: user, password } }),
      retry: { retries: 0 },
      middlewares: [() => ({ prepareRequest: async (next) => (await next()).enhance({ signal }) })],
    })
  }
}

/** Of the client: `status` is that of the answer, or 400 when there was none. */
type ClientError = Error & { readonly status?: number }

/** How the client renders an answer without the `message` that every answer of a registry has: a proxy's, or a wrong path. */
const strangersAnswer = /^\S+ - Error, status \d+/

function resultOf(error: ClientError): 'not-found' | 'refused' | 'unavailable' {
  if (error.name === 'ConfluentSchemaRegistryCompatibilityError') return 'refused'
  if (strangersAnswer.test(error.message)) return 'unavailable'
  if (error.status === 404) return 'not-found'
  return error.status === 409 || error.status === 422 ? 'refused' : 'unavailable'
}

/**
 * The client sets the level in a second request, after the first version; a process that ends between them leaves a subject
 * without. Apicurio calls that NONE (others answer 404, which the client understands).
 */
function hasNoCompatibility({ name, message }: ClientError): boolean {
  return name === 'ConfluentSchemaRegistryCompatibilityError' && message.includes('!= NONE)')
}

function withoutClientName(message: string): string {
  // It calls a connection that failed status 400.
  return message.replace(/^Confluent_Schema_Registry - (Error, status 400: )?/, '')
}

function hint({ status }: ClientError): string {
  if (status === 404) return "; is the path of MINUTELY_SCHEMA_REGISTRY_URL right? Apicurio's ends in /apis/ccompat/v7"
  if (status === 401 || status === 403) return '; check MINUTELY_SCHEMA_REGISTRY_USER and _PASSWORD'
  return ''
}

function refusal(subject: string, said: Error): string {
  return (
    `The schema registry refuses the record schema of this release under subject ${subject}: ${said.message}. ` +
    `Minutely needs compatibility ${compatibility} there. If the schema was changed, give every new field a default and remove ` +
    'no field that has none (docs/schema-evolution.md; npm run schemas -- check <file> tries a schema); if the setting of the ' +
    `subject was changed, set it back: PUT /config/${subject} {"compatibility":"${compatibility}"}`
  )
}
