/** The OpenAPI 3.1 document, made of the table of routes and its schemas: it can't say anything else than what is served. */
import { toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import type { Route } from './route.ts'
import { ROUTES } from './routes.ts'

const jsonSchema = (schema: v.GenericSchema, typeMode: 'input' | 'output') => {
  const { $schema: _, ...rest } = toJsonSchema(schema as never, { errorMode: 'ignore', typeMode })
  return rest as Record<string, unknown> & { properties?: Record<string, unknown>; required?: string[] }
}

function operation(route: Route) {
  const { query } = route
  const asked = query ? jsonSchema(query, 'input') : undefined
  const parameters = [
    ...Object.entries(route.params ?? {}).map(([name, schema]) => ({
      name,
      in: 'path',
      required: true,
      schema: jsonSchema(schema as v.GenericSchema, 'input'),
    })),
    ...Object.entries(asked?.properties ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: asked?.required?.includes(name) ?? false,
      schema,
    })),
  ]
  const content =
    route.answer === 'file'
      ? { 'application/octet-stream': {} }
      : route.answer && { 'application/json': { schema: jsonSchema(route.answer, 'input') } }
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[/{}]+(\w)?/gu, (_, letter = '') => letter.toUpperCase())}`,
    summary: route.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body
      ? {
          requestBody: {
            required: true,
            content:
              route.body === 'file'
                ? { 'application/octet-stream': {} }
                : { 'application/json': { schema: jsonSchema(route.body, 'input') } },
          },
        }
      : {}),
    security: route.needs === 'nothing' ? [{}, { token: [] }] : [{ token: [route.needs] }],
    responses: {
      [route.status]: { description: route.summary, ...(content ? { content } : {}) },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

/** The document, for a server at that origin. */
export function openapi(origin: string) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route)
  const field = {
    type: 'object',
    properties: { at: { type: 'string' }, what: { type: 'string' } },
    required: ['at', 'what'],
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kaidoku',
      version: '1',
      description: 'The reading room, for programs.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: `${origin}/api/v1` }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of the settings; its scopes are read, write and, for making tokens, admin.',
        },
      },
      responses: {
        Problem: {
          description: 'What went wrong (RFC 9457)',
          content: {
            'application/problem+json': {
              schema: {
                type: 'object',
                properties: {
                  type: { type: 'string' },
                  title: { type: 'string' },
                  status: { type: 'integer' },
                  detail: { type: 'string' },
                  errors: { type: 'array', items: field },
                },
                required: ['type', 'title', 'status', 'detail'],
              },
            },
          },
        },
      },
    },
  }
}
