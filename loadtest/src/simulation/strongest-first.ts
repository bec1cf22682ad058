/** Orders what is wrong with a run by what it would cost a user: what is lost or doubled before what a reader saw for a while. Pure. */

const byStrength = [/ is lost$| was acknowledged, and /, /something is doubled|never sent/, / sum .* they are /, /^/]

/** The order within a kind stays. */
export function strongestFirst(problems: readonly string[]): string[] {
  const strengthOf = (problem: string): number => byStrength.findIndex((kind) => kind.test(problem))
  return problems.toSorted((a, b) => strengthOf(a) - strengthOf(b))
}
