/**
 * The dashboard's files, below `/`. A path that is a file is that file; any other that may be a page is the dashboard's
 * index.html, whose router knows the path: for browsers, and for curl, uptime checks and link previews, which take anything.
 * /v1, files that are missing, and whoever does not take HTML get a JSON 404.
 *
 * Vite names files in assets/ by their content, so those never change; index.html names them, so it must be asked for anew
 * each time.
 */
import { stat } from 'node:fs/promises'
import { join, normalize, sep } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { accepts } from './accept.ts'

/** uPlot and Mantine set style attributes; scripts come from files only. */
const securityHeaders = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; " +
    "form-action 'self'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** Browsers find it in index.html; other programs ask for /favicon.ico, and take what its Content-Type says. */
const icon = 'favicon.svg'

const missingPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Minutely</title>
<h1>Minutely is running</h1>
<p>The dashboard is not built. Build it with <code>npm run build -w dashboard</code> and start again.</p>
<p>Until then: <a href="/v1/servers">servers</a>, <a href="/v1/openapi.json">the API</a>, <a href="/metrics">metrics</a>.</p>
</html>
`

export async function registerDashboard(app: FastifyInstance, dashboardDir: string | undefined): Promise<void> {
  if (dashboardDir === undefined || !(await isFile(join(dashboardDir, 'index.html')))) {
    app.get('/', async (_request, reply) => {
      return reply
        .headers(securityHeaders)
        .header('cache-control', 'no-cache')
        .type('text/html; charset=utf-8')
        .send(missingPage)
    })
    return
  }
  await app.register(fastifyStatic, { root: dashboardDir, serve: false, cacheControl: false, dotfiles: 'ignore' })
  app.get('/*', async (request: FastifyRequest<{ Params: { '*': string } }>, reply) => {
    const path = request.params['*']
    if (path === 'v1' || path.startsWith('v1/')) return reply.callNotFound()
    const file = await fileBelow(dashboardDir, path === 'favicon.ico' ? icon : path)
    if (file !== undefined && file !== 'index.html') return sendFile(reply, file)
    const isPage =
      file !== undefined || path === '' || (mayBePage(path) && accepts(request.headers.accept, 'text/html'))
    return isPage ? sendFile(reply, 'index.html') : reply.callNotFound()
  })
}

function sendFile(reply: FastifyReply, file: string): FastifyReply {
  const immutable = file.startsWith(`assets${sep}`)
  reply.headers(securityHeaders).header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
  return reply.sendFile(file.replaceAll(sep, '/'))
}

/** The path of a file inside the folder, undefined for anything else; `..` cannot lead out, dotfiles are not there. */
async function fileBelow(folder: string, path: string): Promise<string | undefined> {
  if (path === '' || path.includes('\0') || path.length > 1000) return undefined
  const relative = normalize(`/${path}`).slice(1)
  if (relative.split(sep).some((part) => part.startsWith('.'))) return undefined
  return (await isFile(join(folder, relative))) ? relative : undefined
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** A server's id may have dots (`servers/10.0.0.1`), so only on the first level is a dot the mark of a file. */
function mayBePage(path: string): boolean {
  const [first = '', ...others] = path.split('/')
  if (first === 'assets' || first.includes('.') || path.includes('\0')) return false
  return !others.some((part) => part.startsWith('.'))
}
