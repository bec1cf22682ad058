/** Settings: defaults that work, names that fit the contract, errors a person can act on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError, loadConfig } from '@minutely/lib/config'
import { serverId } from '@minutely/schema/sample-wire'
import fc from 'fast-check'
import { agentSettings, serverIdOfHostname } from './config.ts'

const load = (env: Record<string, string>) => loadConfig({ agent: agentSettings }, env).agent

describe('agent settings', () => {
  it('have defaults that need no environment', () => {
    const config = load({})
    serverId.parse(config.serverId)
    assert.equal(config.collectorUrl, 'http://127.0.0.1:7070')
    assert.equal(config.requestTimeoutMs, 15_000)
    assert.equal(config.queueBytesMax, 16 * 1024 * 1024)
    assert.equal(config.queueAgeMaxMs, 3_600_000)
    assert.equal(config.cpuPerCore, false)
    for (const name of ['lo', 'veth12ab', 'cali99', 'ifb0']) assert.match(name, config.interfacesIgnored)
    for (const name of ['eth0', 'lower0', 'wlan0', 'bond0']) assert.doesNotMatch(name, config.interfacesIgnored)
  })

  it('take what is written, without trailing slashes of the URL', () => {
    const config = load({ MINUTELY_SERVER_ID: 'web-17', MINUTELY_COLLECTOR_URL: 'https://collector.example/base//' })
    assert.equal(config.serverId, 'web-17')
    assert.equal(config.collectorUrl, 'https://collector.example/base')
  })

  it('match interfaces by name or beginning, regular expressions excluded', () => {
    const { interfacesIgnored } = load({ MINUTELY_AGENT_INTERFACES_IGNORED: 'eth0.1,br-*' })
    for (const name of ['eth0.1', 'br-0a1b']) assert.match(name, interfacesIgnored)
    for (const name of ['eth0x1', 'br0', 'lo', '']) assert.doesNotMatch(name, interfacesIgnored)
    assert.doesNotMatch('lo', load({ MINUTELY_AGENT_INTERFACES_IGNORED: ',' }).interfacesIgnored)
  })

  it('refuse what cannot be meant, all at once', () => {
    const env = {
      MINUTELY_SERVER_ID: 'a b',
      MINUTELY_COLLECTOR_URL: 'collector:7070',
      MINUTELY_AGENT_INTERFACES_IGNORED: 'lo, veth*',
      MINUTELY_AGENT_QUEUE_BYTES_MAX: '1',
    }
    assert.throws(
      () => load(env),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError)
        for (const name of Object.keys(env)) assert.match(error.message, new RegExp(name))
        return true
      },
    )
  })

  it('make a serverId of any host name (property)', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (name) => {
        serverId.parse(serverIdOfHostname(name))
      }),
    )
    assert.equal(serverIdOfHostname('db 1.ex_ample.org'), 'db-1.ex_ample.org')
  })
})
