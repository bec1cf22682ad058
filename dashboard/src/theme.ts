/** Mantine set up with our colours; theme.css holds them. Only the styles of the components we use are loaded. */
import '@mantine/core/styles/baseline.css'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/global.css'
import '@mantine/core/styles/UnstyledButton.css'
import '@mantine/core/styles/Button.css'
import '@mantine/core/styles/ActionIcon.css'
import '@mantine/core/styles/CloseButton.css'
import '@mantine/core/styles/Input.css'
import '@mantine/core/styles/Kbd.css'
import '@mantine/core/styles/Loader.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/Group.css'
import '@mantine/core/styles/Text.css'
import '@mantine/core/styles/ScrollArea.css'
import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Modal.css'
import '@mantine/core/styles/Popover.css'
import '@mantine/core/styles/Combobox.css'
import { type CSSVariablesResolver, createTheme, localStorageColorSchemeManager } from '@mantine/core'

/** public/color-scheme.js reads the same key before the first paint. */
export const colorSchemeManager = localStorageColorSchemeManager({ key: 'minutely-color-scheme' })

export const theme = createTheme({
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  defaultRadius: '6px',
  respectReducedMotion: true,
  focusRing: 'auto',
  // Said, so that theme.css can tell them.
  components: { Button: { defaultProps: { variant: 'filled' } } },
})

const ours = {
  '--mantine-color-body': 'var(--m-panel)',
  '--mantine-color-text': 'var(--m-text)',
  '--mantine-color-dimmed': 'var(--m-dim)',
  '--mantine-color-placeholder': 'var(--m-dim)',
  '--mantine-color-anchor': 'var(--m-accent)',
  '--mantine-color-error': 'var(--m-bad)',
  '--mantine-color-default': 'var(--m-panel)',
  '--mantine-color-default-hover': 'var(--m-raised)',
  '--mantine-color-default-color': 'var(--m-text)',
  '--mantine-color-default-border': 'var(--m-line)',
  '--mantine-primary-color-filled': 'var(--m-accent)',
  '--mantine-primary-color-filled-hover': 'var(--m-accent)',
  '--mantine-color-blue-filled': 'var(--m-accent)',
  '--mantine-color-blue-filled-hover': 'var(--m-accent)',
}

/** Mantine's dark inputs are drawn from these two shades. */
const dark = { ...ours, '--mantine-color-dark-6': 'var(--m-panel)', '--mantine-color-dark-4': 'var(--m-line)' }

export const cssVariablesResolver: CSSVariablesResolver = () => ({ variables: {}, light: ours, dark })
