/**
 * `npm run distributed`: the services as processes of their own, with the servers they need and generated agents; --help
 * says more.
 */
import { runFleet } from './run-fleet.mjs'

await runFleet('distributed.ts')
