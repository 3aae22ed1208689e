// `portside curl`: HTTP and HTTPS through a host's stack, node:http over its connections, with
// curl's commonest flags and exit codes.

import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { connect as tlsConnect } from 'node:tls';
import { Command } from 'commander';
import type { ControlClient } from '../node/control-client.ts';
import { examples } from './look.ts';
import { sentence } from './report.ts';
import { numberOption, type ThroughOptions, through, throughOptions } from './through.ts';

interface Options extends ThroughOptions {
  output?: string;
  remoteName?: boolean;
  include?: boolean;
  head?: boolean;
  verbose?: boolean;
  data?: string;
  upload?: string;
  header?: string[];
  request?: string;
  range?: string;
  location?: boolean;
  insecure?: boolean;
  silent?: boolean;
  showError?: boolean;
  fail?: boolean;
  maxTime?: string;
  user?: string;
}

/** curl's numbers for what went wrong (libcurl-errors(3)). */
const Exit = {
  URL: 3,
  RESOLVE: 6,
  CONNECT: 7,
  HTTP: 22,
  WRITE: 23,
  READ: 26,
  TIMEOUT: 28,
  TLS: 35,
  REDIRECTS: 47,
  NOTHING: 52,
  RECEIVE: 56,
  CERTIFICATE: 60,
  PARTIAL: 18,
} as const;
const MOST_REDIRECTS = 50;

class CurlError extends Error {
  readonly exit: number;
  constructor(exit: number, message: string) {
    super(message);
    this.exit = exit;
  }
}

export function curlCommand(): Command {
  const command = new Command('curl')
    .summary("HTTP and HTTPS through a host's stack, as curl")
    .description("HTTP and HTTPS through a host's stack, with curl's flags and exit codes")
    .argument('<URL>', 'http:// or https://')
    .option('-o, --output <FILE>', 'write the body to FILE')
    .option('-O, --remote-name', 'write the body to a file named as the URL ends')
    .option('-i, --include', 'the headers, too')
    .option('-I, --head', 'HEAD: the headers only')
    .option('-v, --verbose', 'what is sent and received, on stderr')
    .option('-d, --data <DATA>', 'POST DATA, or @FILE')
    .option('-T, --upload <FILE>', 'PUT FILE, or - for the input')
    .option('-H, --header <LINE>', 'a header (may be given again)', (v, b: string[] = []) => [
      ...b,
      v,
    ])
    .option('-X, --request <METHOD>', 'the method')
    .option('-r, --range <RANGE>', 'octets, such as 0-99')
    .option('-L, --location', 'follow redirections')
    .option('-u, --user <NAME:PASSWORD>', 'basic authentication')
    .option('-k, --insecure', 'any certificate will do')
    .option('-s, --silent', 'no messages')
    .option('-S, --show-error', 'with -s: messages all the same')
    .option('-f, --fail', 'exit code 22 from status 400 on')
    .option('--max-time <S>', 'give up after so many seconds');
  examples(command, [
    'portside curl http://10.77.0.1:8000/',
    'portside curl -sS -o file -r 0-999 http://10.77.0.1:8000/file',
    'portside curl -T file http://10.77.0.1:8000/upload',
    'portside curl -kI https://10.77.0.1:8443/',
  ]);
  return throughOptions(command).action((url: string, o: Options) =>
    through(o, ['curl', 2], (client) => curl(client, url, o)),
  );
}

