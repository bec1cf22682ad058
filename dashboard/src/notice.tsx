/** A message in place: what is the matter, in the API's own words where there are any, and a way to try again. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'

export interface NoticeProps {
  readonly tone: 'bad' | 'warn' | 'calm'
  readonly children: ReactNode
  readonly onRetry?: () => void
  readonly isRetrying?: boolean
}

export function Notice({ tone, children, onRetry, isRetrying = false }: NoticeProps) {
  return (
    <div className="notice" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
      <div className="notice-text">{children}</div>
      {onRetry !== undefined && (
        <Button size="compact-sm" variant="default" onClick={onRetry} disabled={isRetrying}>
          {isRetrying ? 'Trying…' : 'Try again'}
        </Button>
      )}
    </div>
  )
}

/** The API's words as they are, with a full stop when something follows. */
export function asSentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`
}
