/** The steps of a flush at which an aggregator can be made to end; failpoints.ts has a drawing. */
export const failpoints = [
  'before-store',
  'before-commit',
  'after-commit',
  'before-push',
  'after-push',
  'before-log-commit',
  'after-log-commit',
] as const
export type Failpoint = (typeof failpoints)[number]

export interface FailpointMessage {
  readonly failpoint?: Failpoint
  readonly signal?: 'SIGKILL' | 'SIGSTOP'
}
