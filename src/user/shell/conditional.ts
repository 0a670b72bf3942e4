/** [[ ... ]]. bash(1), "Compound Commands". */
import type { TestExpression } from 'unbash'
import type { Body } from '#kernel/core'
import { calculate, expandPattern, expandRegex, expandSingle } from './expand.ts'
import { compilePattern } from './pattern.ts'
import { compileRegex, loadRegexLibrary } from './regex.ts'
import type { Shell } from './shell.ts'
import { compareFiles, testFile } from './test-command.ts'
import { isSet } from './variables.ts'

/** 0 if it holds, 1 if not, 2 for a mistake. */
export function* conditional(shell: Shell, expression: TestExpression): Body<number> {
  switch (expression.type) {
    case 'TestGroup':
      return yield* conditional(shell, expression.expression)
    case 'TestNot': {
      const status = yield* conditional(shell, expression.operand)
      return status > 1 ? status : expression.negations.length % 2 === 1 ? 1 - status : status
    }
    case 'TestLogical': {
      let status = 0
      for (const [i, operand] of expression.operands.entries()) {
        if (i > 0 && (status === 0) === (expression.operator === '||')) break
        status = yield* conditional(shell, operand)
        if (status > 1) return status
      }
      return status
    }
    case 'TestUnary': {
      const operand = yield* expandSingle(shell, expression.operand)
      return unary(shell, expression.operator, operand) ? 0 : 1
    }
    case 'TestBinary': {
      const left = yield* expandSingle(shell, expression.left)
      switch (expression.operator) {
        case '=':
        case '==':
        case '!=': {
          const pattern = compilePattern(yield* expandPattern(shell, expression.right), shell.shopt.has('nocasematch'))
          return pattern.matches(left) === (expression.operator !== '!=') ? 0 : 1
        }
        case '=~':
          return yield* matchRegex(shell, left, yield* expandRegex(shell, expression.right))
      }
      const right = yield* expandSingle(shell, expression.right)
      const numbers = (compare: (a: bigint, b: bigint) => boolean) =>
        compare(calculate(shell, left), calculate(shell, right)) ? 0 : 1
      switch (expression.operator) {
        case '<':
          return left < right ? 0 : 1
        case '>':
          return left > right ? 0 : 1
        case '-eq':
          return numbers((a, b) => a === b)
        case '-ne':
          return numbers((a, b) => a !== b)
        case '-lt':
          return numbers((a, b) => a < b)
        case '-le':
          return numbers((a, b) => a <= b)
        case '-gt':
          return numbers((a, b) => a > b)
        case '-ge':
          return numbers((a, b) => a >= b)
        default:
          return compareFiles(shell.sys, expression.operator, left, right) ? 0 : 1
      }
    }
  }
}

function unary(shell: Shell, operator: string, operand: string): boolean {
  switch (operator) {
    case '-v': {
      const element = /^(\w+)\[(.*)\]$/.exec(operand)
      if (element) return shell.getElement(element[1]!, element[2]) !== undefined
      return (
        shell.variables.dynamic.has(operand) ||
        shell.getParameter(operand) !== undefined ||
        isSet(shell.variables.find(operand))
      )
    }
    case '-o':
      return shell.options.has(operand)
    case '-R':
      return shell.variables.findReference(operand)?.nameref === true
    default:
      return testFile(shell.sys, operator, operand)
  }
}

function* matchRegex(shell: Shell, text: string, source: string): Body<number> {
  yield* loadRegexLibrary()
  const compiled = compileRegex(source, { extended: true, ignoreCase: shell.shopt.has('nocasematch') })
  if ('error' in compiled) return 2
  const match = compiled.regex.exec(text)
  shell.variables.setArray('BASH_REMATCH', match ? match.groups.map((group) => group ?? '') : [])
  return match ? 0 : 1
}
