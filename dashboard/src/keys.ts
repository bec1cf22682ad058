/**
 * Single keys, and `g` followed by one, as commands, while nobody is typing and no dialog is open. Matched by the character and not the
 * key's place, so that `[` works on every keyboard layout.
 */
import { useEffect, useRef } from 'react'

/** `/` or `g m`. */
export type Keys = Readonly<Record<string, () => void>>

const prefix = 'g'
const prefixMsMax = 1_000

export function useKeys(keys: Keys): void {
  const current = useRef(keys)
  useEffect(() => {
    current.current = keys
  })
  useEffect(() => {
    let prefixAtMs = Number.NEGATIVE_INFINITY
    const press = (event: KeyboardEvent) => {
      const command = event.ctrlKey || event.metaKey || event.altKey
      if (event.defaultPrevented || (command && !event.getModifierState('AltGraph'))) return
      if (isTyping(event.target) || document.querySelector('[role="dialog"]') !== null) return
      // Also where no such sequence is listened for: the second key of `g m` is no `m`.
      const isSecond = event.timeStamp - prefixAtMs < prefixMsMax
      prefixAtMs = !isSecond && event.key === prefix ? event.timeStamp : Number.NEGATIVE_INFINITY
      if (isChoosing(event)) return
      const act = current.current[isSecond ? `${prefix} ${event.key}` : event.key]
      if (act === undefined) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !/^(radio|checkbox)$/.test(target.type)
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName))
}

/** The arrows of a group of choices are its own. */
function isChoosing({ target, key }: KeyboardEvent): boolean {
  return target instanceof HTMLInputElement && target.type === 'radio' && key.startsWith('Arrow')
}
