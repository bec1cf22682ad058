/**
 * What a page of charts shows, held by its address (time-range.ts): the view, its window now, and the ways to change both, with the keys
 * that all such pages share.
 */
import { useEffect, useMemo } from 'react'
import { useLocation, useSearch } from 'wouter'
import { moveCrosshair } from './chart.tsx'
import { useFinestStep } from './finest-step.ts'
import { useKeys } from './keys.ts'
import {
  mendedSearch,
  neighbour,
  readView,
  resetZoom,
  shift,
  type View,
  type Window,
  windowOf,
  writeView,
  zoom,
} from './time-range.ts'

export interface ViewControl {
  readonly view: View
  readonly window: Window
  /** What of the range is kept allows no finer one. */
  readonly stepMsMin: number
  readonly show: (view: View, replace?: boolean) => void
  readonly zoomTo: (fromMs: number, toMs: number) => void
  readonly undoZoom: () => void
  /** Other parameters of the address; replaces the entry of the browser's history. */
  readonly setParams: (change: (params: URLSearchParams) => void) => void
  readonly params: URLSearchParams
}

const farSlots = 10

export function useView(nowMs: number, syncKey: string): ViewControl {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const view = useMemo(() => readView(search), [search])
  const stepMsMin = useFinestStep(view, nowMs)
  const { fromMs, toMs, stepMs } = windowOf(view, nowMs, stepMsMin)
  const window = useMemo(() => ({ fromMs, toMs, stepMs }), [fromMs, toMs, stepMs])
  const show = (next: View, replace = false) => navigate(`${path}?${writeView(search, next)}`, { replace })
  const undoZoom = () => {
    if (view.kind === 'between') show(resetZoom(view))
  }
  useKeys({
    '[': () => show(neighbour(view, -1)),
    ']': () => show(neighbour(view, 1)),
    '{': () => show(shift(view, -1, nowMs), true),
    '}': () => show(shift(view, 1, nowMs), true),
    '0': undoZoom,
    Escape: undoZoom,
    ArrowLeft: () => moveCrosshair(syncKey, -1),
    ArrowRight: () => moveCrosshair(syncKey, 1),
    ',': () => moveCrosshair(syncKey, -farSlots),
    '.': () => moveCrosshair(syncKey, farSlots),
  })
  useEffect(() => {
    const mended = mendedSearch(search)
    if (mended !== undefined) navigate(`${path}?${mended}`, { replace: true })
  }, [search, path, navigate])
  return {
    view,
    window,
    stepMsMin,
    show,
    zoomTo: (from, to) => show(zoom(view, from, to), view.kind === 'between'),
    undoZoom,
    setParams: (change) => {
      const params = new URLSearchParams(search)
      change(params)
      navigate(`${path}?${params}`, { replace: true })
    },
    params: useMemo(() => new URLSearchParams(search), [search]),
  }
}

/** The part of an address that says the range, for links to other pages. */
export function viewSearch(view: View, more: Readonly<Record<string, string>> = {}): string {
  return writeView(new URLSearchParams(more).toString(), view)
}
