/** The checks that read the code without running it: Biome (lint and format) and the TypeScript compiler. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { modules, root } from './clone.mjs'
import { runTool, secondsSince } from './run-tool.mjs'

const biome = join(modules, '@biomejs', 'biome', 'bin', 'biome')
const tsc = join(modules, 'typescript', 'bin', 'tsc')
const colors = process.stdout.isTTY ? 'force' : 'off'
const checks = [
  { name: 'biome ci', args: [biome, 'ci', `--colors=${colors}`, '.'] },
  { name: 'tsc', args: [tsc, '--noEmit', '-p', 'tsconfig.json'] },
  // Apart, because only the dashboard knows the DOM.
  {
    name: 'tsc (dashboard)',
    args: [tsc, '--noEmit', '-p', 'dashboard/tsconfig.json'],
    needs: 'dashboard/tsconfig.json',
  },
]

/** Returns how many failed. */
export async function runStaticChecks(node) {
  let failed = 0
  for (const { name, args, needs } of checks) {
    if (needs !== undefined && !existsSync(join(root, needs))) continue
    const startMs = performance.now()
    const code = await runTool(node, args)
    if (code !== 0) failed += 1
    console.log(code === 0 ? `✔ ${name} (${secondsSince(startMs)})` : `✖ ${name} failed with exit code ${code}`)
  }
  return failed
}
