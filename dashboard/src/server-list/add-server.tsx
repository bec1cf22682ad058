/** The button beside the search, and the dialog it opens: how to send from another host. */
import { Button, Modal } from '@mantine/core'
import { useState } from 'react'
import { WaysToSend } from './ways-to-send.tsx'

export function AddServer() {
  const [opened, setOpened] = useState(false)
  return (
    <>
      <Button variant="default" size="sm" onClick={() => setOpened(true)}>
        Add a server
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        size={860}
        title="Add a server"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <WaysToSend />
        <p className="dim ways-end">A new server is in the list seconds after its first samples arrived.</p>
      </Modal>
    </>
  )
}
