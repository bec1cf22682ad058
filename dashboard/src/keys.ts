/**
 * Single keys as commands, while nobody is typing and no dialog is open. Matched by the character and not the key's place, so that
 * `[` works on every keyboard layout.
 */
import { useEffect, useRef } from 'react'

export type Keys = Readonly<Record<string, () => void>>

export function useKeys(keys: Keys): void {
  const current = useRef(keys)
  useEffect(() => {
    current.current = keys
  })
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const command = event.ctrlKey || event.metaKey || event.altKey
      if (event.defaultPrevented || (command && !event.getModifierState('AltGraph'))) return
      if (isTyping(event.target) || document.querySelector('[role="dialog"]') !== null) return
      const act = current.current[event.key]
      if (act === undefined) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return target.type !== 'radio'
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName))
}
