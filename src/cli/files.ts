// Files of one directory over HTTP: GET and HEAD, Range, If-None-Match and If-Modified-Since
// (RFC 9110 §13, §14). Nothing outside of the directory is reachable, by `..` or by a link.

import { createReadStream, type Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { parseRange } from './range.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webp': 'image/webp',
  '.xml': 'application/xml',
};

const CHUNK = 256 * 1024;
/** Entries that a listing shows at most. */
const MOST_LISTED = 10_000;

/** Answers with the file at `path` (decoded, starting with `/`) below `root`. */
export function serveFile(
  req: IncomingMessage,
  res: ServerResponse,
  root: string,
  path: string,
): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    plain(res, 405, 'Method Not Allowed', { Allow: 'GET, HEAD' });
    return;
  }
  serve(req, res, root, path).catch(() => {
    if (res.headersSent) res.destroy();
    else plain(res, 500, 'Internal Server Error');
  });
}

async function serve(
  req: IncomingMessage,
  res: ServerResponse,
  root: string,
  path: string,
): Promise<void> {
  const real = await locate(root, path);
  if (real === null) {
    plain(res, 404, 'Not Found');
    return;
  }
  const found = await stat(real);
  if (found.isFile()) {
    sendFile(req, res, real, found);
  } else if (!found.isDirectory()) {
    plain(res, 403, 'Forbidden'); // a pipe or a device would never end
  } else if (!path.endsWith('/')) {
    plain(res, 301, 'Moved Permanently', { Location: encodeURI(`/${path.replace(/^\/+/, '')}/`) });
  } else {
    await sendDirectory(req, res, root, path);
  }
}

/** The real path below `root`, links followed; null when it is missing or outside. */
async function locate(root: string, path: string): Promise<string | null> {
  if (!path.startsWith('/') || path.includes('\0')) return null;
  try {
    const base = await realpath(root);
    const real = await realpath(join(base, path));
    const below = base.endsWith(sep) ? base : base + sep;
    return real === base || real.startsWith(below) ? real : null;
  } catch {
    return null; // ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG: nothing to see
  }
}

async function sendDirectory(
  req: IncomingMessage,
  res: ServerResponse,
  root: string,
  path: string,
): Promise<void> {
  const index = await locate(root, `${path}index.html`);
  if (index !== null) {
    const found = await stat(index);
    if (found.isFile()) {
      sendFile(req, res, index, found);
      return;
    }
  }
  const directory = await locate(root, path);
  const entries = directory === null ? [] : await readdir(directory, { withFileTypes: true });
  const lines = entries.slice(0, MOST_LISTED).map((entry) => {
    const name = entry.isDirectory() ? `${entry.name}/` : entry.name;
    const href = encodeURIComponent(entry.name) + (entry.isDirectory() ? '/' : '');
    return `<li><a href="./${href}">${html(name)}</a></li>`;
  });
  const title = html(path);
  const text =
    `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>` +
    `<ul>\n${lines.sort().join('\n')}\n</ul>\n`;
  const body = Buffer.from(text);
  res.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': body.length,
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}

function sendFile(req: IncomingMessage, res: ServerResponse, path: string, found: Stats): void {
  const etag = `"${found.size.toString(16)}-${Math.floor(found.mtimeMs).toString(16)}"`;
  const headers: Record<string, string | number> = {
    'Content-Type': TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    ETag: etag,
    'Last-Modified': found.mtime.toUTCString(),
  };
  if (unchanged(req, etag, found)) {
    res.writeHead(304, headers);
    res.end();
    return;
  }
  const field = rangeApplies(req, etag) ? req.headers.range : undefined;
  const range = parseRange(field, found.size);
  if (range === 'unsatisfiable') {
    plain(res, 416, 'Range Not Satisfiable', { 'Content-Range': `bytes */${found.size}` });
    return;
  }
  headers['Content-Length'] = range.to - range.from;
  if (range.partial) headers['Content-Range'] = `bytes ${range.from}-${range.to - 1}/${found.size}`;
  res.writeHead(range.partial ? 206 : 200, headers);
  if (req.method === 'HEAD' || range.to === range.from) {
    res.end();
    return;
  }
  const file = createReadStream(path, {
    start: range.from,
    end: range.to - 1,
    highWaterMark: CHUNK,
  });
  // An error in the middle can only be shown by an early end; pipeline destroys both.
  pipeline(file, res, () => {});
}

/** RFC 9110 §13.2.2: If-None-Match goes before If-Modified-Since. */
function unchanged(req: IncomingMessage, etag: string, found: Stats): boolean {
  const tags = req.headers['if-none-match'];
  if (tags !== undefined) {
    return tags
      .split(',')
      .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
  }
  const since = Date.parse(req.headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && Math.floor(found.mtimeMs / 1000) * 1000 <= since;
}

/** RFC 9110 §13.1.5: a range of another version would be garbage. */
function rangeApplies(req: IncomingMessage, etag: string): boolean {
  const condition = req.headers['if-range'];
  return condition === undefined || condition === etag;
}

function plain(
  res: ServerResponse,
  status: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  const text = `${reason}\n`;
  res.writeHead(status, {
    'Content-Type': 'text/plain',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}

function html(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (c) => names[c] as string);
}
