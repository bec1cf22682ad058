/** `npm run chaos`: real processes under load, broken on purpose, and every minute compared in the end; --help says more. */
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runFleet } from './run-fleet.mjs'

refuseWhatNpmTook('chaos')
await runFleet('chaos.ts')
