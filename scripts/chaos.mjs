/** `npm run chaos`: real processes under load, broken on purpose, and every minute compared in the end; --help says more. */
import { runFleet } from './run-fleet.mjs'

await runFleet('chaos.ts')
