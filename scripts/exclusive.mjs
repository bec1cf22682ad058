/**
 * Lets one process at a time do a piece of work in this clone: `npm start` and `npm test` may be the first two commands
 * in a fresh one, and both want to install.
 *
 * The lock is a file `.minutely-<name>.lock`; creating it is atomic. It holds the pids of the owner and of the tool that
 * works for it, which outlives an owner that is killed. The owner touches it every two seconds. It is stale when these
 * pids are gone, or when nobody touched it during five minutes of our own polls: a reused pid, or one of another
 * container. (This runs before anything is installed and on Node 20, so SQLite's lock, which the
 * data folder uses, is not at hand.)
 */
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { root } from './clone.mjs'

const touchMs = 2000
const pollMs = 500
const untouchedPollsMax = 600

/** `work` is given a function that adds the pid of a tool to the lock. */
export async function exclusively(name, work) {
  const file = join(root, `.minutely-${name}.lock`)
  await acquire(file, name)
  const touching = setInterval(() => touch(file), touchMs)
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work((pid) => writeFileSync(file, `${process.pid} ${pid}`))
  } finally {
    clearInterval(touching)
    process.off('exit', release)
    release()
  }
}

async function acquire(file, name) {
  let told = false
  let lastTouched
  let untouchedPolls = 0
  while (!create(file)) {
    const owner = look(file)
    if (owner === undefined) continue
    // Two pieces of work of our own may want the same.
    const isOurs = owner.pids.split(' ').includes(String(process.pid))
    if (!told && !isOurs) console.log(`Waiting for the ${name} of another process (pid ${owner.pids}; lock ${file})`)
    told = true
    untouchedPolls = owner.touchedMs === lastTouched ? untouchedPolls + 1 : 0
    lastTouched = owner.touchedMs
    const abandoned = !owner.pids.split(' ').some(isAlive)
    if (abandoned || untouchedPolls > untouchedPollsMax) remove(file, owner.pids)
    else await delay(pollMs)
  }
}

function create(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Undefined if it vanished meanwhile. A file that is still empty is about to get its pid. */
function look(file) {
  try {
    return { pids: readFileSync(file, 'utf8') || String(process.pid), touchedMs: statSync(file).mtimeMs }
  } catch {
    return undefined
  }
}

/** Two waiters may both find it stale; the second must not remove the lock that the first has just made. */
function remove(file, stalePids) {
  const away = `${file}.${process.pid}`
  try {
    renameSync(file, away)
    if (readFileSync(away, 'utf8') === stalePids) rmSync(away)
    else renameSync(away, file)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

function touch(file) {
  try {
    const now = new Date()
    utimesSync(file, now, now)
  } catch {
    // Somebody removed the lock by hand; the work goes on.
  }
}

function isAlive(pid) {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
