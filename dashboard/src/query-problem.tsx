/** Why a page's question has no answer, in the API's words: something that passes, and is tried again, or what one has to ask otherwise. */
import { ApiFailure } from './api.ts'
import { asSentence, Notice } from './notice.tsx'

interface QueryProblemProps {
  readonly error: Error
  readonly retryMs: number
  readonly onRetry: () => void
  readonly isRetrying: boolean
  /** How old what is still shown is; undefined: nothing is. */
  readonly staleText: string | undefined
}

export function QueryProblem({ error, retryMs, onRetry, isRetrying, staleText }: QueryProblemProps) {
  if (error instanceof ApiFailure && !error.isPassing) return <Notice tone="warn">{asSentence(error.message)}</Notice>
  return (
    <Notice tone="bad" onRetry={onRetry} isRetrying={isRetrying}>
      {asSentence(error.message)} Trying again every {retryMs / 1000} s.
      {staleText !== undefined && <strong> What you see is stale: as it was {staleText}.</strong>}
    </Notice>
  )
}
