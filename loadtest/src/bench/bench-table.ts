/** Tables of figures with those of the previous run beside them; pure. */

export interface Figure {
  readonly name: string
  readonly value: number
  readonly digits?: number
  /** Further cells of the row, as many as the table has further columns. */
  readonly more?: readonly string[]
}

/** Figures by table and row, as they are kept from one run to the next. */
export type KeptFigures = Readonly<Record<string, number>>

export interface FigureTable {
  readonly title: string
  /** Of the value. */
  readonly unit: string
  readonly columns?: readonly string[]
  readonly figures: readonly Figure[]
}

export function renderTable({ title, unit, columns = [], figures }: FigureTable, previous: KeptFigures): string {
  const cells = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`
  return [
    cells([title, unit, 'previous run', ...columns]),
    `|---|${'--:|'.repeat(2 + columns.length)}`,
    ...figures.map(({ name, value, digits = 4, more = [] }) => {
      const old = previous[keyOf(title, name)]
      return cells([name, value.toFixed(digits), old === undefined ? '' : withChange(old, { value, digits }), ...more])
    }),
  ].join('\n')
}

export function keptFigures(tables: readonly FigureTable[]): KeptFigures {
  return Object.fromEntries(
    tables.flatMap(({ title, figures }) => figures.map(({ name, value }) => [keyOf(title, name), value] as const)),
  )
}

function keyOf(title: string, name: string): string {
  return `${title}: ${name}`
}

function withChange(old: number, { value, digits }: { value: number; digits: number }): string {
  const percent = Math.round((100 * (value - old)) / old)
  const isTold = Number.isFinite(percent) && percent !== 0
  return `${old.toFixed(digits)}${isTold ? ` (now ${percent > 0 ? '+' : ''}${percent} %)` : ''}`
}
