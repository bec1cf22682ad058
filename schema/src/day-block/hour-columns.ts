/**
 * The hours of one series as columns: what a day block is made of and read into. A slot holds one hour: how many samples it has, their
 * min, max and sum. An hour without a sample is absent: all four are 0.
 */
export interface HourColumns {
  /** 1 to 3,600; 0: absent. */
  readonly count: Uint16Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

export const hoursPerDay = 24
export const samplesPerHourMax = 3_600

/** Room for a day. */
export function createHourColumns(): HourColumns {
  return {
    count: new Uint16Array(hoursPerDay),
    min: new Float64Array(hoursPerDay),
    max: new Float64Array(hoursPerDay),
    sum: new Float64Array(hoursPerDay),
  }
}
