/**
 * Sets the colour scheme before the first paint, so that a dark page never flashes white. A file of its own and not an
 * inline script, because the page's Content-Security-Policy allows none. The key is theme.ts's.
 */
;(() => {
  let chosen = null
  try {
    chosen = localStorage.getItem('minutely-color-scheme')
  } catch {
    // Storage may be forbidden; the system's scheme then applies.
  }
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  const scheme = chosen === 'dark' || chosen === 'light' ? chosen : system
  document.documentElement.setAttribute('data-mantine-color-scheme', scheme)
  document.documentElement.setAttribute('data-theme', scheme)
})()
