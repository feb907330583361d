// The API's description as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), made of the schemas that validate requests.

import { changes, conflict, type Endpoint, endpoints } from './api.ts';
import { error } from './shapes.ts';

const NUMBERS = ['letter', 'capture'];

export function openapi(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries(endpoints)) {
    paths[endpoint.path] ??= {};
    paths[endpoint.path]![endpoint.method.toLowerCase()] = operation(name, endpoint);
  }
  paths['/api/changes'] = {
    get: {
      operationId: 'changes',
      summary: 'What happens beside requests, as server-sent events. Each is one of the x-events, by its name.',
      responses: {
        200: {
          description: 'It goes on until it is ended.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
        503: { $ref: '#/components/responses/error' },
      },
      'x-events': changes,
    },
  };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sluice playground',
      version,
      description: 'What the page of `sluice playground` is made on. It listens on this machine alone.',
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { error, conflict },
      responses: {
        error: {
          description: 'What is wrong, as everywhere else in Sluice.',
          content: json({
            type: 'object',
            required: ['error'],
            properties: { error: { $ref: '#/components/schemas/error' } },
          }),
        },
      },
    },
  };
}

function operation(name: string, { summary, path, query, body, response, conflicts }: Endpoint): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, one]) => ({
    name: one,
    in: 'path',
    required: true,
    schema: { type: NUMBERS.includes(one!) ? 'integer' : 'string' },
  }));
  const inQuery = Object.entries(query?.properties ?? {}).map(([one, schema]) => ({
    name: one,
    in: 'query',
    required: query?.required?.includes(one) ?? false,
    schema,
  }));
  const parameters = [...inPath, ...inQuery];
  return {
    operationId: name,
    summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: {
      200: { description: 'As it says.', content: json(response) },
      ...(conflicts === true
        ? {
            409: {
              description: 'It has changed on disk meanwhile.',
              content: json({ $ref: '#/components/schemas/conflict' }),
            },
          }
        : {}),
      default: { $ref: '#/components/responses/error' },
    },
  };
}

function json(schema: object): object {
  return { 'application/json': { schema } };
}
