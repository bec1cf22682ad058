/** Ports on loopback: is one free, and which are. */
import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

export const host = '127.0.0.1'
/** Below the range that systems give to outgoing connections, which could take a port between our look and its use. */
const freePortMin = 20_000
const freePortMax = 31_999
const attemptsMax = 1000
const handedOut = new Set()

export async function isPortFree(port) {
  // On macOS one may bind beside a server that listens on all addresses, so binding alone proves nothing.
  return (await canListen(port)) && !(await canConnect(port))
}

/** A free port that this process has not been given before. */
export async function findFreePort() {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = randomInt(freePortMin, freePortMax + 1)
    if (handedOut.has(port)) continue
    handedOut.add(port)
    if (await isPortFree(port)) return port
  }
  throw new Error(`${attemptsMax} ports between ${freePortMin} and ${freePortMax} are all taken`)
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => socket.destroy())
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
}
