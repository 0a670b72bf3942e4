/** How x86_64 kernels give vectors to interrupts: three ways, by age. */

export type VectorKernel = 'linux-2.6.18' | 'linux-2.6.32' | 'linux-6.1'

export interface VectorRequest {
  irq: number
  /** The processors that may take it; the first of them if it is more than one. */
  cpus: number[]
}

export interface GivenVector {
  irq: number
  vector: number
  /** Where this vector means this interrupt. */
  cpus: number[]
}

/** Where each kernel begins to look: behind the vectors of the old sixteen. */
const FIRST_DEVICE = { 'linux-2.6.18': 0x31, 'linux-2.6.32': 0x41 }
const SYSCALL = 0x80

/**
 * Gives vectors one after the other.
 *
 * 2.6.18 has one table for all processors, and steps by eight so that priorities spread: each level of priority (the upper
 * four bits) holds two at most before they are used again. 2.6.32 steps the same way, but a table for each processor lets
 * the same vector mean another interrupt elsewhere. 6.1 takes the lowest free one on the processor that has most left.
 *
 * Linux 2.6.18 arch/x86_64/kernel/io_apic.c: assign_irq_vector(); 2.6.32 arch/x86/kernel/apic/io_apic.c: __assign_irq_vector();
 * 6.1 kernel/irq/matrix.c: irq_matrix_alloc()
 */
export function allocateVectors(kernel: VectorKernel, cpus: number, requests: readonly VectorRequest[]): GivenVector[] {
  return kernel === 'linux-6.1' ? byMatrix(cpus, requests) : byStride(kernel, cpus, requests)
}

function byStride(
  kernel: 'linux-2.6.18' | 'linux-2.6.32',
  cpus: number,
  requests: readonly VectorRequest[],
): GivenVector[] {
  const last = kernel === 'linux-2.6.18' ? 0xef : 0xee
  const taken = Array.from({ length: cpus }, () => new Set<number>())
  const given: GivenVector[] = []
  const first = FIRST_DEVICE[kernel]
  let vector = first
  let offset = 0
  for (const { irq, cpus: wanted } of requests) {
    const domain = kernel === 'linux-2.6.18' ? Array.from({ length: cpus }, (_, cpu) => cpu) : wanted
    const began: [number, number] = [vector, offset]
    for (;;) {
      vector += 8
      if (vector >= last) {
        offset = (offset + 1) % 8
        vector = first + offset
      }
      if (vector === began[0] && offset === began[1]) return given // None is left.
      if (vector !== SYSCALL && domain.every((cpu) => !taken[cpu]!.has(vector))) break
    }
    for (const cpu of domain) taken[cpu]!.add(vector)
    given.push({ irq, vector, cpus: domain })
  }
  return given
}

/** From 0x21 on; what the system keeps for itself begins at 0xec. */
function byMatrix(cpus: number, requests: readonly VectorRequest[]): GivenVector[] {
  const taken = Array.from({ length: cpus }, () => new Set<number>([SYSCALL]))
  const given: GivenVector[] = []
  for (const { irq, cpus: wanted } of requests) {
    const cpu = wanted.reduce((best, one) => (taken[one]!.size < taken[best]!.size ? one : best), wanted[0]!)
    let vector = 0x21
    while (taken[cpu]!.has(vector)) vector++
    if (vector >= 0xec) continue
    taken[cpu]!.add(vector)
    given.push({ irq, vector, cpus: [cpu] })
  }
  return given
}
