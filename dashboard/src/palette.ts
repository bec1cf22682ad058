/**
 * Colours of lines: the hues of Okabe and Ito, searched from there for the greatest distance between any two, as seen by
 * everybody and with the common kinds of colour blindness. palette.test.ts holds the distances, and that each colour has a
 * contrast of at least 3:1 with its background, in the dark and in the light theme.
 */
export type Scheme = 'dark' | 'light'

/** Page's panel colours; theme.css says the same. */
export const panelColors: Readonly<Record<Scheme, string>> = { dark: '#161b20', light: '#ffffff' }

export const lineColors: Readonly<Record<Scheme, readonly string[]>> = {
  //      blue       orange     green      purple     sky        red        yellow     grey
  dark: ['#3e9aff', '#f89b05', '#15936a', '#b36dba', '#6defe5', '#d4581a', '#dbe350', '#bdaebb'],
  light: ['#2837a9', '#e96a12', '#097188', '#c442c4', '#3582ff', '#870a36', '#8b5900', '#939193'],
}
export const linesMax = 8

export function lineColor(scheme: Scheme, index: number): string {
  const colors = lineColors[scheme]
  return colors[index % colors.length] ?? '#888888'
}

/** WCAG 2 contrast of two #rrggbb colours. */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}

/** Linear red, green and blue, 0..1. */
export function linear(color: string): number[] {
  return [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = linear(color)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
