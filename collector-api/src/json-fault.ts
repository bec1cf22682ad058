/**
 * Where a text stops being JSON (RFC 8259), for the person who has to fix what sends it: JSON.parse often does not say.
 * Runs only after JSON.parse refused. Positions are characters from the start of the text. No recursion: the open
 * containers are a string of brackets.
 */
export interface JsonFault {
  readonly position: number
  readonly problem: string
}

const literals = ['true', 'false', 'null'] as const
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const shownLength = 20

/** What may come next: a value, a value or the end of an empty array, a key, a key or the end of `{}`, and so on. */
type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end'

/** Null when the text is JSON after all. */
export function findJsonFault(text: string): JsonFault | null {
  let open = ''
  let expected: Expected = 'value'
  let at = skipSpace(text, 0)
  while (at < text.length) {
    const char = text[at] as string
    if (expected === ', or end' && open === '') return fault(text, at, 'the end of the text')
    if ((char === '{' || char === '[') && expected.startsWith('value')) {
      open += char
      expected = char === '{' ? 'key or }' : 'value or ]'
      at++
    } else if (closes(char, open, expected)) {
      open = open.slice(0, -1)
      expected = ', or end'
      at++
    } else if (char === ',' && expected === ', or end') {
      expected = open.endsWith('{') ? 'key' : 'value'
      at++
    } else if (char === ':' && expected === ':') {
      expected = 'value'
      at++
    } else {
      const end: number = expected.startsWith('key')
        ? stringEnd(text, at)
        : expected.startsWith('value')
          ? scalarEnd(text, at)
          : -1
      if (end < 0) return fault(text, at, expected)
      expected = expected.startsWith('key') ? ':' : ', or end'
      at = end
    }
    at = skipSpace(text, at)
  }
  if (expected === ', or end' && open === '') return null
  return { position: text.length, problem: `the text ends early, ${expected} was expected` }
}

function closes(char: string, open: string, expected: Expected): boolean {
  if (char === '}') return open.endsWith('{') && (expected === 'key or }' || expected === ', or end')
  if (char === ']') return open.endsWith('[') && (expected === 'value or ]' || expected === ', or end')
  return false
}

function scalarEnd(text: string, at: number): number {
  if (text[at] === '"') return stringEnd(text, at)
  const literal = literals.find((word) => text.startsWith(word, at))
  if (literal !== undefined) return at + literal.length
  numberPattern.lastIndex = at
  return numberPattern.test(text) ? numberPattern.lastIndex : -1
}

/** After the closing quote, or -1. */
function stringEnd(text: string, start: number): number {
  if (text[start] !== '"') return -1
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code < 0x20) return -1
    if (code !== 0x5c) continue
    if (
      text[at + 1] === 'u'
        ? !/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))
        : !'"\\/bfnrt'.includes(text[at + 1] ?? ' ')
    ) {
      return -1
    }
    at++
  }
  return -1
}

function skipSpace(text: string, at: number): number {
  while (' \t\n\r'.includes(text[at] ?? '-')) at++
  return at
}

function fault(text: string, position: number, expected: string): JsonFault {
  return {
    position,
    problem: `${expected} was expected, not ${JSON.stringify(text.slice(position, position + shownLength))}`,
  }
}
