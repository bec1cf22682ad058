/** The bar above every page: the name, where one can go, help and theme. */
import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useEffect } from 'react'
import { Link, useLocation } from 'wouter'
import { places } from './places.ts'

export function TopBar({ onHelp }: { onHelp: () => void }) {
  const [path] = useLocation()
  return (
    <header className="top">
      <Link href="/" className="top-name">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        Minutely
      </Link>
      <nav className="top-places" aria-label="Pages">
        {places.map(({ href, text, key, holds }) => (
          <Link key={href} href={href} title={`${text} (g ${key})`} aria-current={holds(path) ? 'page' : undefined}>
            {text}
          </Link>
        ))}
      </nav>
      <ActionIcon
        variant="subtle"
        color="gray"
        size={32}
        aria-label="Keyboard and help"
        title="Keyboard and help (?)"
        onClick={onHelp}
      >
        <span aria-hidden="true">?</span>
      </ActionIcon>
      <SchemeToggle />
    </header>
  )
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  useEffect(() => document.documentElement.setAttribute('data-theme', scheme), [scheme])
  const other = scheme === 'dark' ? 'light' : 'dark'
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size={32}
      aria-label={`Switch to the ${other} theme`}
      title={`Switch to the ${other} theme`}
      onClick={() => setColorScheme(systemScheme() === other ? 'auto' : other)}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
      </svg>
    </ActionIcon>
  )
}

/** Choosing what the system has anyway means following it again. */
function systemScheme(): 'dark' | 'light' {
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}
