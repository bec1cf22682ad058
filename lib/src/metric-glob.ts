/** Names of metrics with `*` for any number of characters, as questions and the retention write them. */

/** Greedy with one point to go back to: linear in practice, never exponential as a regular expression may be. */
export function matchesGlob(glob: string, name: string): boolean {
  if (!glob.includes('*')) return glob === name
  let atGlob = 0
  let atName = 0
  let star = -1
  let resume = 0
  while (atName < name.length) {
    if (glob[atGlob] === '*') {
      star = atGlob++
      resume = atName
    } else if (glob[atGlob] === name[atName]) {
      atGlob++
      atName++
    } else if (star >= 0) {
      atGlob = star + 1
      atName = ++resume
    } else {
      return false
    }
  }
  while (glob[atGlob] === '*') atGlob++
  return atGlob === glob.length
}
