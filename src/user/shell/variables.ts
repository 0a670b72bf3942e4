/** A shell's variables: scalars, indexed and associative arrays, attributes, and the scopes that `local` opens. */

export interface Variable {
  value: string | undefined
  /** Indexed arrays have numeric keys in order; associative ones keep the order of insertion. */
  array?: Map<string, string>
  associative?: boolean
  exported?: boolean
  readonly?: boolean
  integer?: boolean
  lower?: boolean
  upper?: boolean
  nameref?: boolean
}

/** What a variable whose value is computed each time does: RANDOM, SECONDS and the like. */
export interface DynamicVariable {
  get(): string
  set?(value: string): void
}

export class ReadonlyVariable extends Error {
  readonly variable: string
  constructor(variable: string) {
    super(`${variable}: readonly variable`)
    this.variable = variable
  }
}

/** Indices of an indexed array, in ascending order. */
export function sortedKeys(variable: Variable): string[] {
  const keys = [...(variable.array?.keys() ?? [])]
  return variable.associative ? keys : keys.sort((a, b) => Number(a) - Number(b))
}

export class Variables {
  /** The innermost scope is the last; a scope maps a name to its variable. */
  readonly #scopes: Map<string, Variable>[]
  readonly dynamic = new Map<string, DynamicVariable>()

  constructor(scopes?: Map<string, Variable>[]) {
    this.#scopes = scopes ?? [new Map()]
  }

  /** A copy that shares nothing: what a forked child has. */
  clone(): Variables {
    return new Variables(
      this.#scopes.map(
        (scope) =>
          new Map(
            [...scope].map(([name, variable]) => [
              name,
              variable.array ? { ...variable, array: new Map(variable.array) } : { ...variable },
            ]),
          ),
      ),
    )
  }

  get depth(): number {
    return this.#scopes.length
  }

  push(): void {
    this.#scopes.push(new Map())
  }

  pop(): void {
    this.#scopes.pop()
  }

  find(name: string): Variable | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]!.get(name)
      if (found) return found.nameref && found.value ? this.find(found.value) : found
    }
    return undefined
  }

  /** Found as it is, not what it refers to. */
  findReference(name: string): Variable | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]!.get(name)
      if (found) return found
    }
    return undefined
  }

  /** Made in the global scope if there is none. */
  make(name: string): Variable {
    const reference = this.findReference(name)
    if (reference?.nameref && reference.value) return this.make(reference.value)
    const found = this.find(name)
    if (found) return found
    const fresh: Variable = { value: undefined }
    this.#scopes[0]!.set(name, fresh)
    return fresh
  }

  /** Made in the innermost scope. */
  makeLocal(name: string): Variable {
    const scope = this.#scopes[this.#scopes.length - 1]!
    const there = scope.get(name)
    if (there) return there
    const fresh: Variable = { value: undefined }
    scope.set(name, fresh)
    return fresh
  }

  get(name: string): string | undefined {
    const dynamic = this.dynamic.get(name)
    if (dynamic) return dynamic.get()
    const variable = this.find(name)
    if (!variable) return undefined
    return variable.array ? variable.array.get('0') : variable.value
  }

  /** Assigns as `name=value` does, attributes and all (but `integer`, which the interpreter evaluates first). */
  set(name: string, value: string): void {
    const dynamic = this.dynamic.get(name)
    if (dynamic) {
      dynamic.set?.(value)
      return
    }
    this.assign(this.make(name), name, value)
  }

  assign(variable: Variable, name: string, value: string): void {
    if (variable.readonly) throw new ReadonlyVariable(name)
    const cased = cast(variable, value)
    if (variable.array) variable.array.set('0', cased)
    else variable.value = cased
  }

  setElement(name: string, key: string, value: string): void {
    const variable = this.make(name)
    if (variable.readonly) throw new ReadonlyVariable(name)
    toArray(variable)
    variable.array!.set(key, cast(variable, value))
  }

  setArray(name: string, values: readonly string[]): void {
    const variable = this.make(name)
    if (variable.readonly) throw new ReadonlyVariable(name)
    variable.value = undefined
    variable.array = new Map(values.map((value, i) => [String(i), cast(variable, value)]))
  }

  /** False if it is readonly. */
  unset(name: string): boolean {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const scope = this.#scopes[i]!
      const found = scope.get(name)
      if (!found) continue
      if (found.nameref && found.value) return this.unset(found.value)
      if (found.readonly) return false
      // A local that is unset hides the outer one until its function returns.
      if (i > 0) scope.set(name, { value: undefined })
      else scope.delete(name)
      return true
    }
    this.dynamic.delete(name)
    return true
  }

  names(): string[] {
    const names = new Set<string>()
    for (const scope of this.#scopes) for (const name of scope.keys()) names.add(name)
    return [...names].filter((name) => isSet(this.find(name))).sort(byBytes)
  }

  /** What a program that is executed gets. */
  environment(): Map<string, string> {
    const environment = new Map<string, string>()
    for (const scope of this.#scopes) {
      for (const [name, variable] of scope) {
        if (variable.exported && variable.value !== undefined) environment.set(name, variable.value)
        else environment.delete(name)
      }
    }
    return environment
  }
}

export function isSet(variable: Variable | undefined): boolean {
  return variable !== undefined && (variable.value !== undefined || (variable.array?.size ?? 0) > 0)
}

/** A scalar becomes the array whose first element it is. */
export function toArray(variable: Variable): void {
  if (variable.array) return
  variable.array = new Map()
  if (variable.value !== undefined) variable.array.set('0', variable.value)
  variable.value = undefined
}

function cast(variable: Variable, value: string): string {
  if (variable.lower) return value.toLowerCase()
  if (variable.upper) return value.toUpperCase()
  return value
}

/** strcmp's order, which sorts as the C locale does. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
