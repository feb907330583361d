// The API's description as a page to read: plain HTML made from the same table, with no script and nothing from elsewhere.

import { html, raw } from 'hono/html';
import { changes, type Endpoint, endpoints } from './api.ts';

/** `nonce`: of the page's style. */
export function reference(version: string, nonce: string): string {
  const list = Object.entries(endpoints) as [string, Endpoint][];
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice playground: API</title>
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<main>
<h1>Sluice playground: API</h1>
<p>Version ${version}. Every request but this page and <a href="/api/openapi.json">openapi.json</a> carries
<code>Authorization: Bearer &lt;token&gt;</code>; the token stands in the address that <code>sluice playground</code>
printed. An error is <code>{ "error": { code, message, fix?, at? } }</code>.</p>
<nav aria-label="Requests"><ul>
${list.map(([name, { method, path }]) => html`<li><a href="#${name}"><code>${method} ${path}</code></a></li>`)}
<li><a href="#changes"><code>GET /api/changes</code></a></li>
</ul></nav>
${list.map(([name, endpoint]) => section(name, endpoint))}
<section id="changes"><h2><code>GET /api/changes</code></h2>
<p>What happens beside requests, as server-sent events.</p>
${Object.entries(changes).map(([name, schema]) => html`<h3><code>${name}</code></h3>${schemaText(schema)}`)}
</section>
</main>
</body>
</html>`);
}

function section(name: string, { method, path, summary, query, body, response, conflicts }: Endpoint) {
  return html`<section id="${name}"><h2><code>${method} ${path}</code></h2>
<p>${summary}</p>
${query === undefined ? '' : html`<h3>Query</h3>${schemaText(query)}`}
${body === undefined ? '' : html`<h3>Body</h3>${schemaText(body)}`}
<h3>Answer</h3>${schemaText(response)}
${conflicts === true ? html`<p>409: it has changed on disk meanwhile; <code>disk</code> holds what is there now.</p>` : ''}
</section>`;
}

function schemaText(schema: object) {
  return html`<pre tabindex="0">${typeText(schema as Schema, '')}</pre>`;
}

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
  readonly default?: unknown;
}

// As TypeScript would say it: that is what most readers of this page write.
function typeText(schema: Schema, indent: string): string {
  if (schema.enum !== undefined) return schema.enum.map((one) => `'${one}'`).join(' | ');
  if (schema.type === 'array') {
    const inner = typeText(schema.items!, indent);
    return /[ |]/.test(inner) && !inner.startsWith('{') ? `(${inner})[]` : `${inner}[]`;
  }
  if (schema.type !== 'object') return schema.type ?? 'any';
  if (schema.properties === undefined) {
    const inner =
      typeof schema.additionalProperties === 'object' ? typeText(schema.additionalProperties, indent) : 'any';
    return `{ [name]: ${inner} }`;
  }
  const lines = Object.entries(schema.properties).map(([name, field]) => {
    const mark = schema.required?.includes(name) ? '' : '?';
    const by = field.default === undefined ? [] : [`by default ${JSON.stringify(field.default)}`];
    const note = [field.description, ...by].filter((one) => one !== undefined).join('; ');
    return `${indent}  ${name}${mark}: ${typeText(field, `${indent}  `)}${note === '' ? '' : `  // ${note}`}`;
  });
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${indent}}`;
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-top: 1px solid GrayText; padding-top: 1rem; }
h3 { font-size: 1rem; margin-bottom: 0.25rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid GrayText; border-radius: 4px; }
nav ul { columns: 20rem; padding-left: 1.2rem; }
`;
