/** A line below the list: what the database takes of the disk and where that ends. Nothing while it is not known. */
import { useQuery } from '@tanstack/react-query'
import { readStorage } from '../api.ts'
import { diskText } from './disk-text.ts'
import './server-list.css'

const refreshMs = 60_000

export function DiskLine() {
  const { data } = useQuery({
    queryKey: ['storage'],
    queryFn: ({ signal }) => readStorage(signal),
    refetchInterval: refreshMs,
  })
  if (data === undefined) return null
  const { text, isTight } = diskText(data)
  return (
    <p className={isTight ? 'list-disk bad' : 'list-disk dim'} data-testid="disk">
      {text}
    </p>
  )
}
