/** What the charts of one metric are marked with; the same object while nothing changes, so that they are not drawn anew. */
import { useMemo } from 'react'
import { marksOf } from './annotations/annotation-draft.ts'
import type { Annotations } from './annotations/use-annotations.ts'
import type { Marks } from './chart-marks.ts'
import type { Corrections } from './corrections.ts'

interface Marked {
  readonly annotations: Annotations
  readonly corrections: Corrections
  readonly metricId: string
  /** Undefined: the annotations are of the right servers already. */
  readonly serverIds?: readonly string[]
}

export function useMarks({ annotations, corrections, metricId, serverIds }: Marked): Marks {
  const { list, litKey } = annotations
  const corrected = corrections.get(metricId)
  return useMemo(() => {
    const about = serverIds === undefined ? { metricId } : { metricId, serverIds }
    return { annotations: marksOf(list, about), litKey, correctedMs: [...(corrected ?? [])] }
  }, [list, litKey, corrected, metricId, serverIds])
}
