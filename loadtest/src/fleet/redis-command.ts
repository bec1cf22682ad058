/** One command to a Redis without a password, in its inline form: what a fault needs of it is a single word. */
import { connect } from 'node:net'

const timeoutMs = 5_000

/** @returns its answer, e.g. `+OK`. */
export function redisCommand(url: string, command: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port || 6379), hostname, () => socket.write(`${command}\r\n`))
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${url} did not answer ${command} in ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${url} closed the connection without an answer to ${command}`)))
    socket.once('data', (data) => {
      socket.destroy()
      const answer = data.toString().trim()
      if (answer.startsWith('-')) reject(new Error(`${url} answered ${command} with ${answer}`))
      else resolve(answer)
    })
  })
}
