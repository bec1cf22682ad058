/** The command for another host names an address that means this machine there, or says that it has to be filled in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentCommand, collectorUrl, curlCommand, isLoopback } from './agent-command.ts'

test('other hosts are told the address of this page, unless that is loopback', () => {
  assert.equal(collectorUrl(new URL('http://10.0.0.7:7070/')), 'http://10.0.0.7:7070')
  assert.equal(collectorUrl(new URL('https://minutely.example/servers/a')), 'https://minutely.example')
  for (const host of ['127.0.0.1', 'localhost', '[::1]'])
    assert.equal(collectorUrl(new URL(`http://${host}:7070/`)), 'http://THIS-MACHINE:7070')
  assert.ok(!isLoopback('127.example') && !isLoopback('mylocalhost'))
})

test('the commands name the collector', () => {
  assert.equal(
    agentCommand('http://10.0.0.7:7070'),
    'npm ci\nMINUTELY_COLLECTOR_URL=http://10.0.0.7:7070 node_modules/.bin/node agent/src/main.ts',
  )
  assert.match(curlCommand('http://10.0.0.7:7070'), /^curl -sS http:\/\/10\.0\.0\.7:7070\/v1\/samples /)
})
