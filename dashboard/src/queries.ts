/**
 * How answers are cached and asked for again. Old data stays on the page while the API is away; each query says itself how
 * often it is repeated. networkMode is always, because the API may well run on this machine with no network at all.
 */
import { QueryClient } from '@tanstack/react-query'
import { ApiFailure } from './api.ts'

const attemptsMax = 2

export function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: 'always',
        refetchOnWindowFocus: false,
        staleTime: 30_000,
        retry: (failures, error) => failures < attemptsMax && error instanceof ApiFailure && error.isPassing,
        retryDelay: (failures) => 400 * 2 ** failures * (0.5 + Math.random()),
      },
    },
  })
}
