import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { cpuBetween, nameOf, type ProcessTree, parseStat, readTree, type TreeProcess, totalS } from './process-tree.ts'

test('processes of Postgres are named after what they do', () => {
  const names: readonly (readonly [string, string | undefined, string])[] = [
    ['postgres: checkpointer \0\0\0', undefined, 'Postgres checkpointer'],
    ['postgres: walwriter \0', undefined, 'Postgres WAL writer'],
    ['postgres: autovacuum launcher \0', undefined, 'Postgres autovacuum'],
    ['postgres: main: background writer \0', undefined, 'Postgres background writer'],
    ['postgres: minutely minutely 127.0.0.1(40404) idle\0', 'writer', 'Postgres backends: writer'],
    ['postgres: minutely minutely 127.0.0.1(40404) COPY\0', undefined, 'Postgres backends: other'],
    ['/usr/lib/postgresql/bin/postgres\0-D\0/data\0', undefined, 'Postgres postmaster'],
    ['/usr/bin/node\0main.ts\0', undefined, 'node'],
  ]
  for (const [title, backend, name] of names) assert.equal(nameOf(title, backend), name)
})

test('a program may be called anything', () => {
  const stat = `7 (a) b (c) S 3 7 7 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 100 0 0`
  assert.deepEqual(parseStat(7, { stat, name: 'x' }), { pid: 7, parent: 3, name: 'x', ownS: 2, endedS: 0.5 })
})

function treeOf(...processes: readonly (readonly [number, string, number, number])[]): ProcessTree {
  return new Map(
    processes.map(([pid, name, ownS, endedS]): [number, TreeProcess] => [pid, { pid, parent: 1, name, ownS, endedS }]),
  )
}

test('what a process used before it ended counts, and only once', () => {
  const before = treeOf([1, 'Node', 10, 0], [2, 'postmaster', 1, 5], [3, 'backend', 4, 0])
  // 3 used one more second and ended; 4 came and used two.
  const after = treeOf([1, 'Node', 13, 0], [2, 'postmaster', 1, 10], [4, 'backend', 2, 0])
  assert.deepEqual(cpuBetween(before, after), [
    { name: 'Node', cpuS: 3 },
    { name: 'backend', cpuS: 2 },
    { name: 'short-lived children', cpuS: 1 },
  ])
  assert.equal(totalS(after) - totalS(before), 6)
})

test('this process and its children are found, and nobody else', () => {
  const before = readTree(new Map([[process.pid, 'we']]))
  assert.deepEqual(
    [...before.values()].map(({ name }) => name),
    ['we'],
  )
  execFileSync(process.execPath, ['-e', 'for (const end = performance.now() + 100; performance.now() < end; ) {}'])
  const rows = cpuBetween(before, readTree(new Map([[process.pid, 'we']])))
  assert.ok((rows.find(({ name }) => name === 'short-lived children')?.cpuS ?? 0) > 0)
})
