// Programs for node:http2: h2c and h2 over TLS, the fallback to http/1.1, streams, pushes, resets, pings,
// settings, timeouts and ends.

import * as http2 from 'node:http2';
import { settled, type Transcript } from './transcript.ts';
import { ask, listening, once, SECURE, stop, TRUST, text, type WebProgram } from './web.ts';

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = http2.constants;

type Serve = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

async function plain(t: Transcript, serve: Serve, options: http2.ServerOptions = {}) {
  const server = http2.createServer(options);
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (s) => sessions.add(s));
  server.on('stream', serve);
  const port = await listening(server, t);
  const client = http2.connect(`http://127.0.0.1:${port}`);
  const close = async (): Promise<void> => {
    if (!client.destroyed) {
      const closed = once(client, 'close');
      client.close();
      await closed;
    }
    for (const session of sessions) session.destroy();
    await stop(server);
  };
  return { server, port, client, close };
}

async function answer(stream: http2.ClientHttp2Stream): Promise<[unknown, string]> {
  const headers = once(stream, 'response');
  const body = await text(stream);
  return [((await headers)[0] as http2.IncomingHttpHeaders)[':status'], body];
}

export const http2Programs: Record<string, WebProgram> = {
  'h2c: ten streams at once': async (t) => {
    const { client, close } = await plain(t, (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`answer ${headers[':path']}`);
    });
    const all = Array.from({ length: 10 }, (_, i) => answer(client.request({ ':path': `/${i}` })));
    for (const [status, body] of await Promise.all(all)) t.log(status, body);
    await close();
  },

  'h2c: a session connects when its socket does, and may be closed before': async (t) => {
    const { server, port, client, close } = await plain(t, (stream) => stream.end());
    t.watch('client', client, 'error close');
    t.log(client.connecting, client.socket === undefined);
    await once(client, 'connect');
    t.log(client.connecting, client.alpnProtocol);
    const early = http2.connect(`http://127.0.0.1:${port}`);
    t.watch('early', early, 'error close');
    early.on('connect', () => t.log('early: connect'));
    early.close();
    await once(early, 'close');
    t.log(early.destroyed, server.listening);
    client.unref();
    client.ref();
    await close();
  },

  'h2c: the compatibility API': async (t) => {
    const server = http2.createServer((req, res) => {
      res.setHeader('x-method', req.method);
      res.end(`${req.httpVersion} ${req.url} ${req.socket.remoteAddress}`);
    });
    const port = await listening(server, t);
    const client = http2.connect(`http://127.0.0.1:${port}`);
    t.log(...(await answer(client.request({ ':path': '/x', ':method': 'GET' }))));
    client.close();
    await once(client, 'close');
    await stop(server);
  },

  'h2 over TLS by ALPN, and http/1.1 for who does not know it': async (t) => {
    const server = http2.createSecureServer({ ...SECURE, allowHTTP1: true }, (req, res) =>
      res.end(`${req.httpVersion} ${(req.socket as { alpnProtocol?: string }).alpnProtocol}`),
    );
    const port = await listening(server, t);
    const client = http2.connect(`https://127.0.0.1:${port}`, TRUST);
    t.log(...(await answer(client.request({ ':path': '/' }))), client.alpnProtocol);
    client.close();
    await once(client, 'close');
    const old = await ask({ secure: true, port, agent: false });
    t.log(old.status, old.body);
    await stop(server);
  },

  'h2 over TLS without the fallback refuses http/1.1': async (t) => {
    const server = http2.createSecureServer(SECURE, (_req, res) => res.end('no'));
    server.on('unknownProtocol', (socket) => {
      t.log('server: unknownProtocol');
      socket.destroy();
    });
    const port = await listening(server, t);
    try {
      await ask({ secure: true, port, agent: false });
      t.log('client: answered');
    } catch (error) {
      t.log('client: ', typeof (error as NodeJS.ErrnoException).code);
    }
    await stop(server);
  },

  'a body of 1 MB up and down, in flow-controlled pieces': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.respond();
      stream.pipe(stream);
    });
    const stream = client.request({ ':method': 'POST' });
    for (let i = 0; i < 10; i++) stream.write(Buffer.alloc(100_000, i));
    stream.end();
    let octets = 0;
    stream.on('data', (d) => {
      octets += d.length;
    });
    await once(stream, 'end');
    t.log(octets);
    await close();
  },

  'the client cancels a stream, the session lives on': async (t) => {
    const { client, close } = await plain(t, (stream, headers) => {
      stream.on('aborted', () => t.log('server: aborted', stream.rstCode));
      stream.on('error', () => {});
      stream.respond();
      if (headers[':path'] === '/long') stream.write('beginning');
      else stream.end('short');
    });
    const long = client.request({ ':path': '/long' });
    long.on('data', () => long.close(NGHTTP2_CANCEL));
    await once(long, 'close');
    t.log('client: ', long.rstCode);
    t.log('client: ', ...(await answer(client.request({ ':path': '/short' }))));
    await close();
  },

  'the server refuses a stream': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.on('error', (e) => t.log('server: ', (e as NodeJS.ErrnoException).code));
      stream.close(NGHTTP2_REFUSED_STREAM);
    });
    const stream = client.request();
    stream.on('error', (e) => t.log('client: ', (e as NodeJS.ErrnoException).code));
    await once(stream, 'close');
    t.log('client: ', stream.rstCode);
    await close();
  },

  'pings, settings and their acknowledgments': async (t) => {
    const { client, close } = await plain(t, (stream) => stream.respond({}, { endStream: true }));
    await once(client, 'connect');
    const pong = await new Promise((resolve) =>
      client.ping(Buffer.from('12345678'), (_e, _ms, payload) => resolve(payload)),
    );
    t.log('pong', pong);
    client.settings({ initialWindowSize: 100_000 });
    await once(client, 'localSettings');
    t.log(client.localSettings.initialWindowSize, client.remoteSettings.enablePush);
    await close();
  },

  'the server pushes': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.pushStream({ ':path': '/pushed' }, (_error, pushed) => {
        pushed.respond();
        pushed.end('pushed body');
        stream.respond();
        stream.end('main body');
      });
    });
    const pushed = new Promise<void>((resolve) => {
      client.on('stream', async (stream, headers) => {
        const body = await text(stream);
        t.log('push: ', headers[':path'], body);
        resolve();
      });
    });
    t.log('main: ', ...(await answer(client.request())));
    await pushed;
    await close();
  },

  'trailers and informational headers': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.additionalHeaders({ ':status': 102 });
      stream.respond({}, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
      stream.end('body');
    });
    const stream = client.request();
    stream.on('headers', (h) => t.log('information', h[':status']));
    const trailers = once(stream, 'trailers');
    t.log(...(await answer(stream)));
    t.log(((await trailers)[0] as http2.IncomingHttpHeaders)['x-sum']);
    await close();
  },

  'GOAWAY lets open streams end': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.session?.close();
      stream.respond();
      setImmediate(() => stream.end('to the end'));
    });
    // The end of the session is a second GOAWAY, which may come before the socket's end.
    client.once('goaway', (code) => t.log('client: goaway', code));
    t.log('client: ', ...(await answer(client.request())));
    if (!client.destroyed) await once(client, 'close');
    t.log('client: ', client.closed, client.destroyed);
    await close();
  },

  'the session’s socket is lost in the middle of a stream': async (t) => {
    const { client, close } = await plain(t, (stream) => {
      stream.on('error', () => {});
      stream.respond();
      stream.write('half');
      stream.session?.socket.on('error', () => {});
      setImmediate(() => stream.session?.destroy());
    });
    client.on('error', () => {});
    const stream = client.request();
    stream.on('error', () => {});
    stream.on('aborted', () => t.log('client: aborted'));
    stream.resume();
    await once(stream, 'close');
    await settled(20);
    t.log('client: ', stream.destroyed, client.destroyed);
    await close();
  },

  'session.setTimeout': async (t) => {
    const { client, close } = await plain(t, () => {});
    await once(client, 'connect');
    client.setTimeout(50, () => t.log('timeout', client.destroyed));
    await once(client, 'timeout');
    await close();
  },

  'maxConcurrentStreams queues the rest': async (t) => {
    const settings = { settings: { maxConcurrentStreams: 2 } };
    let open = 0;
    let most = 0;
    const serve: Serve = (stream) => {
      open++;
      most = Math.max(most, open);
      stream.on('close', () => open--);
      stream.respond();
      setImmediate(() => stream.end('ok'));
    };
    const { client, close } = await plain(t, serve, settings);
    await once(client, 'remoteSettings');
    await Promise.all(Array.from({ length: 8 }, () => answer(client.request())));
    t.log(most);
    await close();
  },

  'a client that speaks http/1.1 to h2c': async (t) => {
    const { port, close } = await plain(t, () => t.log('server: stream'));
    try {
      await ask({ port, agent: false });
      t.log('client: answered');
    } catch (error) {
      t.log('client: ', (error as NodeJS.ErrnoException).code);
    }
    await close();
  },

  'nobody listens: ECONNREFUSED': async (t) => {
    const { port, close } = await plain(t, () => {});
    await close();
    const client = http2.connect(`http://127.0.0.1:${port}`);
    t.log((await once(client, 'error'))[0]);
  },
};
