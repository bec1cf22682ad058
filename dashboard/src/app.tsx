/** The frame around every page: name, theme, help, and which page the address means. */
import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useEffect, useState } from 'react'
import { Link, Route, Switch } from 'wouter'
import { Help } from './help.tsx'
import { useKeys } from './keys.ts'
import { ServerList } from './server-list/server-list.tsx'
import { ServerPage } from './server-page/server-page.tsx'

export function App() {
  const [helpOpen, setHelpOpen] = useState(false)
  useKeys({ '?': () => setHelpOpen(true) })
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <Link href="/" className="top-name">
          <img src="/favicon.svg" alt="" width="22" height="22" />
          Minutely
        </Link>
        <ActionIcon
          variant="subtle"
          color="gray"
          size={32}
          aria-label="Keyboard and help"
          title="Keyboard and help (?)"
          onClick={() => setHelpOpen(true)}
        >
          <span aria-hidden="true">?</span>
        </ActionIcon>
        <SchemeToggle />
      </header>
      <main id="main" className="page">
        <Switch>
          <Route path="/">
            <ServerList />
          </Route>
          <Route path="/servers/:serverId">
            {({ serverId }) => <ServerPage key={serverId} serverId={decodeId(serverId)} />}
          </Route>
          <Route>
            <h1>No such page</h1>
            <p>
              <Link href="/">All servers</Link>
            </p>
          </Route>
        </Switch>
      </main>
      <Help opened={helpOpen} onClose={() => setHelpOpen(false)} />
    </>
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

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
