/**
 * Colours as people see them: with the common kinds of colour blindness, and as OKLab, in which distances are those that are perceived.
 * Only tests need it: it holds palette.ts and fleet/colour-scale.ts to what they say.
 */

/** Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB. */
const visions: Readonly<Record<string, readonly (readonly number[])[]>> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

/** Linear red, green and blue, as seen with a kind of colour blindness; as they are with any other word. */
export function seenWith(vision: string, color: readonly number[]): number[] {
  const matrix = visions[vision]
  return matrix === undefined ? [...color] : times(matrix, color).map((part) => Math.min(1, Math.max(0, part)))
}

/** Ottosson's OKLab of a linear RGB colour. */
export function oklab(color: readonly number[]): number[] {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    color,
  )
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones.map(Math.cbrt),
  )
}

function times(matrix: readonly (readonly number[])[], vector: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, factor, at) => sum + factor * (vector[at] ?? 0), 0))
}
