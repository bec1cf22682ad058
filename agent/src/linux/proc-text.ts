/**
 * Numbers out of the text of /proc files. Pure; text that is not what it should be gives undefined, never a throw or a
 * wrong number. Counters above 2^53 lose their last bits, which a rate does not notice.
 */
const decimal = /^\d+(\.\d+)?$/

/** A non-negative decimal, or undefined. */
export function numberOf(word: string | undefined): number | undefined {
  return word !== undefined && decimal.test(word) ? Number(word) : undefined
}

/** The first number of the line that starts with `label`, e.g. `MemFree:` or `ctxt`; a blank must follow the label. */
export function numberOfLine(text: string, label: string): number | undefined {
  const line = text.startsWith(`${label} `) ? 0 : text.indexOf(`\n${label} `) + 1
  if (line === 0 && !text.startsWith(`${label} `)) return undefined
  let from = line + label.length
  while (text[from] === ' ') from += 1
  let to = from
  while (to < text.length && text[to] !== ' ' && text[to] !== '\n') to += 1
  return numberOf(text.slice(from, to))
}

/** The words of a line, without blanks at its ends. */
export function wordsOf(line: string): string[] {
  const trimmed = line.trim()
  return trimmed === '' ? [] : trimmed.split(/\s+/)
}