async function curl(client: ControlClient, text: string, o: Options): Promise<number> {
  const limitMs = numberOption(o.maxTime, '--max-time', [0, 1e6], 0) * 1000;
  const stop = new AbortController();
  const timer = limitMs > 0 ? setTimeout(() => stop.abort(), limitMs) : null;
  try {
    await transfer(client, text, o, stop.signal);
    return 0;
  } catch (reason) {
    const late = stop.signal.aborted;
    const error = late
      ? new CurlError(Exit.TIMEOUT, `Operation timed out after ${limitMs} milliseconds`)
      : asCurlError(reason);
    if (o.silent !== true || o.showError === true)
      process.stderr.write(`curl: (${error.exit}) ${error.message}\n`);
    return error.exit;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

function asCurlError(reason: unknown): CurlError {
  if (reason instanceof CurlError) return reason;
  const { code = '' } = reason as { code?: string };
  const text = sentence(reason);
  if (code.startsWith('ERR_TLS') || code.includes('CERT') || code.includes('SIGNATURE')) {
    return new CurlError(Exit.CERTIFICATE, `SSL certificate problem: ${text}`);
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return new CurlError(Exit.TLS, text);
  if (code === 'ECONNRESET') return new CurlError(Exit.NOTHING, 'Empty reply from server');
  if (code === 'ENOENT' || code === 'EISDIR') return new CurlError(Exit.READ, text);
  return new CurlError(Exit.RECEIVE, text);
}

function urlOf(text: string, base?: URL): URL {
  try {
    const url = new URL(
      base === undefined && !text.includes('://') ? `http://${text}` : text,
      base,
    );
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  } catch {
    // told below
  }
  throw new CurlError(Exit.URL, `URL rejected: '${text}'`);
}

async function transfer(
  client: ControlClient,
  text: string,
  o: Options,
  signal: AbortSignal,
): Promise<void> {
  let url = urlOf(text);
  let method = o.request ?? methodOf(o);
  let hasBody = true;
  for (let i = 0; ; i++) {
    const answer = await exchange(client, url, { o, method, hasBody, signal });
    const { statusCode = 0, headers } = answer;
    const target = headers.location;
    const isMoved = statusCode >= 301 && statusCode <= 308 && target !== undefined;
    if (o.location !== true || !isMoved) {
      await deliver(answer, url, method, o);
      return;
    }
    answer.resume();
    if (i === MOST_REDIRECTS) {
      throw new CurlError(Exit.REDIRECTS, `Maximum (${MOST_REDIRECTS}) redirects followed`);
    }
    url = urlOf(target, url);
    // RFC 9110 §15.4: 303 asks for GET; 301 and 302 of a POST are treated so by everybody
    if (statusCode === 303 || (statusCode <= 302 && method === 'POST')) {
      method = method === 'HEAD' ? 'HEAD' : 'GET';
      hasBody = false;
    }
  }
}

function methodOf(o: Options): string {
  if (o.head === true) return 'HEAD';
  if (o.upload !== undefined) return 'PUT';
  return o.data === undefined ? 'GET' : 'POST';
}

interface Wish {
  readonly o: Options;
  readonly method: string;
  readonly hasBody: boolean;
  readonly signal: AbortSignal;
}

async function exchange(client: ControlClient, url: URL, wish: Wish): Promise<IncomingMessage> {
  const { o, method, hasBody, signal } = wish;
  const socket = await dial(client, url, o, signal);
  const options: RequestOptions = {
    method,
    host: url.hostname,
    port: url.port,
    path: `${url.pathname}${url.search}`,
    headers: headersOf(url, o, hasBody),
    createConnection: () => socket,
    signal,
  };
  const asked = httpRequest(options);
  if (o.verbose === true) {
    const lines = [`${method} ${options.path} HTTP/1.1`, ...headerLines(asked.getHeaders())];
    for (const line of lines) process.stderr.write(`> ${line}\n`);
  }
  // it was paused until somebody listens; a server speaks when it has been asked
  asked.once('socket', (used: Socket) => used.resume());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asked.once('response', resolve);
    asked.once('error', reject);
  });
  const { upload, data } = o;
  if (!hasBody) asked.end();
  else if (data !== undefined) {
    asked.end(data.startsWith('@') ? readFileSync(data.slice(1)) : data);
  } else if (upload !== undefined) {
    const from = upload === '-' ? process.stdin : createReadStream(upload);
    // an answer may come before the whole body has gone
    from.on('error', (error: Error) => asked.destroy(error));
    from.pipe(asked);
  } else asked.end();
  const answer = await answered;
  if (o.verbose === true) {
    for (const line of statusLines(answer)) process.stderr.write(`< ${line}\n`);
  }
  return answer;
}

async function dial(
  client: ControlClient,
  url: URL,
  o: Options,
  signal: AbortSignal,
): Promise<Socket> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  let raw: Socket;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('timeout')), { once: true });
    });
    raw = (await Promise.race([client.open('connect', { host, port, noDelay: true }), late]))
      .socket;
  } catch (reason) {
    const { code } = reason as { code?: string };
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      throw new CurlError(Exit.RESOLVE, `Could not resolve host: ${host}`);
    }
    const text = `Failed to connect to ${host} port ${port}: ${sentence(reason)}`;
    throw new CurlError(code === 'ETIMEDOUT' ? Exit.TIMEOUT : Exit.CONNECT, text);
  }
  if (o.verbose === true) process.stderr.write(`* Connected to ${host} port ${port}\n`);
  if (!isTls) return raw;
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      socket: raw,
      servername: /^[\d.]+$|:/.test(host) ? '' : host,
      rejectUnauthorized: o.insecure !== true,
      ALPNProtocols: ['http/1.1'],
    });
    secure.once('error', reject);
    secure.once('secureConnect', () => {
      secure.off('error', reject);
      resolve(secure);
    });
  });
}

function headersOf(url: URL, o: Options, hasBody: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    Host: url.host,
    'User-Agent': 'portside-curl',
    Accept: '*/*',
    Connection: 'close',
  };
  if (o.range !== undefined) headers.Range = `bytes=${o.range}`;
  if (o.user !== undefined) {
    headers.Authorization = `Basic ${Buffer.from(o.user).toString('base64')}`;
  }
  if (hasBody && o.data !== undefined) {
    headers['Content-Type'] = 'application/x-www-form-urlencoded';
  }
  for (const line of o.header ?? []) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}

function headerLines(headers: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
}

function statusLines(answer: IncomingMessage): string[] {
  const { httpVersion, statusCode, statusMessage, rawHeaders } = answer;
  const lines = [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`];
  for (let i = 0; i < rawHeaders.length; i += 2)
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return lines;
}

async function deliver(
  answer: IncomingMessage,
  url: URL,
  method: string,
  o: Options,
): Promise<void> {
  const { statusCode = 0 } = answer;
  if (o.fail === true && statusCode >= 400) {
    answer.resume();
    throw new CurlError(Exit.HTTP, `The requested URL returned error: ${statusCode}`);
  }
  const name = o.remoteName === true ? basename(url.pathname) : o.output;
  if (name === '') throw new CurlError(Exit.WRITE, 'Remote file name has no length');
  const toFile = name !== undefined && name !== '-';
  const out = toFile ? createWriteStream(name) : process.stdout;
  if (o.include === true || method === 'HEAD') {
    out.write(`${statusLines(answer).join('\r\n')}\r\n\r\n`);
  }
  let failure: unknown = null;
  out.on('error', (reason: unknown) => {
    failure = reason;
    answer.destroy();
  });
  try {
    for await (const chunk of answer) {
      if (!out.write(chunk) && failure === null) await once(out, 'drain');
    }
    if (toFile) {
      out.end();
      await finished(out);
    }
  } catch (reason) {
    if (failure !== null) throw new CurlError(Exit.WRITE, sentence(failure));
    if (answer.complete) throw new CurlError(Exit.WRITE, sentence(reason));
    throw new CurlError(Exit.PARTIAL, 'transfer closed with outstanding read data remaining');
  }
}
