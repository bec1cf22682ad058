/** How a chaos run ends: one line and an exit code. What is wrong with the data is never mixed up with what is not about it. Pure. */

export interface ChaosEnd {
  /** It came to its end, and was compared. */
  readonly isJudged: boolean
  /** All that was started ended as it should. */
  readonly hasStopped: boolean
  readonly problems: readonly string[]
  readonly faultCount: number
  readonly seed: number
  /** Where logs and data are. */
  readonly folder: string
  /** Why there is no report that was asked for. */
  readonly reportFailure: string | undefined
}

export interface ChaosVerdict {
  /** 0: exact; 1: not, or not finished; 3: exact, but the report is missing. 2 is a wrong command line. */
  readonly exitCode: 0 | 1 | 3
  readonly line: string
}

export function verdictOf(end: ChaosEnd): ChaosVerdict {
  const { isJudged, hasStopped, problems, faultCount, seed, folder, reportFailure } = end
  const isRight = isJudged && problems.length === 0
  const report = reportFailure === undefined ? '' : `; the report could not be written: ${reportFailure}`
  if (isRight && hasStopped)
    return { exitCode: report === '' ? 0 : 3, line: `exact, after ${faultCount} faults (seed ${seed})${report}` }
  const found = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`
  const what = isRight
    ? 'every minute is exact, but not all of it stopped as it should'
    : `${isJudged ? 'NOT EXACT' : 'not finished'}, ${found}`
  return { exitCode: 1, line: `${what} (seed ${seed})${report}; logs and data are kept in ${folder}` }
}
