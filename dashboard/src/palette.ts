/**
 * Colours of lines, after Okabe and Ito: told apart with the common kinds of colour blindness. Shades are adapted so that each
 * has a contrast of at least 3:1 with its background (palette.test.ts), in the dark and in the light theme.
 */
export type Scheme = 'dark' | 'light'

/** Page's panel colours; theme.css says the same. */
export const panelColors: Readonly<Record<Scheme, string>> = { dark: '#161b20', light: '#ffffff' }

export const lineColors: Readonly<Record<Scheme, readonly string[]>> = {
  //      blue       orange     green      purple     sky        vermilion  yellow     grey
  dark: ['#5aa9e6', '#e69f00', '#00b587', '#d58fb8', '#8fd3f4', '#f07a3c', '#e6dc5a', '#a9b4bf'],
  light: ['#0068a8', '#b36b00', '#00805d', '#a8488a', '#2b8cbe', '#c04a00', '#857a00', '#66717c'],
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

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
