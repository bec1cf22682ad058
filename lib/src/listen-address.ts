/** Where a process listens: why the system would not let it, in words for the person who starts it. */
import { createServer } from 'node:net'
import { prefix } from './config.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** The settings an address was read by, to be named in messages. */
export interface AddressSettings {
  readonly host?: { readonly name: string }
  readonly port: { readonly name: string }
}

/**
 * Listens and stops again, so that a process learns of a wrong or taken address before it has done anything else.
 * @throws Error that names the setting to change.
 */
export function checkAddress(address: ListenAddress, settings: AddressSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(listenError(error, address, settings)))
    server.listen(address, () => server.close(() => resolve()))
  })
}

/** What Node says of a failed listen, said better. */
export function listenError(error: unknown, { host, port }: ListenAddress, settings: AddressSettings): unknown {
  const portVariable = prefix + settings.port.name
  const hostVariable = prefix + (settings.host?.name ?? 'HOST')
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE': {
      const message = `Port ${port} on ${host} is taken by another process. Stop that, or set ${portVariable} to a free port (0 takes any)`
      return new Error(message, { cause: error })
    }
    case 'EACCES': {
      const message = `Port ${port} on ${host} needs more rights than this user has. Set ${portVariable} to one above 1023`
      return new Error(message, { cause: error })
    }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN': {
      const message = `${hostVariable}=${host} is no address of this machine. Set it to one, to 127.0.0.1, or to 0.0.0.0 for all`
      return new Error(message, { cause: error })
    }
    default:
      return error
  }
}
