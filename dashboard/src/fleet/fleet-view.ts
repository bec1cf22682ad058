/**
 * What the fleet page shows, and its form in the address. Whatever is unreadable there means the default: a page never fails because of
 * its address.
 *
 *   /?metric=system.memory.usage&label=system.memory.state:used&agg=max&groupBy=region&query=web&show=silent
 *    &sort=value:desc&scale=0~1&zoom=6.5~web-17
 *
 * Without `metric` the wall shows how busy the CPUs are. `zoom` names the server in the middle and not a place, so that it is the same
 * one on another screen.
 */
import type { Aggregation } from '@minutely/schema/query-wire'
import type { Domain } from './colour-scale.ts'

export const wallAggregations = ['avg', 'min', 'max', 'sum', 'count'] as const satisfies readonly Aggregation[]
export const sortColumns = ['name', 'value', 'seen'] as const
export type SortColumn = (typeof sortColumns)[number]

export interface Sort {
  readonly column: SortColumn
  readonly isDescending: boolean
}

export interface ZoomPlace {
  readonly factor: number
  readonly serverId: string
}

export interface FleetView {
  /** Undefined: CPU busy, made from the share that is idle. */
  readonly metricId: string | undefined
  readonly aggregation: Aggregation
  /** `name:value` each, all of them hold. */
  readonly labels: readonly string[]
  /** Name of a label. */
  readonly groupBy: string | undefined
  readonly query: string
  readonly isSilentOnly: boolean
  readonly sort: Sort
  /** Undefined: by the values. */
  readonly domain: Domain | undefined
  readonly zoom: ZoomPlace | undefined
}

export const sortDefault: Sort = { column: 'name', isDescending: false }
/** The last ones that fell silent first: they are what one came for. */
const silentSortDefault: Sort = { column: 'seen', isDescending: true }

export function readFleetView(search: string): FleetView {
  const params = new URLSearchParams(search)
  const isSilentOnly = params.get('show') === 'silent'
  return {
    metricId: params.get('metric') || undefined,
    aggregation: wallAggregations.find((one) => one === params.get('agg')) ?? 'avg',
    labels: params.getAll('label').filter((label) => label.indexOf(':') > 0),
    groupBy: params.get('groupBy') || undefined,
    query: params.get('query') ?? '',
    isSilentOnly,
    sort: readSort(params.get('sort')) ?? (isSilentOnly ? silentSortDefault : sortDefault),
    domain: readDomain(params.get('scale')),
    zoom: readZoom(params.get('zoom')),
  }
}

/** Search string after a change; what is undefined in it goes back to its default. Parameters of others stay. */
export function writeFleetView(search: string, change: Partial<FleetView>): string {
  const params = new URLSearchParams(search)
  const set = (name: string, text: string | undefined) => {
    if (text === undefined || text === '') params.delete(name)
    else params.set(name, text)
  }
  if ('metricId' in change) set('metric', change.metricId)
  if ('aggregation' in change) set('agg', change.aggregation === 'avg' ? undefined : change.aggregation)
  if ('labels' in change) {
    params.delete('label')
    for (const label of change.labels ?? []) params.append('label', label)
  }
  if ('groupBy' in change) set('groupBy', change.groupBy)
  if ('query' in change) set('query', change.query)
  if ('isSilentOnly' in change) {
    set('show', change.isSilentOnly === true ? 'silent' : undefined)
    // What is sorted by elsewhere says little here, and the other way round.
    params.delete('sort')
  }
  if ('sort' in change) set('sort', change.sort && sortText(change.sort))
  if ('domain' in change) set('scale', change.domain && `${change.domain.low}~${change.domain.high}`)
  if ('zoom' in change)
    set('zoom', change.zoom && `${Number(change.zoom.factor.toPrecision(3))}~${change.zoom.serverId}`)
  return params.toString()
}

function sortText({ column, isDescending }: Sort): string {
  return `${column}:${isDescending ? 'desc' : 'asc'}`
}

function readSort(text: string | null): Sort | undefined {
  const [name, direction] = (text ?? '').split(':')
  const column = sortColumns.find((one) => one === name)
  return column === undefined ? undefined : { column, isDescending: direction === 'desc' }
}

function readDomain(text: string | null): Domain | undefined {
  const [low, high, ...rest] = (text ?? '').split('~').map((part) => (part === '' ? Number.NaN : Number(part)))
  if (low === undefined || high === undefined || rest.length > 0) return undefined
  return Number.isFinite(low) && Number.isFinite(high) && low < high ? { low, high } : undefined
}

function readZoom(text: string | null): ZoomPlace | undefined {
  const at = (text ?? '').indexOf('~')
  if (text === null || at < 1) return undefined
  const factor = Number(text.slice(0, at))
  return factor > 1 && factor <= 1000 ? { factor, serverId: text.slice(at + 1) } : undefined
}
