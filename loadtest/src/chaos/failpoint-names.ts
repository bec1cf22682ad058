/** The steps of a flush, and of sealing an hour, at which an aggregator can be made to end; failpoints.ts has a drawing. */
export const failpoints = [
  'before-store',
  'before-commit',
  'after-commit',
  'before-push',
  'after-push',
  'before-log-commit',
  'after-log-commit',
] as const
export const sealFailpoints = [
  'before-seal-begin',
  'before-seal-write',
  'before-seal-drop',
  'before-seal-commit',
  'after-seal-commit',
] as const
export type Failpoint = (typeof failpoints)[number] | (typeof sealFailpoints)[number]

export interface FailpointMessage {
  readonly failpoint?: Failpoint
  readonly signal?: 'SIGKILL' | 'SIGSTOP'
}
