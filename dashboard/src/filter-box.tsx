/** The search box of a toolbar: `/` leads into it, Escape empties and leaves it. */
import { TextInput } from '@mantine/core'
import { useEffect, useRef } from 'react'
import { useKeys } from './keys.ts'

interface FilterBoxProps {
  readonly label: string
  readonly value: string
  readonly onChange: (text: string) => void
  /** Ready to be typed into from the start. */
  readonly isFocused?: boolean
}

export function FilterBox({ label, value, onChange, isFocused = false }: FilterBoxProps) {
  const box = useRef<HTMLInputElement>(null)
  useKeys({ '/': () => box.current?.focus() })
  useEffect(() => {
    if (isFocused) box.current?.focus()
  }, [isFocused])
  return (
    <TextInput
      ref={box}
      className="toolbar-filter"
      type="search"
      size="xs"
      aria-label={label}
      placeholder={`${label}  ( / )`}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        onChange('')
        event.currentTarget.blur()
      }}
    />
  )
}
