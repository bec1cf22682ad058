/**
 * `npm run distributed`: the services as processes of their own, with the servers they need and generated agents; --help
 * says more.
 */
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runFleet } from './run-fleet.mjs'

refuseWhatNpmTook('distributed')
await runFleet('distributed.ts')
