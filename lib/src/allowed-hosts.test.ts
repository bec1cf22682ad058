import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AllowedHosts, hostNames } from './allowed-hosts.ts'

const ours = [
  'localhost',
  'localhost:7070',
  'LocalHost:1',
  'localhost.',
  '127.0.0.1',
  '127.0.0.1:7070',
  '127.1.2.3',
  '[::1]',
]
const addresses = ['[::1]:7070', '192.168.1.7:80', '0.0.0.0:7070', '[fe80::1]', '[::ffff:127.0.0.1]:7070']
const others = [
  'evil.example',
  'evil.example:7070',
  'localhost.evil.example',
  'evil.localhost.example:80',
  'evil@localhost',
  'localhost:7070.evil.example',
  'localhost:80:80',
  'localhost, evil.example',
  '127.0.0.1.evil.example',
  '127.0.0.1evil.example',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '::1',
  '[127.0.0.1]',
  '[::1',
  '[::1].evil.example',
  '[localhost]',
  'http://localhost',
  ' ',
  '',
]

for (const address of ['127.0.0.1', '127.0.0.53', '::1', '::ffff:127.0.0.1']) {
  test(`on ${address}: localhost and addresses, nothing else`, () => {
    const hosts = new AllowedHosts([], { address })
    for (const host of [...ours, ...addresses]) assert.ok(hosts.allows(host), host)
    for (const host of others) assert.ok(!hosts.allows(host), host)
  })
}

test('listed names are answered too, in any case and with any port; their neighbours are not', () => {
  const hosts = new AllowedHosts(['metrics.example', 'minutely'], { address: '127.0.0.1' })
  for (const host of ['metrics.example', 'Metrics.Example:443', 'metrics.example.', 'minutely:80', ...ours]) {
    assert.ok(hosts.allows(host), host)
  }
  for (const host of ['a.metrics.example', 'xmetrics.example', 'metrics.example.evil', ...others]) {
    assert.ok(!hosts.allows(host), host)
  }
})

test('elsewhere than on loopback every name is answered, unless names are listed', () => {
  for (const address of ['0.0.0.0', '::', '10.0.0.7']) {
    assert.ok(new AllowedHosts([], { address }).allows('anything.example'))
    const listed = new AllowedHosts(['metrics.example'], { address })
    assert.ok(!listed.allows('anything.example'))
    for (const host of ['metrics.example', '10.0.0.7:7070', 'localhost']) assert.ok(listed.allows(host), host)
  }
})

test('a request without any Host, as HTTP/1.0 may send, is from no browser', () => {
  assert.ok(new AllowedHosts([], { address: '127.0.0.1' }).allows(undefined))
})

test('the setting: names separated by commas', () => {
  assert.deepEqual(hostNames.parse(''), [])
  assert.deepEqual(hostNames.parse('Metrics.Example, a-b.c ,,my_host'), ['metrics.example', 'a-b.c', 'my_host'])
  for (const written of ['http://a', 'a:80', '*.a', 'a b', 'a/', '.a', '[::1]']) {
    assert.equal(
      hostNames.safeParse(written).error?.issues[0]?.message,
      'must be host names separated by commas, without scheme or port',
      written,
    )
  }
})
